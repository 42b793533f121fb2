"""Accept edits: look up their targets, judge every request, queue what is right, answer at once."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import OPERATOR, Principal
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.archive.errors import FileNotFound
from armillary.archive.query import service as query
from armillary.base.database_errors import is_undone
from armillary.base.store.errors import RootNotClaimed
from armillary.base.text import storable
from armillary.base.work import Order, submit, unfinished
from armillary.context import Context
from armillary.edits import store
from armillary.edits.apply import find_extension, refuse_new_keywords
from armillary.edits.errors import ExtensionNotFound, ItemRefused, KeyReused, NoHeaders, OutcomeUnknown
from armillary.edits.kinds import UPDATE_HEADERS
from armillary.edits.models import Accepted, EditRequest, Origin, Refused, Target
from armillary.edits.orders import order_of, request_of
from armillary.edits.validation import Rules
from armillary.errors import ArmillaryError, error_of
from armillary.fits.models import Layout
from armillary.settings import EditSettings

_Found = Mapping[Target, Sequence[Version | None]]


@dataclass(frozen=True, slots=True)
class Key:
    """What a client repeats a request under, and a digest of the request: another one needs another key."""

    text: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Submission:
    """The answers to requests that came together, each in its place; ``id`` is None if there were none."""

    id: UUID | None
    answers: tuple[Accepted | Refused, ...]

    @property
    def order_ids(self) -> tuple[int, ...]:
        """The orders of the accepted requests."""
        return tuple(answer.order_id for answer in self.answers if isinstance(answer, Accepted))


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a request: an order about a version, or a refusal."""

    target: Target | None
    request: EditRequest | None = None
    version: Version | None = None
    error: ArmillaryError | None = None


def rules_of(settings: EditSettings) -> Rules:
    """Return the limits that validation needs."""
    return Rules(frozenset(settings.protected), settings.max_cards, settings.max_string)


async def submit_edits(
    context: Context,
    requests: Sequence[EditRequest | Refused],
    origin: Origin,
    *,
    key: Key | None = None,
    viewer: Principal = OPERATOR,
) -> Submission:
    """Judge requests and queue the good ones in one transaction; what is accepted survives a crash.

    A dialect hands on what it had to refuse itself, so that every request is answered in its place. Files that
    the viewer may not know of are not there.

    Raises
    ------
    KeyReused
        If the key came with other requests before.
    OutcomeUnknown
        If the connection was lost while the work was committed.
    """
    committing = False
    try:
        async with context.database.begin() as connection:
            if key and (known := await _answered(connection, context, origin.actor, key)):
                return known
            submission = await _queue(connection, context, requests, origin, key, viewer)
            committing = bool(submission.order_ids)
    except Exception as error:
        # A commit whose answer got lost may have been carried out, unless the database says that it was not.
        if committing and not is_undone(error):
            raise OutcomeUnknown from error
        raise
    return submission


async def submit_edit(
    context: Context,
    request: EditRequest,
    origin: Origin,
    *,
    key: Key | None = None,
    viewer: Principal = OPERATOR,
) -> tuple[Accepted, UUID]:
    """Accept a single request and return the id under which its status is kept, or raise why not.

    Raises
    ------
    ArmillaryError
        Why it is refused, beside what `submit_edits` raises.
    """
    submission = await submit_edits(context, [request], origin, key=key, viewer=viewer)
    (answer,) = submission.answers
    if isinstance(answer, Refused):
        raise answer.error
    if submission.id is None:
        raise AssertionError("what was submitted has an id")
    return answer, submission.id


async def _answered(connection: AsyncConnection, context: Context, actor: str, key: Key) -> Submission | None:
    """Return the answers that a key got, while it lives; the status of a request lives longer.

    Of requests that come with one key at once, all but one wait here for that one.
    """
    lifetime = timedelta(hours=context.settings.edits.idempotency_h)
    await store.lock_key(connection, actor, key.text)
    known = await store.find_by_key(connection, actor, key.text, since=context.clock.now() - lifetime)
    if known is None:
        return None
    if known.body_sha256 != key.digest:
        raise KeyReused
    return Submission(known.id, tuple(map(_answer_of_row, json.loads(known.items))))


