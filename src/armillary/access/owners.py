"""Grants of single files to their owners, as whoever takes the files in says them: addresses and groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access import store
from armillary.access.audit import note_changes
from armillary.access.grantees import emails_of, group_of, groups_of
from armillary.access.models import Grantee, Holder
from armillary.access.recent import forget_everywhere
from armillary.base.database import AnyRow, afterwards

FILE = "file"


async def set_file_grants(
    connection: AsyncConnection,
    subjects: Sequence[str],
    *,
    emails: Iterable[str] | None,
    groups: Iterable[str] | None,
    actor: str,
    now: datetime,
    origin: str = "",
) -> None:
    """Replace the grants of a file to addresses, to groups, or both; None leaves them, nothing removes all.

    Parameters
    ----------
    subjects
        What grants of the file say, as `file_subjects` of the catalog tells: grants of all of them are replaced,
        and new ones say the first.
    actor, origin
        Who wants it, and what led to it: the record keeps both.

    Raises
    ------
    InvalidGrantee
        If one is no address, or no name of a group; nothing is changed then.
    """
    # Both are read before the first statement: a refused list of groups must not leave new addresses behind.
    wanted = {
        Holder.EMAIL: None if emails is None else emails_of(emails),
        Holder.GROUP: None if groups is None else groups_of(groups),
    }
    taken, given = list[AnyRow](), list[AnyRow]()
    for holder, names in wanted.items():
        if names is None:
            continue
        taken += await store.delete_grants(connection, kind=FILE, subjects=subjects, holder=holder, but=names)
        given += await store.insert_grants(
            connection, _grantees(holder, names), kind=FILE, subject=subjects[0], granted=now, level=None
        )
    await _note(connection, taken, given, actor=actor, origin=origin, now=now)


async def add_group(
    connection: AsyncConnection,
    subjects: Sequence[str],
    group: str,
    *,
    actor: str,
    now: datetime,
    origin: str = "",
) -> None:
    """Let a group read a file; whoever else may read it still may."""
    given = await store.insert_grants(
        connection,
        _grantees(Holder.GROUP, [group_of(group)]),
        kind=FILE,
        subject=subjects[0],
        granted=now,
        level=None,
    )
    await _note(connection, [], given, actor=actor, origin=origin, now=now)


async def remove_group(
    connection: AsyncConnection,
    subjects: Sequence[str],
    group: str,
    *,
    actor: str,
    now: datetime,
    origin: str = "",
) -> None:
    """Take the grant of a file from a group."""
    grantee = Grantee(Holder.GROUP, group_of(group))
    taken = await store.delete_grants(connection, grantee, kind=FILE, subjects=subjects)
    await _note(connection, taken, [], actor=actor, origin=origin, now=now)


async def move_file_grants(
    connection: AsyncConnection,
    old: Sequence[str],
    new: Sequence[str],
    *,
    actor: str,
    now: datetime,
    origin: str = "",
) -> None:
    """Give all grants of one file to another, beside those that it has; the first one has none afterwards.

    Parameters
    ----------
    old, new
        What grants of the two files say, as for `set_file_grants`.
    """
    if set(old) & set(new):
        return
    taken = await store.delete_grants(connection, kind=FILE, subjects=old)
    given = await store.copy_grants(connection, _greatest(taken), subject=new[0], granted=now)
    await _note(connection, taken, given, actor=actor, origin=origin, now=now)


async def remove_file_grants(
    connection: AsyncConnection, subjects: Sequence[str], *, actor: str, now: datetime, origin: str = ""
) -> None:
    """Take all grants of a file back, whoever holds them: the file is gone for good."""
    taken = await store.delete_grants(connection, kind=FILE, subjects=subjects)
    await _note(connection, taken, [], actor=actor, origin=origin, now=now)


def _grantees(holder: Holder, names: Iterable[str]) -> list[Grantee]:
    return [Grantee(holder, name) for name in names]


def _greatest(rows: Iterable[AnyRow]) -> list[AnyRow]:
    """Return one row for each grantee: a statement cannot insert the same one twice."""
    found: dict[tuple[str, str], AnyRow] = {}
    for row in rows:
        key = (row.holder, row.principal)
        if key not in found or row.level is None:
            found[key] = row
    return list(found.values())


async def _note(
    connection: AsyncConnection,
    taken: Sequence[AnyRow],
    given: Sequence[AnyRow],
    *,
    actor: str,
    origin: str,
    now: datetime,
) -> None:
    if not taken and not given:
        return
    afterwards(connection, forget_everywhere)
    await note_changes(connection, "taken", taken, actor=actor, origin=origin, now=now)
    await note_changes(connection, "given", given, actor=actor, origin=origin, now=now)
