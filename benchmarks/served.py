"""A web process and workers of their own, as measurements through HTTP need them, and a hand in their archive."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from armillary.archive.intake import bulk
from armillary.base.database import Role
from armillary.base.work import outcomes
from armillary.context import Context, open_context
from armillary.settings import DatabaseSettings, Settings

ACCOUNT = "daemon"
UNLIMITED = {"ARMILLARY_LIMITS__ANONYMOUS_PER_S": "0", "ARMILLARY_LIMITS__TOKEN_PER_S": "0"}
"""Measurements ask as often as no client may."""
LOOK_S = 0.25
LIMIT_S = 3600.0
UNFINISHED = "SELECT count(*) FROM work_order WHERE state IN ('Queued', 'Started')"


@dataclass(frozen=True)
class Tree:
    """Running processes: a web process and workers."""

    pids: tuple[int, ...]
    address: str


@contextmanager
def processes(data: Path, *, workers: int) -> Iterator[Tree]:
    """Run a web process and workers."""
    environment = os.environ | {"ARMILLARY_DATABASE__ACCOUNT": ACCOUNT, "ARMILLARY_LOG": "ERROR"} | UNLIMITED
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    armillary = [sys.executable, "-m", "armillary"]
    commands = [[*armillary, "serve", "--data", str(data), "--port", str(port)]]
    commands += [[*armillary, "worker", "--data", str(data), "--name", f"bench{n}"] for n in range(workers)]
    quiet = {"stderr": subprocess.DEVNULL}
    running = [subprocess.Popen(command, env=environment, **quiet) for command in commands]
    try:
        yield Tree(tuple(process.pid for process in running), f"http://127.0.0.1:{port}")
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait()


def memory_mb(pid: int) -> int:
    """Return the resident memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) >> 10


@asynccontextmanager
async def archive_of(folder: Path) -> AsyncIterator[Context]:
    """Open an archive in a directory."""
    settings = Settings(data=folder / "data", database=DatabaseSettings(account=ACCOUNT))
    async with open_context(settings, Role.WORKER, application="armillary benchmark") as context:
        yield context


async def scalar(context: Context, query: str) -> Any:
    """Return one value from the database."""
    async with context.database.begin() as connection:
        return (await connection.exec_driver_sql(query)).scalar()


async def nothing_left(context: Context) -> None:
    """Wait until no work order is unfinished."""
    end = time.monotonic() + LIMIT_S
    while await scalar(context, UNFINISHED):
        if time.monotonic() > end:
            raise TimeoutError("work orders are left")
        await asyncio.sleep(LOOK_S)


async def take_in(context: Context, folder: Path, *, products: bool) -> None:
    """Let the workers take the files of a directory in; without products, leave their pictures and digests out."""
    started = await bulk.submit_paths(context, [folder], copy=False, force=False, in_place=True)
    left = list(started.orders)
    while left:
        async with context.database.begin() as connection:
            if not products:
                await connection.exec_driver_sql(
                    "DELETE FROM work_order WHERE kind IN ('preview', 'digest') AND state = 'Queued'"
                )
            ended = await outcomes(connection, left)
        if bad := [one.response.error for one in ended.values() if not one.response.ok]:
            raise AssertionError(bad[0])
        left = [order for order in left if order not in ended]
        await asyncio.sleep(LOOK_S)
    await nothing_left(context)
    await context.database.refresh("file", "version", "frame")
