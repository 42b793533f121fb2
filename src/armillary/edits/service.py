"""Accept header updates: look up the targets, judge every item, queue what is right, answer at once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive import service as archive
from armillary.archive.names import storable
from armillary.archive.versions import Version
from armillary.base.database import is_undone
from armillary.base.store.errors import RootNotClaimed
from armillary.base.work import NewOrder, Order, submit, unfinished
from armillary.context import Context
from armillary.edits import store
from armillary.edits.apply import find_extension, refuse_new_keywords
from armillary.edits.errors import ExtensionNotFound, ItemRefused, KeyReused, OutcomeUnknown
from armillary.edits.models import Item, Origin, Target, Wish
from armillary.edits.requests import parse_request, read_items
from armillary.edits.validation import Rules, read_wish
from armillary.fits.errors import KeywordsMissing
from armillary.fits.models import Layout
from armillary.settings import EditSettings

_Found = Mapping[str, Sequence[Version | None]]
UPDATE_HEADERS = "update_headers"
NO_FILE = "No present file found for filename or datalabel"
SEVERAL_FILES = "Multiple files found for filename or datalabel - request is ambiguous"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a request: its id unless it was empty, and one element per item."""

    request_id: UUID | None
    reply: list[dict[str, Any]]
    order_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an item: an order about a version, or a refusal."""

    item: Item
    version: Version | None = None
    refusal: str | None = None


def rules_of(settings: EditSettings) -> Rules:
    """Return the limits that validation needs."""
    return Rules(frozenset(settings.protected), settings.max_cards, settings.max_string)


async def accept(
    context: Context, body: bytes, origin: Origin, *, idempotency_key: str | None = None
) -> Accepted:
    """Judge a request and queue its good items in one transaction; what is accepted survives a crash.

    Raises
    ------
    MalformedRequest, RequestTooLarge
        If the request as a whole is refused; then nothing of it is queued.
    KeyReused
        If the key came with another body before.
    OutcomeUnknown
        If the connection was lost while the work was committed.
    """
    settings = context.settings.edits
    # A large body takes long to read: other requests go on meanwhile.
    items = await asyncio.to_thread(_items_of, body, settings)
    return await _accept(context, items, origin, hashlib.sha256(body).digest(), idempotency_key)


def _items_of(body: bytes, settings: EditSettings) -> list[Item]:
    raw = parse_request(body, max_items=settings.max_items, max_cards=settings.max_cards)
    return read_items(raw, rules_of(settings))


async def _accept(
    context: Context, items: Sequence[Item], origin: Origin, digest: bytes, key: str | None
) -> Accepted:
    committing = False
    try:
        async with context.database.begin() as connection:
            if key and (known := await _replied(connection, context, origin.actor, key)):
                if known.body_sha256 != digest:
                    raise KeyReused
                return Accepted(known.id, json.loads(known.reply))
            accepted = await _queue(connection, context, items, origin, digest, key)
            committing = bool(accepted.order_ids)
    except Exception as error:
        # A commit whose answer got lost may have been carried out, unless the database says that it was not.
        if committing and not is_undone(error):
            raise OutcomeUnknown from error
        raise
    return accepted


async def _replied(connection: AsyncConnection, context: Context, actor: str, key: str) -> Any:
    """Return the request that came with a key, while the key lives; the status of a request lives longer.

    Of requests that come with one key at once, all but one wait here for that one.
    """
    lifetime = timedelta(hours=context.settings.edits.idempotency_h)
    await store.lock_key(connection, actor, key)
    return await store.find_by_key(connection, actor, key, since=context.clock.now() - lifetime)


async def _queue(
    connection: AsyncConnection,
    context: Context,
    items: Sequence[Item],
    origin: Origin,
    digest: bytes,
    key: str | None,
) -> Accepted:
    request_id = uuid4() if items else None
    decisions = await decide(connection, items, context.settings.edits)
    orders = [order_of(decision, origin, request_id) for decision in decisions if decision.refusal is None]
    order_ids = await submit(connection, orders, keyed_fifo=True) if orders else []
    reply = [_element(decision) for decision in decisions]
    if request_id is not None:
        now, settings = context.clock.now(), context.settings
        lifetime = timedelta(hours=settings.edits.idempotency_h)
        values = {
            "id": request_id,
            "actor": origin.actor,
            "address": origin.address,
            "idempotency_key": key,
            "body_sha256": digest,
            "reply": json.dumps(reply),
            "items": json.dumps(_index_of_orders(decisions, order_ids)),
            "accepted": now,
            "expires": now + max(lifetime, timedelta(days=settings.work.keep_days)),
        }
        await store.insert_request(connection, values)
    return Accepted(request_id, reply, tuple(order_ids))


async def decide(
    connection: AsyncConnection, items: Sequence[Item], settings: EditSettings
) -> list[Decision]:
    """Look the targets of items up and judge what can be judged without their files."""
    by_name, by_label = await _find_targets(connection, items, prefer_raw=settings.prefer_raw)
    unclaimed = await archive.unclaimed_roots(connection)
    decisions: list[Decision] = []
    for item in items:
        if item.target is None:
            decisions.append(Decision(item, None, item.refusal))
            continue
        table, key = _lookup(item.target, by_name, by_label)
        found = table.get(key, [])
        if len(found) != 1 or found[0] is None:
            decisions.append(Decision(item, None, SEVERAL_FILES if len(found) > 1 else NO_FILE))
        else:
            refusal = item.refusal or _unclaimed(found[0], unclaimed)
            decisions.append(Decision(item, found[0], refusal))
    return await _refuse_new(connection, decisions, rules_of(settings))


def _unclaimed(version: Version, unclaimed: Mapping[int, str]) -> str | None:
    name = unclaimed.get(version.location.root_id)
    return RootNotClaimed.of(name, version.name).message if name else None


def _lookup(target: Target, by_name: _Found, by_label: _Found) -> tuple[_Found, str]:
    if target.filename is not None:
        return by_name, archive.logical_name(target.filename)
    return by_label, target.data_label or ""


async def _find_targets(
    connection: AsyncConnection, items: Sequence[Item], *, prefer_raw: bool
) -> tuple[_Found, _Found]:
    targets = [item.target for item in items if item.target]
    names = {
        archive.logical_name(t.filename) for t in targets if t.filename is not None and storable(t.filename)
    }
    labels = {t.data_label for t in targets if t.data_label is not None and storable(t.data_label)}
    by_name: defaultdict[str, list[Version | None]] = defaultdict(list)
    for version in await archive.present_by_name(connection, names) if names else []:
        by_name[version.name].append(version)
    by_label: defaultdict[str, list[tuple[str | None, Version | None]]] = defaultdict(list)
    for label, reduction, bearer in await archive.present_by_label(connection, labels) if labels else []:
        by_label[label].append((reduction, bearer))
    return by_name, {label: _bearers(found, prefer_raw) for label, found in by_label.items()}


def _bearers(found: Sequence[tuple[str | None, Version | None]], prefer_raw: bool) -> list[Version | None]:
    raw = [version for reduction, version in found if reduction == "RAW"]
    return raw if prefer_raw and len(raw) == 1 else [version for _, version in found]


async def _refuse_new(connection: AsyncConnection, decisions: list[Decision], rules: Rules) -> list[Decision]:
    """Apply `reject_new` to the stored headers, counting keywords that earlier orders will create."""
    strict = {d.version.location.file_key: d.version for d in decisions if d.version and _is_strict(d)}
    if not strict:
        return decisions
    earlier = await unfinished(connection, UPDATE_HEADERS, sorted(strict))
    return await asyncio.to_thread(_refuse_creations, decisions, strict, earlier, rules)


def _is_strict(decision: Decision) -> bool:
    wish = decision.item.wish
    return decision.refusal is None and wish is not None and wish.reject_new


def _refuse_creations(
    decisions: Sequence[Decision], strict: Mapping[str, Version], earlier: Sequence[Order], rules: Rules
) -> list[Decision]:
    files = {key: _Expected(version.layout()) for key, version in strict.items()}
    for order in earlier:
        files[order.key or ""].expect_order(order.args, rules)
    judged: list[Decision] = []
    for decision in decisions:
        wish, version, refusal = decision.item.wish, decision.version, decision.refusal
        if wish and version and not refusal and version.location.file_key in files:
            expected = files[version.location.file_key]
            refusal = expected.objection(wish) if wish.reject_new else None
            if refusal is None:
                expected.expect(wish)
        judged.append(replace(decision, refusal=refusal))
    return judged


@dataclass(slots=True)
class _Expected:
    """The headers of a file, and the keywords that accepted edits will have brought into them."""

    layout: Layout
    created: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def expect(self, wish: Wish) -> None:
        with suppress(ExtensionNotFound):
            pairs = [(find_extension(self.layout, one), changes) for one, changes in wish.by_extension()]
            for index, changes in pairs:
                self.created[index].update(change.keyword for change in changes)

    def expect_order(self, args: Mapping[str, Any], rules: Rules) -> None:
        # One that was accepted under other rules will be refused by the worker.
        with suppress(ItemRefused):
            self.expect(wish_of_order(args, rules))

    def objection(self, wish: Wish) -> str | None:
        # Whether an extension is there is for the worker to say, who reads the file.
        with suppress(ExtensionNotFound):
            try:
                refuse_new_keywords(self.layout, wish, self.created)
            except KeywordsMissing as refused:
                return refused.message
        return None


def order_of(decision: Decision, origin: Origin, request_id: UUID | None) -> NewOrder:
    """Return the order of an item that was not refused."""
    version, item = decision.version, decision.item
    if version is None:
        raise AssertionError("an accepted item has a target")
    values = item.args["values"]
    args = {
        "file_key": version.location.file_key,
        "file_id": version.file_id,
        "name": version.name,
        **{key: value for key, value in item.args.items() if key != "values"},
        **values,
        # As text: jsonb would turn the float 1e5 into an integer.
        "generic": json.dumps(values["generic"]) if "generic" in values else None,
        "address": origin.address,
        "why": origin.why,
        "batch": origin.batch,
    }
    return NewOrder(
        kind=UPDATE_HEADERS,
        args=args,
        key=version.location.file_key,
        request_id=request_id,
        item_index=item.index,
        actor=origin.actor,
        batch=origin.batch,
        response_required=True,
    )


def wish_of_order(args: Mapping[str, Any], rules: Rules) -> Wish:
    """Return what an order asks for, judged anew: the worker does not trust the web side.

    Raises
    ------
    ItemRefused
        With the reason.
    """
    values = {key: args[key] for key in ("qa_state", "raw_site", "release") if key in args}
    if args.get("generic") is not None:
        try:
            values["generic"] = json.loads(args["generic"])
        except (TypeError, ValueError) as error:
            raise ItemRefused(f"The order cannot be read: {error}") from None
    item = {key: args.get(key) for key in ("reject_new", "extension", "if_data_md5", "expect_data_md5")}
    return read_wish({**item, "values": values}, rules)


def _element(decision: Decision) -> dict[str, Any]:
    element: dict[str, Any] = {"result": decision.refusal is None}
    if decision.refusal is not None:
        element["error"] = decision.refusal
    if decision.item.target is not None:
        element["id"] = decision.item.target.id
    return element


def _index_of_orders(decisions: Sequence[Decision], order_ids: Sequence[int]) -> list[dict[str, Any]]:
    good = [at for at, decision in enumerate(decisions) if decision.refusal is None]
    ids = dict(zip(good, order_ids, strict=True))
    return [
        {
            "index": d.item.index,
            "id": d.item.target.id if d.item.target else None,
            "file": d.version.name if d.version else None,
            "path": d.version.location.path if d.version else None,
            "error": d.refusal,
            "order": ids.get(at),
        }
        for at, d in enumerate(decisions)
    ]


async def accept_one(
    context: Context, values: Mapping[str, Any], filename: str, origin: Origin, **options: Any
) -> Accepted:
    """Accept a single item for a file, or raise why not."""
    body = json.dumps([{"filename": filename, "values": values, **options}]).encode()
    accepted = await accept(context, body, origin)
    element = accepted.reply[0]
    if not element["result"]:
        raise ItemRefused(element["error"])
    return accepted
