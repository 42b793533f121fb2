"""Leave the database of an archive as an earlier release had it: ``older.py DIRECTORY REVISION``, as its owner."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from armillary.base import migrate
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.settings import Settings


async def main(data: Path, revision: str) -> None:
    """Undo the migrations after a revision."""
    settings = Settings(data=data)
    async with AsyncExitStack() as stack:
        source: str | EmbeddedServer | None = settings.database.url
        if source is None:
            web = settings.database.web_account
            source = await EmbeddedServer.acquire(data / "postgres", web_account=web)
            stack.push_async_callback(source.release)
        database = await Database.connect(source, Role.OWNER, pool_size=1)
        stack.push_async_callback(database.close)
        await migrate.downgrade(database, revision)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
