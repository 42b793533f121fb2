"""Carry the accepted edits of one stored file out: read, apply in turn, plan, and prepare the new bytes.

Everything here is plain code for a thread; the tasks drive it and own the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from armillary.archive.catalog.models import Version, crc_of
from armillary.archive.catalog.service import CHUNK
from armillary.archive.download.service import check_unpacked
from armillary.archive.intake.service import examine
from armillary.archive.models import SMALL
from armillary.base.store import ObjectStore, Snapshot, StoredObject
from armillary.base.store.errors import ChangedOutside
from armillary.base.work import JsonObject, Order
from armillary.base.work.models import JsonValue
from armillary.edits.apply import HduEffect, apply_request
from armillary.edits.digests import Digested, digested
from armillary.edits.errors import DigestMismatch
from armillary.edits.orders import request_of
from armillary.edits.validation import Rules
from armillary.errors import ArmillaryError
from armillary.fits.bzip2 import splice
from armillary.fits.cards import unreadable
from armillary.fits.checksum import ones_add, ones_sum
from armillary.fits.containers import Container, expand, open_logical
from armillary.fits.crc import crc64
from armillary.fits.gzip import recompress_gzip
from armillary.fits.models import EditPlan, Layout
from armillary.fits.plan import plan_headers
from armillary.fits.scan import scan

MAX_HEADER = 1 << 30
"""Headers that are in the catalog are not refused for their length."""


@dataclass(frozen=True, slots=True)
class Judged:
    """How one order of the file came out in memory: its effects, or its error."""

    order: Order
    effects: tuple[HduEffect, ...] = ()
    error: ArmillaryError | None = None


@dataclass(frozen=True, slots=True)
class Rewrite:
    """New stored bytes of a compressed file, and the recipe that gives the old ones back."""

    data: bytes | memoryview
    crc: int
    undo: bytes


@dataclass(slots=True)
class Execution:
    """The edits of one file on their way.

    ``resumed`` says that an interrupted run has changed the file already; ``undo`` names the recipes that
    lead from the compressed bytes on disk back to those on record, newest step first. ``sums`` are those of
    the data that had to be read; ``checked`` is an outcome whose digests an order had asked to compare.
    """

    version: Version
    stored: StoredObject
    disk: Layout
    target: Layout
    max_unpacked: int
    judged: list[Judged] = field(default_factory=list)
    rewrite: Rewrite | None = None
    resumed: bool = False
    undo: str | None = None
    digested: Digested | None = None
    checked: tuple[Layout, Digested] | None = None
    sums: dict[int, int] = field(default_factory=dict)

    @property
    def container(self) -> Container:
        """How the file is stored."""
        return Container(self.version.container)

    @property
    def changed(self) -> bool:
        """Whether the outcome differs from the version on record, if only in its compressed bytes."""
        recompressed = self.rewrite is not None and self.rewrite.crc != self.version.file_crc
        return recompressed or self.target.headers != self.version.headers()

    @property
    def must_write(self) -> bool:
        """Whether the store has something to do.

        What an interrupted run wrote is at least to be made durable: it may have died before its syncs.
        """
        return self.resumed or self.target.headers != self.disk.headers

    def plan(self) -> EditPlan:
        """Return the plan from the bytes on disk to the outcome, or the one that led to them."""
        # Nothing is left to change then, but the store has to make durable what the interrupted run wrote.
        landed = self.resumed and self.target.headers == self.disk.headers
        start = self.version.layout() if landed else self.disk
        return plan_headers(start, dict(enumerate(self.target.headers)))

    def checked_digests(self) -> Digested | None:
        """Return the digests of the outcome if an order had them compared, and no later one changed it."""
        return self.checked[1] if self.checked and self.checked[0] is self.target else None

    def target_crc(self) -> int:
        """Return the checksum of the uncompressed outcome, without reading data."""
        version = self.version
        return crc_of(self.target.headers, version.hdus, version.trailing, version.trailing_crc)


def headers_digest(headers: Sequence[bytes]) -> str:
    """Return the word by which an interrupted edit recognises its own headers."""
    return hashlib.sha256(b"".join(headers)).hexdigest()


def execute(
    store: ObjectStore, version: Version, orders: Sequence[Order], rules: Rules, *, max_unpacked: int
) -> Execution:
    """Read the headers from storage and apply the orders in turn, each on the outcome of those before it.

    A compressed file may have ``max_unpacked`` bytes when it is unpacked.

    Raises
    ------
    ChangedOutside
        If the file is neither as recorded nor as an interrupted run of these orders left it.
    """
    with store.open(version.location.key) as snapshot:
        execution = begin(version, snapshot, orders, max_unpacked=max_unpacked)
        for order in orders:
            execution.judged.append(_judge(execution, order, rules, snapshot))
        complete(execution, snapshot)
    return execution


def complete(execution: Execution, snapshot: Snapshot) -> None:
    """Prepare what the outcome needs besides its headers: stored bytes, and digests where they cost little."""
    plain = execution.container is Container.PLAIN
    if not plain and execution.must_write and execution.rewrite is None:
        execution.rewrite = rewrite_of(snapshot, execution)
    if not execution.changed:
        return
    # To read a small file here costs less than the work order that would read it later.
    found = execution.checked_digests()
    if found is None and plain and execution.target.size <= SMALL:
        found = digested(execution.disk, execution.target, snapshot.read_at)
    # Digests of other bytes than those on record would bless them.
    if found is not None and found.crc == execution.target_crc():
        execution.digested = found.stored_as(execution.rewrite.data if execution.rewrite else None)


def begin(version: Version, snapshot: Snapshot, orders: Sequence[Order], *, max_unpacked: int) -> Execution:
    """Return the starting point: the file as recorded, or as an interrupted run of these orders left it.

    Raises
    ------
    ChangedOutside
        If it is neither.
    UnpackedTooLarge
        If it is compressed and has more than ``max_unpacked`` bytes when it is unpacked.
    """
    check_unpacked(version, max_unpacked)
    recorded = version.layout()
    found = partial(Execution, version, snapshot.stored, max_unpacked=max_unpacked)
    if _as_recorded(version, recorded, snapshot):
        return found(recorded, recorded)
    # Size or time differ. Only two ways to there are ours: an interrupted run of these very orders, and a `touch`.
    disk = _scan(version, snapshot, max_unpacked)
    known = _states_intended(orders)
    digest = headers_digest(disk.headers)
    if digest in known and _same_data(version, snapshot, max_unpacked):
        return found(disk, recorded, resumed=True, undo=known[digest])
    if disk.headers == recorded.headers and _same_data(version, snapshot, max_unpacked):
        return found(disk, recorded)
    raise ChangedOutside(
        f"{version.location.key} was changed outside Armillary; ingest it again, then repeat the edit."
    )


def intent_of(execution: Execution, undo: str | None) -> JsonObject:
    """Return what an order has to say before its bytes go live; ``undo`` leads from these to the record."""
    return {
        "before": headers_digest(execution.disk.headers),
        "after": headers_digest(execution.target.headers),
        "size_before": execution.disk.size,
        "size_after": execution.target.size,
        "undo_before": execution.undo,
        "undo": undo,
        "resumed": execution.resumed,
    }


def _states_intended(orders: Sequence[Order]) -> dict[str, str | None]:
    """Return the states that interrupted runs may have left, with the undo recipes of each.

    A run that was interrupted may itself have begun with what an earlier one had left.
    """
    known: dict[str, str | None] = {}
    # Oldest first, so that of two runs that left the same headers the later one's recipes count.
    for intent in (order.intent for order in orders if order.intent):
        states = [("after", "undo")] + ([("before", "undo_before")] if intent.get("resumed") else [])
        for state, undo in states:
            known[str(intent[state])] = str(intent[undo]) if intent.get(undo) else None
    return known


def _as_recorded(version: Version, recorded: Layout, snapshot: Snapshot) -> bool:
    stored = snapshot.stored
    if (stored.size, stored.mtime_ns) != (version.file_size, version.mtime_ns):
        return False
    return version.container != Container.PLAIN or all(
        snapshot.read_at(hdu.header_offset, hdu.header_size) == header
        for hdu, header in zip(recorded.hdus, recorded.headers, strict=True)
    )


def _same_data(version: Version, snapshot: Snapshot, max_unpacked: int) -> bool:
    """Read a file whose time stamp is not the recorded one, and tell whether an edit may trust its data.

    The checksum after an edit follows from those of the data on record, so it would hide other data.
    """
    name = version.location.filename
    content = examine(snapshot, name, max_header=MAX_HEADER, max_unpacked=max_unpacked).content
    now = [(hdu.data_size, hdu.data_crc) for hdu in content.hdus]
    then = [(hdu.data_size, hdu.data_crc) for hdu in version.hdus]
    return (now, content.trailing, content.trailing_crc) == (then, version.trailing, version.trailing_crc)


def _scan(version: Version, snapshot: Snapshot, max_unpacked: int) -> Layout:
    container = Container(version.container)
    read = open_logical(snapshot.read_at, container, limit=max_unpacked)
    if container is Container.PLAIN:
        return scan(read, snapshot.stored.size)
    size = sum(len(chunk) for chunk in expand(snapshot.read_at, container, limit=max_unpacked))
    return scan(read, size)


def _judge(execution: Execution, order: Order, rules: Rules, snapshot: Snapshot) -> Judged:
    before = execution.target
    try:
        request = request_of(order.args, rules)
        if request.if_data_md5 is not None:
            _check_digest(execution, request.if_data_md5, snapshot, "if_data_md5")
        execution.target, effects = apply_request(before, request, partial(_data_sum, execution, snapshot))
        if request.expect_data_md5 is not None:
            execution.checked = (
                execution.target,
                _check_digest(execution, request.expect_data_md5, snapshot, "expect_data_md5"),
            )
    except ArmillaryError as error:
        # All of an order or nothing of it: what it had changed before the card that failed is dropped with it.
        execution.target = before
        if error.transient:
            raise
        return Judged(order, error=error)
    return Judged(order, tuple(effects))


def _data_sum(execution: Execution, snapshot: Snapshot, index: int) -> int:
    """Return the sum of the data of an HDU: as the catalog knows it since digests, or by reading them."""
    known = execution.version.hdus[index].data_sum
    if known is not None:
        return known
    if index not in execution.sums:
        hdu = execution.disk.hdus[index]
        read = open_logical(snapshot.read_at, execution.container, limit=execution.max_unpacked)
        stops = range(hdu.data_offset, hdu.end, CHUNK)
        chunks = (read(at, min(CHUNK, hdu.end - at)) for at in stops)
        execution.sums[index] = ones_add(*map(ones_sum, chunks))
    return execution.sums[index]


def _check_digest(execution: Execution, wanted: str, snapshot: Snapshot, name: str) -> Digested:
    """Read the content as it stands after the orders so far, and return its digests if they are as wanted.

    Raises
    ------
    DigestMismatch
        If the content has another md5.
    """
    read = open_logical(snapshot.read_at, execution.container, limit=execution.max_unpacked)
    found = digested(execution.disk, execution.target, read)
    if found.digests["data_md5"] != wanted:
        raise DigestMismatch(f"{name} is {wanted}, but the content has {found.digests['data_md5']}")
    return found


def rewrite_of(snapshot: Snapshot, execution: Execution) -> Rewrite:
    """Return the new stored bytes of a compressed file, with the recipe for the old ones."""
    old = snapshot.read_at(0, snapshot.stored.size)
    if execution.target.headers == execution.disk.headers:
        return Rewrite(old, crc64(old), b"")
    plan = execution.plan()
    if execution.container is Container.BZ2:
        spliced = splice(old, plan)
        return Rewrite(spliced.data, crc64(spliced.data), b"B" + spliced.undo)
    chunks = expand(snapshot.read_at, Container.GZ, limit=execution.max_unpacked)
    data = b"".join(recompress_gzip(chunks, plan, old[:4096]))
    # Many programs write gzip and none can be told to repeat itself, so the old bytes are kept whole.
    return Rewrite(data, crc64(data), b"W" + old)


def results_of(judged: Judged, digests: Mapping[str, str | None], *, changed: bool) -> JsonObject:
    """Return what the row of an order says of its outcome."""
    return {"changed": changed, "changes": [change_to_json(effect) for effect in judged.effects], **digests}


def change_to_json(effect: HduEffect) -> JsonObject:
    """Return one change in the form of the status resource, values as they are in the cards.

    An old value that could not be read is null; its text is told beside it.
    """
    card = effect.effect
    unread = unreadable(card.old_raw) if card.old is None and card.old_raw else None
    told: dict[str, JsonValue] = {"old_text": unread[0]} if unread else {}
    return {
        "extension": effect.extension,
        "keyword": card.keyword,
        "old": _plain(card.old),
        "new": _plain(card.new),
        "created": card.created,
        **told,
    }


def _plain(value: object) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
