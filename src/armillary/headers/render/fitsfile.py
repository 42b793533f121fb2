"""The FITS form of a header: HDUs without data, with checksums that are right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter

import numpy as np

from armillary.fits.cards import fit_card, prefix_of
from armillary.fits.checksum import encode_checksums
from armillary.fits.models import BLOCK, CARD
from armillary.fits.values import write_float
from armillary.headers.models import Level
from armillary.headers.render.body import parted
from armillary.headers.render.models import Card, Hdu, Header, Scalar

_ONES = 0xFFFFFFFF
_AT = 11
"""Where the sixteen characters begin in a CHECKSUM card."""
_MOST_WRITTEN = 2000
_SAME, _VALUE = attrgetter("key", "unit", "comment"), attrgetter("value")


def _structure(*cards: tuple[str, str | int | bool, str]) -> bytes:
    return b"".join(fit_card(*card)[0] for card in cards)


_PRIMARY = _structure(
    ("SIMPLE", True, "conforms to FITS standard"),
    ("BITPIX", 8, "no data"),
    ("NAXIS", 0, "no data"),
    ("EXTEND", True, "extensions may follow"),
)
_EXTENSION = _structure(
    ("XTENSION", "IMAGE", "image extension"),
    ("BITPIX", 8, "no data"),
    ("NAXIS", 0, "no data"),
    ("PCOUNT", 0, "no parameters"),
    ("GCOUNT", 1, "one group"),
)
_SUMS = _structure(("CHECKSUM", "0" * 16, "HDU checksum"), ("DATASUM", "0", "data unit checksum"))
_TAIL = _SUMS + b"END".ljust(CARD)
_INHERIT = _structure(("INHERIT", True, "the cards of PRIMARY count here, too"))


def fits_bytes(header: Header, *, detector: str | None = None) -> bytes:
    """Return the FITS file of a header; with a detector only PRIMARY, its HDU and its segments."""
    if detector is not None:
        return _file([one for one in header.hdus if one.detector in (None, detector)])
    front, body = parted(header.hdus)
    return _file(front) + body.once("fits", _file) if body is not None else _file(front)


def _file(hdus: Sequence[Hdu]) -> bytes:
    # Where each CHECKSUM card is: behind it stand DATASUM, END and what fills the block.
    parts: list[bytes] = []
    places: list[int] = []
    blocks: list[int] = []
    for raw in _hdu_bytes(hdus):
        places.append(len(raw) - 3 * CARD)
        blocks.append(-(-len(raw) // BLOCK))
        parts += (raw, b" " * (blocks[-1] * BLOCK - len(raw)))
    return _summed(bytearray().join(parts), blocks, places)


def _summed(file: bytearray, blocks: Sequence[int], places: Sequence[int]) -> bytes:
    """Return the file with the checksums of its HDUs, all of them summed and written at once."""
    sums = np.frombuffer(file, ">u4").reshape(-1, BLOCK // 4).sum(axis=1, dtype=np.uint64)
    starts = np.concatenate(([0], np.cumsum(blocks[:-1]))).astype(np.intp)
    # No header is all zeros, so the sum is folded without a care for that case.
    folded = (np.add.reduceat(sums, starts) - 1) % _ONES + 1
    at = starts * BLOCK + np.array(places) + _AT
    np.frombuffer(file, np.uint8)[at[:, None] + np.arange(16)] = encode_checksums(
        (_ONES - folded).astype(np.uint32)
    )
    return bytes(file)


def _hdu_bytes(hdus: Sequence[Hdu]) -> list[bytes]:
    """Return the cards of HDUs up to END, their sums still zero."""
    found = [b""] * len(hdus)
    kinds: dict[tuple[Level, int, tuple[tuple[int, str], ...]], list[int]] = {}
    for place, hdu in enumerate(hdus):
        kinds.setdefault((hdu.level, len(hdu.cards), hdu.sections), []).append(place)
    for (_, _, sections), places in kinds.items():
        alike = [hdus[place] for place in places]
        columns = [_column(cards) for cards in zip(*(one.cards for one in alike), strict=True)]
        for place, title in reversed(sections):
            columns.insert(place, [_title(title)] * len(alike))
        rows: Iterable[tuple[bytes, ...]] = zip(*columns, strict=True) if columns else [()] * len(alike)
        for place, one, row in zip(places, alike, rows, strict=True):
            found[place] = b"".join((_head(one.level, one.name, one.inherit), *row, _TAIL))
    return found


def _column(cards: Sequence[Card]) -> list[bytes]:
    """Return the cards of one keyword, or of whatever stands in one place of several HDUs."""
    first = cards[0]
    key, unit, comment = first.key, first.unit, first.comment
    if len(set(map(_SAME, cards))) == 1:
        values = list(map(_VALUE, cards))
        kind, *others = set(map(type, values))
        if not others:
            return list(map(_written(key, unit, comment, kind.__name__).__getitem__, values))
    return [_written(one.key, one.unit, one.comment, type(one.value).__name__)[one.value] for one in cards]


class _Written(dict[Scalar, bytes]):
    """Texts of cards of one keyword and one type by value; most values of a detector are those of before."""

    def __init__(self, key: str, unit: str | None, comment: str) -> None:
        super().__init__()
        self._key, self._remark = key, remark_of(unit, comment)
        self._prefix = prefix_of(key)
        self._width = max(0, 30 - len(self._prefix))
        self._tail = f" / {self._remark}" if self._remark else ""

    def __missing__(self, value: Scalar) -> bytes:
        if len(self) > _MOST_WRITTEN:
            self.clear()
        raw = self[value] = self._write(value)
        return raw

    def _write(self, value: Scalar) -> bytes:
        if type(value) is float:
            # Zero is one key, whatever its sign, so it has one text.
            text = f"{self._prefix}{write_float(value + 0.0):>{self._width}}{self._tail}"
            if len(text) <= CARD:
                return text.ljust(CARD).encode("ascii")
        return fit_card(self._key, value, self._remark)[0]


@lru_cache(maxsize=1 << 13)
def _written(key: str, unit: str | None, comment: str, kind: str) -> _Written:
    """Return the texts of a keyword; of each type for itself, since True, 1 and 1.0 are one key."""
    return _Written(key, unit, comment)


@lru_cache(maxsize=1 << 13)
def _head(level: Level, name: str, inherit: bool) -> bytes:
    if level is Level.PRIMARY:
        return _PRIMARY
    return _EXTENSION + _structure(("EXTNAME", name, "name of this HDU")) + (_INHERIT if inherit else b"")


@lru_cache(maxsize=1024)
def _title(text: str) -> bytes:
    """Return a blank card and a comment, which set a section apart for people."""
    return b" " * CARD + fit_card("COMMENT", f"---- {text} ----"[:72])[0]


def remark_of(unit: str | None, comment: str) -> str:
    """Return the comment of a card with its unit before it (FITS 4.0, section 4.3.2)."""
    if not unit or comment.startswith("["):
        return comment
    return f"[{unit}] {comment}".rstrip(" ")
