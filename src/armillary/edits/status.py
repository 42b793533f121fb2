"""How requests for edits that came together stand, each of them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import OPERATOR, Principal
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.archive.products import service as products
from armillary.base.work import admin, wait_for
from armillary.context import Context
from armillary.edits import store
from armillary.edits.acceptance import rules_of
from armillary.edits.disclosure import Discretion, sent_by
from armillary.edits.errors import ItemRefused, UnknownRequest
from armillary.edits.orders import request_of


class EditState(StrEnum):
    """How an edit stands; it is completed once the digests of what it wrote are known, too."""

    QUEUED = "queued"
    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"


ENDED = (EditState.COMPLETED, EditState.FAILED)


@dataclass(frozen=True, slots=True)
class EditStatus:
    """How one request of those that came together stands.

    ``changed`` is None until that is known, and where the edit failed; ``error`` is the text to show and ``code``
    that of its class; ``changes`` are the cards of the record; ``queued`` is None where the request was refused.
    """

    id: str | None
    file: str | None
    path: str | None
    state: EditState
    changed: bool | None
    attempts: int
    error: str | None
    code: str | None
    queued: datetime | None
    started: datetime | None
    finished: datetime | None
    changes: Sequence[Mapping[str, Any]]
    before: Version | None
    after: Version | None


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """How requests that came together stand, each in its place."""

    id: UUID
    accepted: datetime
    edits: tuple[EditStatus, ...]

    @property
    def done(self) -> bool:
        """Whether all have ended."""
        return all(one.state in ENDED for one in self.edits)


async def status_of(
    context: Context, request_id: UUID, *, wait_s: float = 0, viewer: Principal = OPERATOR
) -> RequestStatus:
    """Return how requests stand, after waiting up to ``wait_s`` seconds for the end of all of them.

    Of files whose headers the viewer may not read it holds what the viewer sent, and whether that worked.

    Raises
    ------
    UnknownRequest
        If there is no such request, or no more.
    """
    deadline = time.monotonic() + min(wait_s, context.settings.edits.max_wait_s)
    while True:
        # In one snapshot: digests that are not awaited any more have to be among what is read.
        async with context.database.begin(snapshot=True) as connection:
            found, awaited = await _read(connection, context, request_id, viewer)
        left = deadline - time.monotonic()
        if found.done or left <= 0:
            return found
        await wait_for(context.database, context.signals, awaited, left)


async def _read(
    connection: AsyncConnection, context: Context, request_id: UUID, viewer: Principal
) -> tuple[RequestStatus, list[int]]:
    """Return the status and the orders whose end changes it: of the edits, then of their digests."""
    request = await store.find_request(connection, request_id)
    if request is None:
        raise UnknownRequest(f"There is no update request {request_id}, or it has expired.")
    items = json.loads(request.items)
    order_ids = [item["order"] for item in items if item["order"]]
    states = await admin.progress(connection, order_ids)
    edits = await store.edits_of_orders(connection, order_ids)
    ids = {one for row in edits.values() for one in (row.version_before, row.version_after) if one}
    versions = await catalog.versions_by_id(connection, ids)
    pending = await products.digests_pending(connection, ids)
    shown = [
        _edit_status(
            item, request.accepted, states.get(item["order"]), edits.get(item["order"]), versions, pending
        )
        for item in items
    ]
    known = Discretion(viewer, context.clock.now().date())
    if not known.needless:
        mine = request.actor == viewer.name
        # The orders of a request, and what they ask for, are kept as long as the request.
        asked = await admin.arguments(connection, order_ids)
        files = {number: args["file_id"] for number, args in asked.items()}
        files |= {number: row.file_id for number, row in edits.items()}
        await known.look_at(connection, files.values())
        for place, item in enumerate(items):
            if known.hides(file_id := files.get(item["order"])):
                sent = _sent(context, asked.get(item["order"])) if mine else []
                shown[place] = _withheld(shown[place], known, file_id, sent)
        if not mine:
            pairs = zip(items, shown, strict=True)
            shown = [one for item, one in pairs if known.knows(files.get(item["order"]))]
    unfinished = [number for number, row in states.items() if row.state in ("Queued", "Started")]
    return RequestStatus(request.id, request.accepted, tuple(shown)), unfinished or sorted(pending.values())


def _withheld(
    one: EditStatus, known: Discretion, file_id: int | None, sent: Sequence[Mapping[str, Any]]
) -> EditStatus:
    """Return what somebody may learn of an edit who may not read the headers of its file."""
    return replace(
        one,
        error=known.error(one.error, file_id),
        code=known.code(one.code, file_id),
        changes=sent if one.changed is not None else (),
    )


def _sent(context: Context, args: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the cards that an order asks for; none if it is forgotten, or was accepted under other rules."""
    with suppress(ItemRefused):
        return sent_by(request_of(args, rules_of(context.settings.edits))) if args else []
    return []


def _edit_status(
    item: Mapping[str, Any],
    accepted: datetime,
    order: Any,
    edit: Any,
    versions: Mapping[int, Version],
    pending: Mapping[str, int],
) -> EditStatus:
    state = EditState.FAILED if item["order"] is None else _state(order, edit, pending)
    error, code = _reason(item, order, edit)
    return EditStatus(
        id=item["id"],
        file=item["file"],
        path=item["path"],
        state=state,
        changed=edit.outcome == "changed" if edit is not None and edit.outcome != "failed" else None,
        attempts=order.attempts if order else 0,
        error=error,
        code=code,
        queued=accepted if item["order"] is not None else None,
        started=order.started if order else None,
        finished=order.finished if order and state in ENDED else None,
        changes=edit.cards if edit is not None else (),
        before=versions.get(edit.version_before) if edit is not None else None,
        after=versions.get(edit.version_after) if edit is not None else None,
    )


def _reason(item: Mapping[str, Any], order: Any, edit: Any) -> tuple[str | None, str | None]:
    """Return why a request was refused, or its edit failed: the text, and the code of the error."""
    if item["error"]:
        return item["error"], item.get("code")
    if edit is not None and edit.error:
        return edit.error, edit.error_code
    return (order.error, order.error_code) if order else (None, None)


def _state(order: Any, edit: Any, pending: Mapping[str, int]) -> EditState:
    if order is None:
        return EditState.COMPLETED if edit is not None and edit.outcome != "failed" else EditState.FAILED
    state = EditState(str(order.state).lower())
    if state == EditState.COMPLETED and edit is not None:
        versions = (edit.version_before, edit.version_after)
        return EditState.STARTED if any(f"digest:{one}" in pending for one in versions) else state
    return state
