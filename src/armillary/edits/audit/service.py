"""The record of edits, as somebody may see it: who changed what, when, why, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NotRequired, TypedDict
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog import service as catalog
from armillary.archive.query import service as in_archive
from armillary.base.clock import Instant
from armillary.base.database import AnyRow
from armillary.edits.audit import store
from armillary.edits.disclosure import Discretion
from armillary.edits.errors import EditNotFound
from armillary.edits.models import AuditQuery, Outcome

MAX_PAGE = 1000


class EditedCard(TypedDict):
    """What an edit did to one card, as it is recorded; ``old_raw`` and ``new_raw`` are the cards themselves.

    ``comment_cut`` is what no longer fits of the comment.
    """

    extension: int | str | list[int | str]
    keyword: str
    old: Any
    new: Any
    created: bool | None
    old_raw: NotRequired[str]
    new_raw: NotRequired[str]
    comment_cut: NotRequired[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEdit:
    """One edit as somebody may see it; ``cards`` is None where the viewer may not read them."""

    id: int
    name: str
    order: int
    request: UUID | None
    item: int | None
    actor: str
    address: str
    why: str
    outcome: Outcome
    error: str | None
    error_code: str | None
    cards: list[EditedCard] | None
    reverts: int | None
    reverted_by: int | None
    night: date | None
    version_before: int | None
    version_after: int | None
    data_md5_before: str | None
    data_md5_after: str | None
    file_md5_before: str | None
    file_md5_after: str | None
    accepted: Instant
    finished: Instant


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some edits, newest first, and the id below which the next ones are, if there are any."""

    edits: list[RecordedEdit]
    before: int | None


async def audit(
    connection: AsyncConnection, query: AuditQuery, viewer: Principal, *, today: date
) -> AuditPage:
    """Return the record of edits that fit, failed and unchanged ones included.

    The cards of files whose positions the viewer may not know are left out, and reasons that may quote one; edits
    of files that the viewer may not know of are none.
    """
    limit = max(1, min(query.limit, MAX_PAGE))
    among = _known_files(viewer, today)
    rows: Sequence[AnyRow] = await store.find(connection, replace(query, limit=limit + 1), among)
    known = Discretion(viewer, today)
    await known.look_at(connection, {row.file_id for row in rows})
    shown = [_edit_of(row, known) for row in rows[:limit]]
    return AuditPage(shown, shown[-1].id if len(rows) > limit else None)


async def file_of_edit(
    connection: AsyncConnection, edit_id: int, viewer: Principal, today: date
) -> tuple[int, str]:
    """Return id and name of the file that an edit is about, if the viewer may know of it.

    Raises
    ------
    EditNotFound
        If there is no such edit.
    """
    rows = await store.find(connection, AuditQuery(edit_id=edit_id, limit=1), _known_files(viewer, today))
    if not rows:
        raise EditNotFound(f"There is no edit {edit_id}; the list of edits tells their ids.")
    return rows[0].file_id, str(rows[0].name)


async def id_of_file(connection: AsyncConnection, name: str, viewer: Principal, today: date) -> int:
    """Return the id of a logical file that the viewer may know of, also of one that is present no more.

    Raises
    ------
    FileNotFound, FileAmbiguous
        If there was never one of that name, or there are several.
    """
    return (await catalog.find_version(connection, name, in_archive.unknown_to(viewer, today))).file_id


def _known_files(viewer: Principal, today: date) -> sa.Select[tuple[int]] | None:
    return None if in_archive.sees_everything(viewer) else in_archive.known_files(viewer, today)


def _edit_of(row: AnyRow, known: Discretion) -> RecordedEdit:
    return RecordedEdit(
        id=row.id,
        name=row.name,
        order=row.order_id,
        request=row.request_id,
        item=row.item_index,
        actor=row.actor,
        address=row.address,
        why=row.why,
        outcome=Outcome(row.outcome),
        error=known.error(row.error, row.file_id),
        error_code=known.code(row.error_code, row.file_id),
        cards=None if known.hides(row.file_id) else row.cards,
        reverts=row.reverts,
        reverted_by=row.reverted_by,
        night=row.night,
        version_before=row.version_before,
        version_after=row.version_after,
        data_md5_before=row.data_md5_before,
        data_md5_after=row.data_md5_after,
        file_md5_before=row.file_md5_before,
        file_md5_after=row.file_md5_after,
        accepted=row.accepted,
        finished=row.finished,
    )
