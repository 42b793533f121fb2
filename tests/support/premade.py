"""The empty database of an archive, made once in a process and copied for each archive that is not there yet.

A first start spends seconds on the files of the server and on all migrations. Tests of the first start itself make
their directories in no other way than users do.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import importlib.util
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from armillary.base import migrate
from armillary.base.database import Database, Role
from armillary.base.place import POSTGRES
from armillary.base.postgres.account import resolve
from armillary.base.postgres.binaries import PACKAGE, usable
from armillary.base.postgres.cluster import CLUSTER, DATABASE
from armillary.base.postgres.server import EmbeddedServer
from tests.support.postgres import server_account

RENEW = "UPDATE archive_identity SET id = gen_random_uuid()\n"
"""Every archive has an id of its own, which migrations draw."""


def prepare(data: Path) -> Path:
    """Put an empty database into a data directory that has none; return the directory."""
    top = data / POSTGRES
    if not top.exists():
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        top.mkdir(mode=0o700)
        # It is whole before it has its name, as the program makes it.
        part = top / "cluster.part"
        subprocess.run(["cp", "-a", _made(), part], check=True)
        _renew(part)
        part.rename(top / CLUSTER)
    return data


def _renew(cluster: Path) -> None:
    account, _ = resolve(server_account(), cluster)
    place = os.open(cluster, os.O_RDONLY | os.O_DIRECTORY)
    try:
        words = ["--single", "-c", "fsync=off", "-D", f"/proc/self/fd/{place}", DATABASE]
        done = subprocess.run(
            [_home() / "bin/postgres", *words],
            input=RENEW,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[place],
            cwd="/",
            check=True,
            **account.identity(),
        )
    finally:
        os.close(place)
    assert "ERROR" not in done.stdout, done.stdout


@functools.cache
def _home() -> Path:
    """Return where the programs of PostgreSQL are."""
    found = importlib.util.find_spec(PACKAGE)
    assert found
    assert found.submodule_search_locations
    return usable(Path(found.submodule_search_locations[0]), resolve(server_account(), Path("/nowhere"))[0])


@functools.cache
def _made() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="armillary-premade-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # Whoever asks may be in an event loop.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, _make(folder)).result()
    return folder / CLUSTER


async def _make(folder: Path) -> None:
    server = await EmbeddedServer.acquire(folder, account=server_account())
    try:
        database = await Database.connect(server, Role.OWNER)
        await migrate.upgrade(database)
        await database.close()
    finally:
        await server.release()
