"""A header service that runs alone outlives its sessions, also while it waits to be the service."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from armillary.base.alone import alone
from armillary.base.database import Role
from armillary.context import Context, open_context
from armillary.headers import service
from armillary.headers.services.instance import lock_of
from armillary.headers.services.models import ServiceState
from armillary.settings import Settings
from tests.crash.tree import DEFAULTS
from tests.support.exposing import INSTRUMENT, configure
from tests.support.patience import in_time
from tests.support.premade import prepare
from tests.support.running import STOP_S

PATIENCE_S = 300.0
LOSSES = 30
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"


@contextmanager
def a_service(settings: Settings, configured: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a service that enables itself; it is ended in any case."""
    environment = {**os.environ, **DEFAULTS, "ARMILLARY_HEADERS__DIRECTORY": str(configured)}
    command = [sys.executable, "-m", "armillary", "header", "run", INSTRUMENT, "--enable"]
    process = subprocess.Popen([*command, "--data", str(settings.data)], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def lose_sessions(context: Context, process: subprocess.Popen[bytes]) -> None:
    """End all sessions of a service again and again, as soon as it has some."""
    lost, end = 0, time.monotonic() + PATIENCE_S
    while lost < LOSSES:
        assert process.poll() is None
        async with context.database.begin() as connection:
            ended = await connection.exec_driver_sql(END_SESSIONS, (f"armillary header {INSTRUMENT}",))
            lost += bool(ended.all())
        in_time(end, "sessions to end")
        await asyncio.sleep(0.02)


async def until_enabled(context: Context, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not any(one.state is ServiceState.ENABLED and one.alive for one in await service.statuses(context)):
        assert process.poll() is None
        in_time(end, "a service that is not enabled")
        await asyncio.sleep(0.05)


@pytest.mark.crash
async def test_a_service_that_loses_its_sessions_while_it_begins_begins_again(tmp_path: Path) -> None:
    configure(tmp_path / "headers", INSTRUMENT)
    account = {"account": DEFAULTS["ARMILLARY_DATABASE__ACCOUNT"]}
    settings = Settings(data=prepare(tmp_path / "data"), database=account)
    async with open_context(settings, Role.WORKER, application="armillary test") as context:
        with a_service(settings, tmp_path / "headers") as process:
            # While somebody else is the service it comes no further.
            async with alone(context.database, lock_of(INSTRUMENT)):
                await lose_sessions(context, process)
            await until_enabled(context, process)
            process.terminate()
            assert await asyncio.to_thread(process.wait, STOP_S) == 0
