"""Which archive this is. A copy of one is another: it changes its own files, and no others.

The database knows the directory that it belongs to, by device and inode. It is the database that remembers this,
and not a file in the directory: so everything that follows from another directory is one transaction, whichever
process comes first, and an external database can tell two directories from each other. What the comparison finds:

* The same directory under another path was moved. Nothing changes but the path: all state is addressed below it.
* Another directory is a copy, or was moved to another disk; nobody can tell which. If all of its state lies below
  it, it becomes an archive of its own: with another id, another generation of the feed of changes, and the right
  to read, but not to change, the trees outside of it until somebody claims them.
* If its state is elsewhere (an external database, a link), two directories may share it. Then it is refused until
  somebody says that this directory is the archive now.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import Database
from armillary.base.feed.generations import begin_generation
from armillary.base.log import get_logger
from armillary.base.place import (
    POSTGRES,
    PRIVATE,
    STAGING,
    STORE,
    Place,
    Standing,
    address_of,
    is_path,
    path_at,
    place_of,
    standing,
)
from armillary.base.store import LocalStore
from armillary.base.work.admin import expire_leases
from armillary.errors import Conflict

log = get_logger(__name__)
LEAP = 1 << 20
"""Generations of two copies differ, unless they draw the same of so many numbers."""

_READ = "SELECT id, path, directory, filesystem, copied_from FROM archive_identity"
_RECORD = "UPDATE archive_identity SET path = $1, directory = $2, filesystem = $3"
_RENEW = "UPDATE archive_identity SET id = gen_random_uuid(), copied_from = $1"
_ROOTS = "SELECT id, name, path FROM root ORDER BY id"
_ADDRESS = """
UPDATE root AS r SET path = a.path FROM unnest($1::smallint[], $2::text[]) AS a (id, path) WHERE a.id = r.id
"""
_DISCLAIM = "UPDATE root SET claimed = false WHERE id = ANY($1::smallint[])"
_FORGET = "DELETE FROM worker_process"
_SESSIONS = """
SELECT DISTINCT application_name FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'armillary%'
    AND application_name <> current_setting('application_name')
ORDER BY application_name
"""


class DirectoryNotClaimed(Conflict):
    """The database belongs to another directory; use that, or claim it for this one."""

    code = "directory_not_claimed"


class OthersAtWork(Conflict):
    """Other processes use the database; stop them first."""

    code = "others_at_work"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which archive a database belongs to, where that is, and what it was copied from."""

    id: UUID
    place: Place | None
    copied_from: str | None


@dataclass(frozen=True, slots=True)
class RootLine:
    """A root as it is recorded."""

    id: int
    name: str
    path: str


async def read_identity(connection: AsyncConnection, *, lock: bool = False) -> Identity:
    """Return which archive this is; ``lock`` lets others wait until the transaction ends."""
    row = (await connection.exec_driver_sql(_READ + (" FOR UPDATE" if lock else ""))).one()
    place = Place(Path(row.path), row.directory, row.filesystem) if row.path is not None else None
    return Identity(row.id, place, row.copied_from)


async def settle_in(database: Database, home: Path, *, own_database: bool, may_write: bool) -> None:
    """Compare the directory with the one that the database belongs to, and do what follows from that.

    ``own_database`` says that the database is below the directory, or at least looks so. Who may not write leaves
    everything to others, and does not need it.

    Raises
    ------
    DirectoryNotClaimed
        If the database, or a part of the directory's state, may be in use by another archive.
    """
    here = place_of(home)
    async with database.begin() as connection:
        found = await read_identity(connection)
        if found.place == here:
            return
        if may_write:
            await _settle(connection, here, own_database=own_database)
        else:
            _check(found, here)


async def check_place(database: Database, home: Path) -> None:
    """See that the database does not belong to another directory.

    Raises
    ------
    DirectoryNotClaimed
        If it does.
    """
    async with database.begin() as connection:
        _check(await read_identity(connection), place_of(home))


def _check(found: Identity, here: Place) -> None:
    if standing(found.place, here) is Standing.OTHER:
        raise _not_claimed(found.place.path if found.place else None, here.path, "")


async def take_over(database: Database, home: Path) -> None:
    """Let a directory be the one that the database belongs to, wherever its state lies.

    Raises
    ------
    OthersAtWork
        If processes are at work that may use another directory.
    """
    here = place_of(home)
    async with database.begin() as connection:
        found = await read_identity(connection, lock=True)
        roots = await _roots(connection)
        former = _former(found, roots, here)
        if not _is_other(found, former, here):
            return
        sessions = [row[0] for row in (await connection.exec_driver_sql(_SESSIONS)).all()]
        if sessions:
            raise OthersAtWork(f"The database is in use by {', '.join(sessions)}; stop that first.")
        await _move_in(connection, roots, here, former)


