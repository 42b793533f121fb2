"""One file on its way into the catalog: the looks that are taken at it, and what keeps it out.

Nothing here asks the database, so a process that has no connection can look as well.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from armillary.archive.catalog.models import Location, Root, Version
from armillary.archive.catalog.rows import Entry, NewVersion
from armillary.archive.errors import FileUnreadable, FileVanished, StillGrowing, TwoContainers
from armillary.archive.fields import UNTOLD, Fields
from armillary.archive.intake import examination
from armillary.archive.intake.examination import Examined
from armillary.archive.intake.reading import Describer
from armillary.archive.intake.small import is_small
from armillary.base.store import ObjectStore, Snapshot, StoredObject
from armillary.base.store.errors import StorageDenied
from armillary.errors import ArmillaryError, NotFound
from armillary.fits.containers import logical_name
from armillary.fits.errors import EmptyFile, HeaderWithoutEnd, TruncatedFile
from armillary.fits.series import HeaderValues

if TYPE_CHECKING:
    from armillary.archive.catalog.file_store import Whereabouts
    from armillary.base.work import Claim

GROWING = (TruncatedFile, EmptyFile, HeaderWithoutEnd)
PATIENCE_S = 600.0
NS = 1_000_000_000
CHUNK = 1 << 20


class Bounds(Protocol):
    """Bytes that headers, and a file that is unpacked, may have; the settings say them."""

    @property
    def max_header(self) -> int:
        """Bytes of all headers."""
        ...

    @property
    def max_unpacked(self) -> int:
        """Bytes of the file."""
        ...


class Bytes(NamedTuple):
    """What is known of the bytes of a file that was looked at."""

    size: int
    crc: int
    has_digests: bool
    has_image: bool


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
    entry: Entry | None = None
    """What is written of a file at which a child has looked, if that is all that needs to be known."""
    told: Bytes | None = None
    """What the child has told of its bytes."""
    error: Exception | None = None
    skipped: str = ""
    trouble: str = ""
    """Why a file that is called FITS was taken in as bytes without headers."""
    args: dict[str, Any] = field(default_factory=dict)
    left: list[int] = field(default_factory=list)
    """Versions at places that the file has left."""
    moved: Whereabouts | None = None
    """Where the file was before, if it is known by its path."""
    pictures: Sequence[tuple[Any, ...]] = ()
    """Rows of pictures that are drawn already, but for the version."""
    quiet_s: float = 5.0
    """Seconds after which a file rests."""

    @property
    def name(self) -> str:
        """The logical name."""
        return logical_name(self.location.filename)

    @property
    def bytes(self) -> Bytes | None:
        """What is known of its bytes, if it was looked at."""
        one = self.examined
        return self.told or (
            Bytes(one.file_size, one.file_crc, one.digests is not None, one.has_image) if one else None
        )

    @property
    def recorded(self) -> NewVersion | Entry | None:
        """What is to be recorded."""
        return self.new or self.entry

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


def look_through(
    candidates: Sequence[Candidate], bounds: Bounds, describer: Describer, *, small: bool = False
) -> None:
    """Look at some files, or at the small ones among them; what goes wrong is kept with each."""

    def look(candidate: Candidate) -> None:
        _look(candidate, bounds, describer, small=small)

    def describe(candidate: Candidate) -> None:
        candidate.new = new_version(candidate, describer)

    # One step for all files after the other: its code and tables stay in the caches of the processor.
    for step in (look, describe, _make_rows):
        for candidate in candidates:
            looked_at = step is look or candidate.examined is not None
            if candidate.error is None and not candidate.skipped and looked_at:
                attempt(step, candidate)


def _make_rows(candidate: Candidate) -> None:
    if candidate.new:
        _ = candidate.new.rows


def _look(candidate: Candidate, bounds: Bounds, describer: Describer, *, small: bool) -> None:
    known, force = candidate.known, bool(candidate.args.get("force"))
    with candidate.store.open(candidate.location.key) as snapshot:
        stored = candidate.stored = snapshot.stored
        if small and not is_small(candidate.location.filename, stored.size):
            return
        refuse_two_containers(candidate)
        verify = bool(candidate.args.get("verify"))
        if known and not force and not verify and untouched(known, candidate.location, stored):
            candidate.skipped = "unchanged"
            return
        crc = checksum_that_came_along(candidate.args.get("known"), stored)
        candidate.examined = examination.examine(
            snapshot,
            candidate.location.filename,
            max_header=bounds.max_header,
            max_unpacked=bounds.max_unpacked,
            known_crc=crc,
            series=describer.series,
            digests=True,
        )
        same = known is not None and not force and is_same(known, candidate)
        if same and verify and known and known.file_sha256:
            same = known.file_sha256 == sha256_of(snapshot)
        still = crc is not None or rests(candidate, snapshot)
    if not still:
        raise changing(candidate)
    if same:
        candidate.skipped = "same bytes"


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
    raise two_containers(candidate, known.location.filename)


def two_containers(candidate: Candidate, other: str) -> TwoContainers:
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
