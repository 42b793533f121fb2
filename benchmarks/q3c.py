"""The peer of benchmark 4b: q3c, in a server of its own, as its manual advises to use it.

q3c is a module of PostgreSQL written in C. Debian has it for PostgreSQL 15; the embedded server is a later one and
cannot load it. So it runs in a temporary cluster, with the configuration that the embedded server has.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from armillary.base.postgres.cluster import CONFIGURATION

HOME = Path("/usr/lib/postgresql/15")
NEEDED = (HOME / "bin/postgres", HOME / "lib/q3c.so")
ACCOUNT = "daemon"
SUPERUSER = "postgres"
CONE = "SELECT id FROM position WHERE q3c_radial_query(ra, dec, $1, $2, $3)"
PREPARATION = """
CREATE EXTENSION q3c;
CREATE TABLE position (id bigint, ra double precision, dec double precision);
"""
INDEX = """
CREATE INDEX position_q3c ON position (q3c_ang2ipix(ra, dec));
CLUSTER position USING position_q3c;
ANALYZE position;
"""

Positions = Sequence[tuple[int, float, float]]


def is_installed() -> bool:
    """Tell whether the packages postgresql-15 and postgresql-15-q3c are there."""
    return all(path.exists() for path in NEEDED)


@asynccontextmanager
async def q3c(positions: Positions) -> AsyncIterator[asyncpg.Connection]:
    """Run a server with these positions, indexed and in the order of the index; yield a session."""
    with tempfile.TemporaryDirectory(prefix="armillary-q3c-") as folder:
        identity = _identity(Path(folder))
        cluster = Path(folder) / "cluster"
        _run("initdb", "-D", cluster, "--auth=trust", "-E", "UTF8", "--locale=C", "-U", SUPERUSER, **identity)
        configuration = CONFIGURATION.format(toast="") + f"unix_socket_directories = '{folder}'\n"
        (cluster / "postgresql.conf").write_text(configuration)
        log = Path(folder) / "log"
        _run("pg_ctl", "-D", cluster, "-l", log, "-w", "start", **identity)
        try:
            connection = await asyncpg.connect(host=folder, user=SUPERUSER, database="postgres")
            await _fill(connection, positions)
            yield connection
            await connection.close()
        finally:
            _run("pg_ctl", "-D", cluster, "-m", "immediate", "stop", **identity)


def _identity(folder: Path) -> dict[str, Any]:
    """Return whom the server runs as, who owns the folder: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(ACCOUNT)
    shutil.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _run(program: str, *arguments: str | Path, **identity: Any) -> None:
    done = subprocess.run(
        [HOME / "bin" / program, *arguments], capture_output=True, text=True, check=False, cwd="/", **identity
    )
    if done.returncode:
        raise RuntimeError(f"{program} failed: {done.stderr.strip()}")


async def _fill(connection: asyncpg.Connection, positions: Positions) -> None:
    await connection.execute(PREPARATION)
    await connection.copy_records_to_table("position", records=positions)
    await connection.execute(INDEX)
    await connection.execute("VACUUM position")
