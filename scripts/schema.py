"""Write down what a new migration makes, and freeze it; run it after adding one.

It brings an empty database to the newest revision, writes the schema into ``src/armillary/migrations/schema.txt``,
and adds the digests of new migrations to ``tests/data/migrations.sha256``. What is listed there is never changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
from pathlib import Path

from armillary.base import migrate, schema
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer

TOP = Path(__file__).parent.parent
MIGRATIONS = TOP / "src" / "armillary" / "migrations"
SCHEMA, FROZEN = MIGRATIONS / "schema.txt", TOP / "tests" / "data" / "migrations.sha256"


def files() -> dict[str, str]:
    """Return the digests of all migrations, and of what they are made of, by name."""
    paths = [MIGRATIONS / "scripts.py", *sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def frozen() -> dict[str, str]:
    """Return the digests that were written down, by name."""
    lines = FROZEN.read_text().splitlines() if FROZEN.exists() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


async def described(server: EmbeddedServer) -> str:
    """Return what all migrations make of the empty database of a server."""
    database = await Database.connect(server, Role.OWNER, pool_size=1)
    try:
        await migrate.upgrade(database, check=False)
        async with database.begin() as connection:
            return schema.write(await connection.run_sync(schema.found))
    finally:
        await database.close()


async def made() -> str:
    """Return what all migrations make."""
    with tempfile.TemporaryDirectory(prefix="armillary-schema-") as directory:
        server = await EmbeddedServer.acquire(Path(directory) / "postgres", account="daemon")
        try:
            return await described(server)
        finally:
            await server.release()


def main() -> int:
    """Write both files; exit 1 if a migration that is frozen was changed."""
    now, then = files(), frozen()
    if changed := [name for name in then if now.get(name) != then[name]]:
        print(
            f"frozen and changed: {', '.join(changed)}; write a new migration instead."
            " Only of one that was never released the line may be removed and written anew.",
            file=sys.stderr,
        )
        return 1
    SCHEMA.write_text(asyncio.run(made()))
    FROZEN.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(now.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
