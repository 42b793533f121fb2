"""The record of grants: who gave and took which, and what was read by them before its release."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access import audit_store
from armillary.access.models import Holder, Level
from armillary.base.clock import Instant
from armillary.base.database import AnyRow

MOST_SHOWN = 10_000
Action = Literal["given", "taken"]


@dataclass(frozen=True, slots=True)
class GrantChange:
    """A grant that was given or taken."""

    at: Instant
    actor: str
    action: Action
    holder: Holder
    principal: str
    kind: str
    subject: str
    level: Level
    origin: str


@dataclass(frozen=True, slots=True)
class EmbargoedRead:
    """A download of a file before its release by somebody whom a grant lets read it.

    ``bytes`` is how many were asked for from ``first_byte`` on, None if that is not known in advance.
    """

    at: Instant
    viewer: str
    reason: str
    file_id: int
    version_id: int
    name: str
    first_byte: int
    bytes: int | None


@dataclass(frozen=True, slots=True)
class GrantAudit:
    """What was recorded, latest first."""

    changes: list[GrantChange]
    reads: list[EmbargoedRead]


async def note_changes(
    connection: AsyncConnection,
    action: Action,
    grants: Sequence[AnyRow],
    *,
    actor: str,
    origin: str,
    now: datetime,
) -> None:
    """Record grants that were given or taken, in the transaction that does so."""
    if not grants:
        return
    said = {"at": now, "actor": actor, "action": action, "origin": origin}
    await audit_store.insert_changes(connection, [{**row._mapping, **said} for row in grants])


async def note_read(
    connection: AsyncConnection,
    viewer: str,
    *,
    reason: str,
    file_id: int,
    version_id: int,
    name: str,
    first_byte: int,
    count: int | None,
    now: datetime,
) -> None:
    """Record that a file goes to somebody before its release.

    It is for the transaction that ends before the first byte is sent. Whoever cannot record that must not send the
    file: the record is what the owners of the data were promised, and the database that cannot take a row now
    could not have told a moment ago that the file may be read, so little fails that did not fail before.
    """
    row = {
        "at": now,
        "viewer": viewer,
        "reason": reason,
        "file_id": file_id,
        "version_id": version_id,
        "name": name,
        "first_byte": first_byte,
        "bytes": count,
    }
    await audit_store.insert_read(connection, row)


async def grant_audit(
    connection: AsyncConnection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    who: str | None = None,
    kind: str | None = None,
    subjects: Iterable[str] | None = None,
    file_ids: Iterable[int] | None = None,
    limit: int = 100,
) -> GrantAudit:
    """Return what was recorded, so many of each sort at most.

    Parameters
    ----------
    since, until
        The instants from which and up to which.
    who
        Who did it, or to whom it was granted.
    kind
        The kind of what was granted; reads are then left out unless it is a file.
    subjects, file_ids
        What was granted, as grants say it, and which files were read.
    """
    changes = await audit_store.list_changes(
        connection, since=since, until=until, who=who, kind=kind, subjects=subjects, limit=limit
    )
    reads = (
        await audit_store.list_reads(
            connection, since=since, until=until, who=who, file_ids=file_ids, limit=limit
        )
        if kind in (None, "file") and not (subjects is not None and file_ids is None)
        else []
    )
    return GrantAudit([_change(row) for row in changes], [EmbargoedRead(**row._mapping) for row in reads])


def _change(row: AnyRow) -> GrantChange:
    said = {**row._mapping, "holder": Holder(row.holder), "level": Level(row.level or Level.OPEN)}
    return GrantChange(**said)


async def forget_audit(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Forget what was recorded before an instant, so many of each sort; the last thirty days stay in any case."""
    return await audit_store.forget(connection, before=before, limit=limit)