async def _queue(
    connection: AsyncConnection,
    context: Context,
    requests: Sequence[EditRequest | Refused],
    origin: Origin,
    key: Key | None,
    viewer: Principal,
) -> Submission:
    request_id = uuid4() if requests else None
    unknown = query.unknown_to(viewer, context.clock.now().date())
    decisions = await decide(connection, requests, context.settings.edits, unknown)
    orders = [
        order_of(one.request, one.version, origin, request_id, index)
        for index, one in enumerate(decisions)
        if one.request and one.version and one.error is None
    ]
    order_ids = iter(await submit(connection, orders, keyed_fifo=True) if orders else ())
    answers = [_answer(decision, order_ids) for decision in decisions]
    if request_id is not None:
        now, settings = context.clock.now(), context.settings
        lifetime = timedelta(hours=settings.edits.idempotency_h)
        rows = [_row(*each) for each in enumerate(zip(decisions, answers, strict=True))]
        values = {
            "id": request_id,
            "actor": origin.actor,
            "address": origin.address,
            "idempotency_key": key.text if key else None,
            "body_sha256": key.digest if key else b"",
            "items": json.dumps(rows),
            "accepted": now,
            "expires": now + max(lifetime, timedelta(days=settings.work.keep_days)),
        }
        await store.insert_request(connection, values)
    return Submission(request_id, tuple(answers))


def _answer(decision: Decision, order_ids: Iterator[int]) -> Accepted | Refused:
    file = decision.version.name if decision.version else None
    if decision.error is not None:
        return Refused(decision.target, decision.error, file)
    order_id = next(order_ids, None)
    if decision.target is None or file is None or order_id is None:
        raise AssertionError("an accepted request has a target and an order")
    return Accepted(decision.target, file, order_id)


def _row(index: int, decided: tuple[Decision, Accepted | Refused]) -> dict[str, Any]:
    """Return what is kept of a request and its answer."""
    decision, answer = decided
    refused = answer.error if isinstance(answer, Refused) else None
    return {
        "index": index,
        "id": answer.target.id if answer.target else None,
        "file": answer.file,
        "path": decision.version.location.path if decision.version else None,
        "error": refused.message if refused else None,
        "code": refused.code if refused else None,
        "order": answer.order_id if isinstance(answer, Accepted) else None,
    }


def _answer_of_row(row: Mapping[str, Any]) -> Accepted | Refused:
    target = None if row["id"] is None else Target(row["id"])
    if row["order"] is None or target is None:
        return Refused(target, error_of(row.get("code") or ItemRefused.code, row["error"]), row["file"])
    return Accepted(target, row["file"], row["order"])


async def decide(
    connection: AsyncConnection,
    requests: Sequence[EditRequest | Refused],
    settings: EditSettings,
    unknown: catalog.Unknown | None = None,
) -> list[Decision]:
    """Look the targets of requests up and judge what can be judged without their files; the unknown are none."""
    targets = [one.target for one in requests if one.target]
    table = await _find_targets(connection, targets, prefer_raw=settings.prefer_raw)
    table = await _known(connection, table, unknown) if unknown else table
    unclaimed = await catalog.unclaimed_roots(connection)
    decisions: list[Decision] = []
    for one in requests:
        request, error = (None, one.error) if isinstance(one, Refused) else (one, None)
        if one.target is None:
            decisions.append(Decision(None, error=error))
            continue
        found = table.get(one.target, [])
        # That there is no such file is said before what else is wrong.
        if len(found) != 1 or (version := found[0]) is None:
            decisions.append(Decision(one.target, error=await _no_target(connection, one.target, found)))
        else:
            error = error or _no_headers(version) or _unclaimed(version, unclaimed)
            decisions.append(Decision(one.target, request, version, error))
    return await _refuse_new(connection, decisions, rules_of(settings))


def _no_headers(version: Version) -> ArmillaryError | None:
    if version.is_fits:
        return None
    return NoHeaders(f"'{version.name}' has no headers; only FITS files can be edited.")


