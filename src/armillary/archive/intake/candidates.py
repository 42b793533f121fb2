"""Files on their way into the catalog, one by one: what is known of each, and what keeps it out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from armillary.archive.catalog import file_store, store
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.file_store import Whereabouts
from armillary.archive.catalog.models import Location, Root, Version
from armillary.archive.catalog.recording import NewVersion
from armillary.archive.errors import FileUnreadable, FileVanished, SameFileTwice, StillGrowing, TwoContainers
from armillary.archive.fields import UNTOLD, Fields
from armillary.archive.intake import presence
from armillary.archive.intake.examination import Examined
from armillary.archive.intake.reading import Describer
from armillary.archive.intake.small import is_small
from armillary.base.store import ObjectStore, Snapshot, StoredObject
from armillary.base.store.errors import StorageDenied
from armillary.base.work import Claim
from armillary.context import Context
from armillary.errors import ArmillaryError, NotFound
from armillary.fits.containers import logical_name
from armillary.fits.errors import EmptyFile, HeaderWithoutEnd, TruncatedFile
from armillary.fits.series import HeaderValues

GROWING = (TruncatedFile, EmptyFile, HeaderWithoutEnd)
PATIENCE_S = 600.0
NS = 1_000_000_000
CHUNK = 1 << 20


@dataclass(slots=True)
class Candidate:
    """One file on its way into the catalog; ``claim`` is that of its work order, if it has one."""

    claim: Claim | None
    root: Root
    store: ObjectStore
    location: Location
    known: Version | None
    now: datetime
    stored: StoredObject | None = None
    examined: Examined | None = None
    new: NewVersion | None = None
    error: Exception | None = None
    skipped: str = ""
    trouble: str = ""
    """Why a file that is called FITS was taken in as bytes without headers."""
    args: dict[str, Any] = field(default_factory=dict)
    left: list[int] = field(default_factory=list)
    """Versions at places that the file has left."""
    moved: Whereabouts | None = None
    """Where the file was before, if it is known by its path."""
    pictures: list[dict[str, Any]] = field(default_factory=list)
    """Rows of pictures that are drawn already, but for the version."""
    quiet_s: float = 5.0
    """Seconds after which a file rests."""

    @property
    def name(self) -> str:
        """The logical name."""
        return logical_name(self.location.filename)

    @property
    def waited_s(self) -> float:
        """Seconds since the file was found."""
        return (self.now - self.claim.order.added).total_seconds() if self.claim else 0.0

    @property
    def order(self) -> Claim:
        """The claim of a file that came with a work order."""
        if self.claim is None:
            raise AssertionError("this file came without a work order")
        return self.claim


async def note_moves(context: Context, candidates: Sequence[Candidate]) -> None:
    """Find out which places of the catalog the files have left."""
    arrived = [c for c in candidates if c.stored and not c.error]
    arrivals = [_arrival_of(c, c.stored.identity) for c in arrived if c.stored]
    moved = await presence.moved_from(context, arrivals)
    gone = {place.version_id for place in moved.values()}
    for one, left in zip(arrived, await presence.left_behind(context, arrivals), strict=True):
        one.left, one.moved = [number for number in left if number not in gone], moved.get(one.location)
        if one.known and one.known.id in gone and one.new:
            # What lies where a file was that has moved is another file.
            one.new = replace(one.new, previous_id=None)


def _arrival_of(candidate: Candidate, identity: str) -> presence.Arrival:
    examined = candidate.examined
    return presence.Arrival(
        candidate.name,
        identity,
        candidate.location,
        size=examined.file_size if examined else 0,
        crc=examined.file_crc if examined else None,
        is_new=candidate.known is None,
    )


async def candidates_of(context: Context, claims: Sequence[Claim]) -> list[Candidate]:
    places = [_location(claim) for claim in claims]
    async with context.database.begin() as connection:
        roots = {root.id: root for root in await store.list_roots(connection)}
        keys = [(place.root_id, place.path, logical_name(place.filename)) for place in places]
        known = await file_store.present_at(connection, keys)
    candidates = []
    for claim, place, key in zip(claims, places, keys, strict=True):
        root = roots[place.root_id]
        try:
            bytes_of = catalog.store_of(context, root)
        except ArmillaryError as error:
            # The files of other roots go on.
            await claim.fail(error)
            continue
        args, now = dict(claim.order.args), context.clock.now()
        one = Candidate(claim, root, bytes_of, place, known.get(key), now, args=args)
        one.quiet_s = context.settings.archive.quiet_s
        candidates.append(one)
    return candidates


def _location(claim: Claim) -> Location:
    args: Any = claim.order.args
    return Location(int(args["root_id"]), str(args["path"]), str(args["filename"]))


def attempt(step: Callable[[Candidate], None], candidate: Candidate) -> None:
    try:
        step(candidate)
    except StorageDenied:
        candidate.error = FileUnreadable(
            f"{shown(candidate)}: permission denied; let the account that runs Armillary read it,"
            " then ingest it again."
        )
    except NotFound:
        candidate.error = FileVanished(f"{shown(candidate)} is gone; it was there when it was found.")
    except ArmillaryError as error:
        if isinstance(error, GROWING) and _may_grow(candidate):
            error = StillGrowing(f"{shown(candidate)} is still being written; it is taken in once it rests.")
        elif not error.message.startswith(str(shown(candidate))):
            error = type(error)(f"{shown(candidate)}: {error.message}")
        candidate.error = error
    except Exception as error:
        candidate.error = error


def rests(candidate: Candidate, snapshot: Snapshot) -> bool:
    """Tell whether a file is still as it was when it was opened, some seconds of reading ago."""
    stored, fd = snapshot.stored, snapshot.fileno()
    if fd is not None and is_small(candidate.location.filename, stored.size):
        # It was read in an instant: what takes its place now is another file, which comes after it.
        now = os.fstat(fd)
        return (now.st_size, now.st_mtime_ns) == (stored.size, stored.mtime_ns)
    with candidate.store.open(candidate.location.key) as again:
        return (again.stored.size, again.stored.mtime_ns) == (stored.size, stored.mtime_ns)


def sha256_of(snapshot: Snapshot) -> str:
    """Return the digest of the stored bytes."""
    digest, offset = hashlib.sha256(), 0
    while chunk := snapshot.read_at(offset, CHUNK):
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()


def changing(candidate: Candidate) -> ArmillaryError:
    if candidate.waited_s < PATIENCE_S:
        return StillGrowing(f"{shown(candidate)} changed while it was read; it is taken in once it rests.")
    return FileUnreadable(f"{shown(candidate)} never rests; ingest it again when its writer is done.")


def untouched(known: Version, location: Location, stored: StoredObject) -> bool:
    return (known.location.filename, known.file_size, known.mtime_ns) == (
        location.filename,
        stored.size,
        stored.mtime_ns,
    )


def is_same(known: Version, candidate: Candidate) -> bool:
    examined = candidate.examined
    return examined is not None and (known.location.filename, known.file_size, known.file_crc) == (
        candidate.location.filename,
        examined.file_size,
        examined.file_crc,
    )


def checksum_that_came_along(known: dict[str, Any] | None, stored: StoredObject) -> int | None:
    if known and (known.get("size"), known.get("mtime_ns")) == (stored.size, stored.mtime_ns):
        return int(known["crc"])
    return None


def refuse_two_containers(candidate: Candidate) -> None:
    known = candidate.known
    if known is None or known.location.filename == candidate.location.filename:
        return
    try:
        candidate.store.open(known.location.key).close()
    except NotFound:
        return
    raise _two_containers(candidate, known.location.filename)


def _two_containers(candidate: Candidate, other: str) -> TwoContainers:
    return TwoContainers(
        f"{shown(candidate)} and {other} in the same directory are two containers of one file;"
        " remove one of them and ingest the other again."
    )


def shown(candidate: Candidate) -> str:
    return candidate.root.shown(candidate.location.key)


def _may_grow(candidate: Candidate) -> bool:
    """Tell whether a file that ends too early may still be being written: it was touched a moment ago."""
    stored = candidate.stored
    if stored is None or not candidate.args.get("patient", True):
        return False
    rest_s = candidate.now.timestamp() - stored.mtime_ns / NS
    return rest_s < candidate.quiet_s and candidate.waited_s < PATIENCE_S


async def refuse_twins(context: Context, candidates: Sequence[Candidate]) -> None:
    """Refuse a second name of a file: an edit under one name would change the other unseen."""
    fresh = [c for c in candidates if c.stored and c.examined and not c.error and not c.skipped]
    async with context.database.begin() as connection:
        twins = await store.present_twins(connection, [c.stored.identity for c in fresh if c.stored])
    seen: dict[str, Location] = {}
    taken: dict[tuple[int, str, str], Location] = {}
    for one in fresh:
        place = (one.location.root_id, one.location.path, one.name)
        if first := taken.get(place):
            one.error = _two_containers(one, first.filename)
            continue
        taken[place] = one.location
        identity = one.stored.identity if one.stored else ""
        others = [place for place in twins.get(identity, []) if place.file_key != one.location.file_key]
        others = [place for place in others if await _is_same_file(context, one, place)]
        if identity in seen:
            others.append(seen[identity])
        if others:
            one.error = SameFileTwice(
                f"{shown(one)} is another name of {others[0].key}: one file on disk; remove one of the names."
            )
        else:
            seen[identity] = one.location


async def _is_same_file(context: Context, one: Candidate, place: Location) -> bool:
    """Tell whether a recorded place still leads to the same file: inode numbers are used again."""
    async with context.database.begin() as connection:
        roots = {root.id: root for root in await store.list_roots(connection)}
    try:
        other = await catalog.store_of(context, roots[place.root_id]).head(place.key)
    except ArmillaryError:
        return False
    return one.stored is not None and other.identity == one.stored.identity


def new_version(candidate: Candidate, describer: Describer) -> NewVersion:
    """Return what the catalog is to know of an examined file."""
    examined = candidate.examined
    if examined is None:
        raise AssertionError("a candidate without error was examined")
    values = examined.values or describer.series.read(examined.content.headers)
    fields = describer.fields(values, candidate.name) if examined.content.hdus else UNTOLD
    return described(candidate, values, fields)


def described(candidate: Candidate, values: HeaderValues, fields: Fields) -> NewVersion:
    """Return what the catalog is to know of an examined file whose headers were read."""
    examined, stored = candidate.examined, candidate.stored
    if examined is None or stored is None:
        raise AssertionError("a candidate without error was examined")
    content, digests = examined.content, examined.digests
    if digests and digests.warnings:
        fields = {**fields, "warnings": [*fields["warnings"], *digests.warnings]}
    return NewVersion(
        name=candidate.name,
        location=candidate.location,
        container=examined.container,
        file_size=examined.file_size,
        data_size=content.size,
        file_crc=examined.file_crc,
        data_crc=content.crc,
        mtime_ns=stored.mtime_ns,
        identity=stored.identity,
        hdus=content.hdus,
        trailing=content.trailing,
        trailing_crc=content.trailing_crc,
        headers=content.headers,
        origin=str(candidate.args.get("origin") or "ingest"),
        fields=fields,
        values=values,
        digests=digests.values if digests else {},
        previous_id=candidate.known.id if candidate.known else None,
    )
