"""Whether anything can be accepted: a database that writes, and a disk that takes what is uploaded.

Both are tried by writing a little that is gone at once, and no more often than every few seconds.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from armillary.base.database import Database
from armillary.base.database_errors import DatabaseFull, is_transient, is_undone
from armillary.base.place import STAGING
from armillary.base.store.errors import StorageDenied, StorageFailed, explain
from armillary.base.store.probing import probe_directory
from armillary.context import Context
from armillary.errors import ArmillaryError

FRESH_S = 2.0
"""For how long the last look is good."""
PATIENCE_S = 2.5
"""For how long the staging area may take; less than those who ask about health wait."""
STAGED = "The staging area of uploads"
LITTLE = 1 << 20
"""Bytes below which a disk is full."""

# What is sorted does not fit into so little memory, so PostgreSQL writes it into a temporary file beside the
# tables: nothing is changed, and nothing stays behind.
SETTINGS = """
SELECT set_config('work_mem', '64kB', true), set_config('temp_tablespaces', '', true),
    current_setting('transaction_read_only') AS read_only
"""
SPILL = "SELECT count(*) FROM (SELECT g FROM generate_series(1, 5000) AS g ORDER BY -g OFFSET 0) AS sorted"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What can be accepted, and why not; ``forbidden`` uploads are no fault."""

    edits: bool = True
    uploads: bool = True
    forbidden: bool = False
    reasons: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is in the way of anything."""
        return self.edits and (self.uploads or self.forbidden)


class Doors:
    """Looks at what can be accepted; many that ask at once share one look."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._mutex = asyncio.Lock()
        self._looked = -FRESH_S
        self._found = Acceptance()
        self._staging: asyncio.Future[ArmillaryError | None] | None = None

    async def look(self) -> Acceptance:
        """Return what can be accepted.

        Raises whatever the database does if it does not answer at all.
        """
        async with self._mutex:
            if time.monotonic() - self._looked >= FRESH_S:
                faults = _fault_of_database(self._context.database), self._fault_of_staging()
                self._found = _judged(*await asyncio.gather(*faults))
                self._looked = time.monotonic()
            return self._found

    async def _fault_of_staging(self) -> ArmillaryError | None:
        # A file server that hangs keeps the thread; another one would be kept, too.
        if self._staging is None:
            look = asyncio.to_thread(_fault_of_staging, self._context.settings.data)
            self._staging = asyncio.ensure_future(look)
        await asyncio.wait({self._staging}, timeout=PATIENCE_S)
        if not self._staging.done():
            return StorageFailed(f"{STAGED} does not answer; look at the disk.")
        staging, self._staging = self._staging, None
        return staging.result()


def doors_of(state: Any) -> Doors:
    """Return the doors of an application, one for all who ask; ``state`` is that of the application."""
    if not hasattr(state, "doors"):
        state.doors = Doors(state.context)
    found: Doors = state.doors
    return found


def _judged(database: str | None, staging: ArmillaryError | None) -> Acceptance:
    forbidden = isinstance(staging, StorageDenied)
    reasons = [database] if database else []
    reasons += [staging.message] if staging is not None and not forbidden else []
    uploads = database is None and staging is None
    return Acceptance(database is None, uploads, forbidden and database is None, tuple(reasons))


async def _fault_of_database(database: Database) -> str | None:
    try:
        async with database.begin() as connection:
            row: Any = (await connection.exec_driver_sql(SETTINGS)).one()
            if row.read_only == "on":
                return "The database is read-only: no edit and no upload can be accepted."
            await connection.exec_driver_sql(SPILL)
    except DatabaseFull:
        return "The disk of the database is full: no edit and no upload can be accepted."
    except DBAPIError as error:
        if not (is_transient(error) and is_undone(error)):
            raise
        return "The database cannot write: no edit and no upload can be accepted."
    return None


def _fault_of_staging(data: Path) -> ArmillaryError | None:
    """Return why nothing can be staged, with no path in it: everybody may ask."""
    area = data / STAGING
    try:
        directory = area if area.is_dir() else data
        room = os.statvfs(directory)
        if room.f_bavail * room.f_frsize < LITTLE and not room.f_flag & os.ST_RDONLY:
            return explain(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), STAGED)
        probe_directory(directory, durably=False)
    except OSError as error:
        return explain(error, STAGED)
    return None
