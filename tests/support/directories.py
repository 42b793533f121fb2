"""Data directories that are copied and moved."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from armillary.base.database import Role
from armillary.context import open_context
from armillary.settings import DatabaseSettings, Settings
from tests.support.archive import Archive
from tests.support.postgres import server_account
from tests.support.premade import prepare


def copy(directory: Path, target: Path, *words: str) -> Path:
    """Copy a directory with everything that can be copied; further ``words`` go to the command."""
    subprocess.run(["cp", "-a", *words, directory, target], check=True)
    return target


@asynccontextmanager
async def opened(
    data: Path, *, url: str | None = None, anywhere: bool = False, application: str = "armillary test"
) -> AsyncIterator[Archive]:
    """Open the archive in a data directory, with the server in it unless there is another one."""
    if url is None:
        prepare(data)
    settings = Settings(data=data, database=DatabaseSettings(account=server_account(), url=url))
    async with open_context(settings, Role.WORKER, anywhere=anywhere, application=application) as context:
        one = Archive(context, data.parent)
        try:
            yield one
        finally:
            one.let_go()
