"""A process that uses the embedded server of a directory until its standard input ends or it is killed."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path


async def use(directory: Path, account: str) -> None:
    """Acquire, commit one row, report, wait, release."""
    import asyncpg

    from armillary.base.postgres.server import EmbeddedServer

    server = await EmbeddedServer.acquire(directory, account=account)
    connection = await asyncpg.connect(
        host=server.dsn.host, user="armillary_owner", database=server.dsn.database
    )
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (pid integer)")
    await connection.execute("INSERT INTO kept VALUES ($1)", os.getpid())
    await connection.close()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.release()


if __name__ == "__main__":
    asyncio.run(use(Path(sys.argv[1]), sys.argv[2]))
