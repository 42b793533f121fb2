"""Fingerprints: what a file was when it was taken in, HDU by HDU, so that a later run knows what has changed.

CHECKSUM cards are compared with the bytes and told when they are wrong, but nothing is concluded from them: they
are often absent, or left as they were by programs that edit headers, and the sum does not see words exchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from armillary.base.store import StoredObject
from armillary.fits.checksum import ones_add, ones_sum
from armillary.fits.models import CARD, Layout, Value

SETTLED_NS = 2_000_000_000
"""A time stamp that lies this close to the reading proves nothing: a later write may have the same."""
_ALL = 0xFFFFFFFF
_SUMS = (b"CHECKSUM", b"DATASUM ")


@dataclass(frozen=True, slots=True, kw_only=True)
class HduFingerprint:
    """One HDU: digests of its cards but CHECKSUM and DATASUM, and of its data; sums as found and as they are."""

    index: int
    name: str
    version: int
    header_sha256: str
    data_sha256: str
    data_sum: int
    checksum: str | None = None
    datasum: str | None = None

    @property
    def content(self) -> tuple[str, str]:
        """What makes the HDU what it is."""
        return self.header_sha256, self.data_sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A file as it was read: times in nanoseconds since 1970."""

    size: int
    mtime_ns: int
    read_ns: int
    hdus: tuple[HduFingerprint, ...] = ()

    def may_be(self, stored: StoredObject) -> bool:
        """Tell whether a stored file can be taken for this one by its size and time stamp alone."""
        settled = self.read_ns - self.mtime_ns > SETTLED_NS
        return settled and (self.size, self.mtime_ns) == (stored.size, stored.mtime_ns)

    def hdu(self, index: int) -> HduFingerprint | None:
        """Return that of an HDU, None if there is none."""
        return self.hdus[index] if index < len(self.hdus) else None

    @property
    def content(self) -> tuple[tuple[str, str], ...]:
        """What makes the file what it is."""
        return tuple(one.content for one in self.hdus)

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return asdict(self)

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Fingerprint | None:
        """Return what was stored, None if it is of another form."""
        try:
            hdus = tuple(HduFingerprint(**one) for one in stored["hdus"])
            return cls(size=stored["size"], mtime_ns=stored["mtime_ns"], read_ns=stored["read_ns"], hdus=hdus)
        except (KeyError, TypeError):
            return None


@dataclass(slots=True)
class DataWatch:
    """Digests and sums of the data of every HDU, made while a file passes by, each piece at a multiple of four."""

    found: dict[int, tuple[str, int]] = field(default_factory=dict)

    @contextmanager
    def of(self, index: int) -> Iterator[Seeing]:
        """Give what is to see the data of an HDU, piece by piece."""
        seeing = Seeing()
        yield seeing
        self.found[index] = seeing.digest.hexdigest(), seeing.sum

    def see(self, index: int, pieces: Iterable[memoryview]) -> None:
        """See all data of an HDU."""
        with self.of(index) as seeing:
            for piece in pieces:
                seeing(piece)


class Seeing:
    """The digest and the sum of what has passed by."""

    def __init__(self) -> None:
        self.digest, self.sum = hashlib.sha256(), 0

    def __call__(self, piece: memoryview) -> None:
        """Add a piece."""
        self.digest.update(piece)
        self.sum = ones_add(self.sum, ones_sum(piece))


def header_sha256(raw: bytes) -> str:
    """Return the digest of the cards of a header up to END, without those that hold sums."""
    digest = hashlib.sha256()
    for at in range(0, len(raw), CARD):
        card = raw[at : at + CARD]
        if card[:8].rstrip() == b"END":
            break
        if card[:8] not in _SUMS:
            digest.update(card)
    return digest.hexdigest()


def fingerprint_of(
    stored: StoredObject,
    layout: Layout,
    values: Sequence[Mapping[str, Value]],
    data: Mapping[int, tuple[str, int]],
    *,
    read_ns: int,
) -> Fingerprint:
    """Return the fingerprint of a file whose data were digested and summed by HDU."""
    hdus = []
    for hdu, raw, said in zip(layout.hdus, layout.headers, values, strict=True):
        data_sha256, data_sum = data[hdu.index]
        hdus.append(
            HduFingerprint(
                index=hdu.index,
                name=hdu.name,
                version=hdu.version,
                header_sha256=header_sha256(raw),
                data_sha256=data_sha256,
                data_sum=data_sum,
                checksum=_text(said.get("CHECKSUM")),
                datasum=_text(said.get("DATASUM")),
            )
        )
    return Fingerprint(size=stored.size, mtime_ns=stored.mtime_ns, read_ns=read_ns, hdus=tuple(hdus))


def sum_warnings(layout: Layout, found: Fingerprint) -> list[str]:
    """Return one sentence for each CHECKSUM or DATASUM that is not true of the bytes."""
    told = []
    for hdu, raw in zip(found.hdus, layout.headers, strict=True):
        if hdu.datasum is not None and hdu.datasum.strip() != str(hdu.data_sum):
            told.append(
                f"DATASUM of HDU {hdu.index} says {hdu.datasum.strip()}, but its data sum to {hdu.data_sum}:"
                " the data changed after it was written, or it was never right"
            )
        # A CHECKSUM without a value is not used yet; else the whole HDU sums to ones.
        if (hdu.checksum or "").strip() and ones_add(ones_sum(raw), hdu.data_sum) != _ALL:
            told.append(
                f"CHECKSUM of HDU {hdu.index} is not true of it: it was edited by a program that did not renew it"
            )
    return told


def _text(value: Value) -> str | None:
    return None if value is None else str(value)