async def renew(connection: AsyncConnection, *, copied_from: Path | None) -> None:
    """Let the archive be another one than it was: it has no workers yet, and its feed has a generation of its own.

    Clients may know changes of the other one that were made later, under numbers that are used here again. Where
    the server is another one, and counts from the start, that is noticed anyhow, but not if the numbers of a
    small archive happen to be higher.
    """
    await connection.exec_driver_sql(_RENEW, (str(copied_from) if copied_from else None,))
    await begin_generation(connection, 1 + secrets.randbelow(LEAP))
    await connection.exec_driver_sql(_FORGET)
    await expire_leases(connection)


async def record_place(connection: AsyncConnection, here: Place) -> None:
    """Record which directory the archive is in."""
    await connection.exec_driver_sql(_RECORD, (str(here.path), here.directory, here.filesystem))


async def _settle(connection: AsyncConnection, here: Place, *, own_database: bool) -> None:
    # What was seen before the lock may be history: of processes that start at once, the first does the work.
    found = await read_identity(connection, lock=True)
    roots = await _roots(connection)
    former = _former(found, roots, here)
    if not _is_other(found, former, here):
        await _readdress(connection, roots, here.path, former)
        await record_place(connection, here)
        return
    # Nothing is in a directory as long as there are no roots.
    if roots and (shared := _shared(here.path, own_database=own_database)):
        raise _not_claimed(former, here.path, shared)
    await _move_in(connection, roots, here, former)


async def _move_in(
    connection: AsyncConnection, roots: Sequence[RootLine], here: Place, former: Path | None
) -> None:
    """Make a directory that was another one's, or that one on another disk, an archive of its own."""
    roots = await _readdress(connection, roots, here.path, former)
    await renew(connection, copied_from=former)
    local = [root for root in roots if is_path(root.path)]
    inside = [root for root in local if path_at(root.path, here.path).is_relative_to(here.path)]
    outside = [root for root in roots if root not in inside]
    await connection.exec_driver_sql(_DISCLAIM, ([root.id for root in outside],))
    for root in inside:
        await _settle_journals(root, here.path)
    await record_place(connection, here)
    log.warning(
        "a directory of its own: this is another archive now",
        directory=str(here.path),
        copied_from=str(former),
        to_claim=[root.name for root in outside],
    )


async def _settle_journals(root: RootLine, home: Path) -> None:
    """Finish or undo edits that a crash before the copy interrupted; the copies are other files to the system."""
    private, path = home / PRIVATE / root.name, path_at(root.path, home)
    if not path.is_dir() or not any(private.glob("journal/*")):
        return
    store = LocalStore(path, private, in_place=True, create=False)
    try:
        for finding in await store.recover(copied=True):
            log.warning("recovered", root=root.name, finding=finding)
    finally:
        store.close()


def _former(found: Identity, roots: Sequence[RootLine], here: Place) -> Path | None:
    """Return the directory that the archive was in, as far as is known."""
    if found.place:
        return found.place.path
    # The record is younger than the archive. Its store was always in its directory.
    recorded = next((Path(root.path) for root in roots if root.name == STORE), None)
    if recorded is None or recorded == path_at(STORE, here.path):
        return None
    is_plain = recorded.name == STORE and not (here.path / STORE).is_symlink()
    return recorded.parent if is_plain else None


def _is_other(found: Identity, former: Path | None, here: Place) -> bool:
    if found.place is None:
        return former is not None
    return standing(found.place, here) is Standing.OTHER


def _shared(home: Path, *, own_database: bool) -> str:
    """Return which part of the state of a directory may be in use by another archive."""
    if not own_database:
        return "the database"
    for name in (POSTGRES, PRIVATE, STAGING):
        part = home / name
        if not part.resolve().is_relative_to(home):
            return f"{part}, which leads to {part.resolve()}"
    return ""


async def _roots(connection: AsyncConnection) -> list[RootLine]:
    rows = (await connection.exec_driver_sql(_ROOTS)).all()
    return [RootLine(row.id, row.name, row.path) for row in rows]


async def _readdress(
    connection: AsyncConnection, roots: Sequence[RootLine], home: Path, former: Path | None
) -> list[RootLine]:
    """Let what is below the directory be addressed relative to it, and return the roots as they are now."""
    taken = {root.path for root in roots}
    changed: list[tuple[int, str]] = []
    for root in roots:
        address = _address(root, home, former)
        if address not in taken:
            taken.add(address)
            changed.append((root.id, address))
    if not changed:
        return list(roots)
    await connection.exec_driver_sql(_ADDRESS, ([one[0] for one in changed], [one[1] for one in changed]))
    return await _roots(connection)


def _address(root: RootLine, home: Path, former: Path | None) -> str:
    if root.name == STORE:
        return STORE
    path = Path(root.path)
    if not path.is_absolute():
        return root.path
    if former is not None and not path.is_relative_to(home):
        return address_of(path, former)
    return address_of(path, home)


def _not_claimed(former: Path | None, home: Path, shared: str) -> DirectoryNotClaimed:
    return DirectoryNotClaimed(
        f"{home} is a copy of the archive in {former}, or was moved from there to another disk, and both would"
        f" share {shared or 'the database'}. Work with {former}. If nobody does so any more, let this be the"
        f" archive: armillary root claim store --data {home}. For a second archive, restore a backup."
    )