def _unclaimed(version: Version, unclaimed: Mapping[int, str]) -> ArmillaryError | None:
    name = unclaimed.get(version.location.root_id)
    return RootNotClaimed.of(name, version.name) if name else None


async def _no_target(
    connection: AsyncConnection, target: Target, found: Sequence[Version | None]
) -> ArmillaryError:
    """Return why a target is none: no file is present, or several are, of which an edit would change one."""
    there = [one for one in found if one]
    if not there:
        return FileNotFound(f"No present file named {target.id!r} is in the archive.")
    return await catalog.ambiguous_versions(connection, target.id, there)


async def _find_targets(
    connection: AsyncConnection, targets: Sequence[Target], *, prefer_raw: bool
) -> _Found:
    """Return the present versions that targets mean; None stands for a file that is not present."""
    ids = {one.file_id for one in targets if one.file_id is not None}
    named = [one for one in targets if one.filename is not None and one.file_id is None]
    labelled = [one for one in targets if one.filename is None and one.file_id is None]
    known: defaultdict[int | None, list[Version | None]] = defaultdict(list)
    for version in await catalog.present_of_files(connection, ids) if ids else ():
        known[version.file_id].append(version)
    names = {one.filename or "" for one in named}
    by_name = await catalog.present_meant(connection, names) if names else {}
    by_label = await _by_label(connection, {one.data_label or "" for one in labelled}, prefer_raw)
    return {
        **{one: known[one.file_id] for one in targets if one.file_id is not None},
        **{one: by_name.get(one.filename or "", []) for one in named},
        **{one: by_label.get(one.data_label or "", []) for one in labelled},
    }


async def _known(connection: AsyncConnection, table: _Found, unknown: catalog.Unknown) -> _Found:
    """Return the present versions that targets mean without those of which whoever asks may not know."""
    ids = {one.file_id for found in table.values() for one in found if one}
    hidden = await unknown(connection, ids)
    return {
        target: [one for one in found if one is None or one.file_id not in hidden]
        for target, found in table.items()
    }


async def _by_label(
    connection: AsyncConnection, labels: Iterable[str], prefer_raw: bool
) -> dict[str, list[Version | None]]:
    wanted = set(filter(storable, labels))
    bearers: defaultdict[str, list[tuple[str | None, Version | None]]] = defaultdict(list)
    for label, reduction, bearer in await catalog.present_by_label(connection, wanted) if wanted else []:
        bearers[label].append((reduction, bearer))
    return {label: _bearers(found, prefer_raw) for label, found in bearers.items()}


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
    return decision.error is None and decision.request is not None and decision.request.reject_new


def _refuse_creations(
    decisions: Sequence[Decision], strict: Mapping[str, Version], earlier: Sequence[Order], rules: Rules
) -> list[Decision]:
    files = {key: _Expected(version.layout()) for key, version in strict.items()}
    for order in earlier:
        files[order.key or ""].expect_order(order.args, rules)
    judged: list[Decision] = []
    for decision in decisions:
        request, version, error = decision.request, decision.version, decision.error
        if request and version and not error and version.location.file_key in files:
            expected = files[version.location.file_key]
            error = expected.objection(request) if request.reject_new else None
            if error is None:
                expected.expect(request)
        judged.append(replace(decision, error=error))
    return judged


@dataclass(slots=True)
class _Expected:
    """The headers of a file, and the keywords that accepted edits will have brought into them."""

    layout: Layout
    created: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def expect(self, request: EditRequest) -> None:
        with suppress(ExtensionNotFound):
            pairs = [(find_extension(self.layout, one), changes) for one, changes in request.by_extension()]
            for index, changes in pairs:
                self.created[index].update(change.keyword for change in changes)

    def expect_order(self, args: Mapping[str, Any], rules: Rules) -> None:
        # One that was accepted under other rules will be refused by the worker.
        with suppress(ItemRefused):
            self.expect(request_of(args, rules))

    def objection(self, request: EditRequest) -> ArmillaryError | None:
        # Whether an extension is there is for the worker to say, who reads the file.
        with suppress(ExtensionNotFound):
            try:
                refuse_new_keywords(self.layout, request, self.created)
            except ItemRefused as refused:
                return refused
        return None
