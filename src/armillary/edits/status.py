"""The status resource of an update request: how every item stands."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import OPERATOR, Principal
from armillary.archive import service as archive
from armillary.archive.versions import Version
from armillary.base.work import admin, wait_for
from armillary.context import Context
from armillary.edits import store
from armillary.edits.disclosure import Discretion, sent_by
from armillary.edits.errors import ItemRefused, UnknownRequest
from armillary.edits.orders import request_of
from armillary.edits.service import rules_of

DIGESTS = ("data_md5", "file_md5")
SHOWN = ("extension", "keyword", "old", "new", "created")


async def document(
    context: Context, request_id: UUID, *, wait_s: float = 0, viewer: Principal = OPERATOR
) -> dict[str, Any]:
    """Return the status document, after waiting up to ``wait_s`` seconds for the end of all items.

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
            found, awaited = await _document(connection, context, request_id, viewer)
        left = deadline - time.monotonic()
        if found["done"] or left <= 0:
            return found
        await wait_for(context.database, context.bus, awaited, left)


async def _document(
    connection: AsyncConnection, context: Context, request_id: UUID, viewer: Principal
) -> tuple[dict[str, Any], list[int]]:
    """Return the document and the orders whose end changes it: of the edits, then of their digests."""
    request = await store.find_request(connection, request_id)
    if request is None:
        raise UnknownRequest(f"There is no update request {request_id}, or it has expired.")
    items = json.loads(request.items)
    order_ids = [item["order"] for item in items if item["order"]]
    states = await admin.progress(connection, order_ids)
    edits = await store.edits_of_orders(connection, order_ids)
    ids = {one for row in edits.values() for one in (row.version_before, row.version_after) if one}
    versions = await archive.versions_by_id(connection, ids)
    pending = await archive.digests_pending(connection, ids)
    known = Discretion(viewer, context.clock.now().date())
    # The orders of a request, and what they ask for, are kept as long as the request.
    asked = {} if known.needless else await admin.arguments(connection, order_ids)
    files = {number: args["file_id"] for number, args in asked.items()}
    files |= {number: row.file_id for number, row in edits.items()}
    await known.look_at(connection, files.values())
    shown = [
        _item(item, request.accepted, states.get(item["order"]), edits.get(item["order"]), versions, pending)
        for item in items
    ]
    for one, item in zip(shown, items, strict=True):
        file_id = files.get(item["order"])
        if known.hides(file_id):
            one["error"] = known.error(one["error"], file_id)
            mine = request.actor == viewer.name and one["changed"] is not None
            one["changes"] = _sent(context, asked.get(item["order"])) if mine else []
    unfinished = [number for number, row in states.items() if row.state in ("Queued", "Started")]
    found = {
        "request_id": str(request.id),
        "accepted_at": _time(request.accepted),
        "done": all(one["state"] in ("completed", "failed") for one in shown),
        "items": shown,
    }
    return found, unfinished or sorted(pending.values())


def _sent(context: Context, args: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the cards that an order asks for; none if it is forgotten, or was accepted under other rules."""
    with suppress(ItemRefused):
        return sent_by(request_of(args, rules_of(context.settings.edits))) if args else []
    return []


def _item(
    item: dict[str, Any],
    accepted: datetime,
    order: Any,
    edit: Any,
    versions: dict[int, Version],
    pending: Mapping[str, int],
) -> dict[str, Any]:
    state = "failed" if item["order"] is None else _state(order, edit, pending)
    changed = edit.outcome == "changed" if edit is not None and edit.outcome != "failed" else None
    before = versions.get(edit.version_before) if edit is not None else None
    after = versions.get(edit.version_after) if edit is not None else None
    error = item["error"] or (edit.error if edit is not None else None) or (order.error if order else None)
    return {
        "index": item["index"],
        "id": item["id"],
        "file": item["file"],
        "path": item["path"],
        "state": state,
        "accepted": item["order"] is not None,
        "changed": changed,
        "attempts": order.attempts if order else 0,
        "error": error,
        "queued_at": _time(accepted) if item["order"] is not None else None,
        "started_at": _time(order.started) if order else None,
        "finished_at": _time(order.finished) if order and state in ("completed", "failed") else None,
        "changes": [{key: card[key] for key in SHOWN} for card in edit.cards] if edit is not None else [],
        **{
            f"{name}_{when}": getattr(version, name, None)
            for name in DIGESTS
            for when, version in (("before", before), ("after", after))
        },
    }


def _state(order: Any, edit: Any, pending: Mapping[str, int]) -> str:
    """Return the state as clients see it: completed means that the digests are known too."""
    if order is None:
        return "completed" if edit is not None and edit.outcome != "failed" else "failed"
    state = str(order.state).lower()
    if state == "completed" and edit is not None:
        versions = (edit.version_before, edit.version_after)
        return "started" if any(f"digest:{one}" in pending for one in versions) else state
    return state


def _time(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else None
