"""Workers that die: a process that begins one order and never ends it (``python -m tests.support.victims``)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from armillary.base.database import Database, Role
from armillary.base.signals import PostgresSignals
from armillary.base.work import Claim, Kind, Worker
from armillary.base.work.presence import Presence
from tests.support.postgres import AContext, work_settings

LEASE_S = 3600.0
"""Nothing that a test waits for takes so long."""


async def _live(dsn: str, name: str, data: Path) -> None:
    async def hang(_context: AContext, claims: Sequence[Claim]) -> None:
        print(claims[0].order.id, flush=True)
        await asyncio.Event().wait()

    database = await Database.connect(dsn, Role.WORKER, name=name, application="victim", pool_size=2)
    settings = work_settings(lease_s=LEASE_S).model_copy(update={"data": data})
    context = AContext(database, settings, PostgresSignals(database))
    await Worker(context, [Kind("work", hang)], name="victim", slots=1).run(asyncio.Event())


@contextlib.contextmanager
def a_victim(context: AContext) -> Iterator[subprocess.Popen[bytes]]:
    """Run such a process, on another connection of the same database, until the end of the block."""
    source, name = context.database.source, context.database.name
    assert not isinstance(source, str)
    command = [sys.executable, "-m", "tests.support.victims", source.dsn.url(Role.WORKER), str(name)]
    process = subprocess.Popen(
        [*command, str(context.settings.data)],
        cwd=Path(__file__).parents[2],
        env=dict(os.environ),
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def begun(process: subprocess.Popen[bytes]) -> int:
    """Wait until it has begun an order; return which."""
    assert process.stdout
    return int(process.stdout.readline())


def abandon(one: Presence) -> None:
    """Drop the lock of a worker and leave its file, as the kernel does at the end of the process."""
    os.close(one.fd)
    one.fd = -1


if __name__ == "__main__":
    asyncio.run(_live(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
