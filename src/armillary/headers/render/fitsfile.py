"""The FITS form of a header: HDUs without data, with checksums that are right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from armillary.fits.cards import fit_card, prefix_of
from armillary.fits.checksum import encode_checksum, ones_add
from armillary.fits.models import BLOCK, CARD
from armillary.fits.values import write_float
from armillary.headers.models import Level
from armillary.headers.render.models import Card, Hdu, Header, Scalar

_ONES = 0xFFFFFFFF
_AT = 11
"""Where the sixteen characters begin in a CHECKSUM card."""
_SUMS = (
    fit_card("CHECKSUM", "0" * 16, "HDU checksum")[0] + fit_card("DATASUM", "0", "data unit checksum")[0]
).decode()
_TAIL = _SUMS + "END".ljust(CARD)
_MOST_WRITTEN = 2000


def _structure(*cards: tuple[str, str | int | bool, str]) -> str:
    return b"".join(fit_card(*card)[0] for card in cards).decode()


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
_INHERIT = _structure(("INHERIT", True, "the cards of PRIMARY count here, too"))


def fits_bytes(header: Header, *, detector: str | None = None) -> bytes:
    """Return the FITS file of a header; with a detector only PRIMARY, its HDU and its segments."""
    wanted = [one for one in header.hdus if detector in (None, one.detector) or one.detector is None]
    texts = _hdu_texts(wanted)
    # Where each CHECKSUM card is: behind it stand DATASUM, END and what fills the block.
    places, blocks = [], []
    for number, text in enumerate(texts):
        places.append(len(text) - 3 * CARD)
        blocks.append(-(-len(text) // BLOCK))
        texts[number] = text.ljust(blocks[-1] * BLOCK)
    return _summed(bytearray("".join(texts), "ascii"), blocks, places)


def _summed(file: bytearray, blocks: Sequence[int], places: Sequence[int]) -> bytes:
    """Return the file with the checksums of its HDUs, all of them summed at once."""
    sums = np.frombuffer(file, ">u4").reshape(-1, BLOCK // 4).sum(axis=1, dtype=np.uint64)
    starts = np.concatenate(([0], np.cumsum(blocks[:-1]))).astype(np.intp)
    totals = np.add.reduceat(sums, starts).tolist()
    for start, place, total in zip(starts.tolist(), places, totals, strict=True):
        at = start * BLOCK + place + _AT
        file[at : at + 16] = encode_checksum(_ONES - ones_add(total))
    return bytes(file)


def _hdu_texts(hdus: Sequence[Hdu]) -> list[str]:
    """Return the cards of HDUs up to END, their sums still zero."""
    texts = [""] * len(hdus)
    kinds: dict[tuple[Level, int, tuple[tuple[int, str], ...]], list[int]] = {}
    for place, hdu in enumerate(hdus):
        kinds.setdefault((hdu.level, len(hdu.cards), hdu.sections), []).append(place)
    for (_, _, sections), places in kinds.items():
        alike = [hdus[place] for place in places]
        columns = [_column(cards) for cards in zip(*(one.cards for one in alike), strict=True)]
        for place, title in reversed(sections):
            columns.insert(place, [_title(title)] * len(alike))
        rows: Iterable[tuple[str, ...]] = zip(*columns, strict=True) if columns else [()] * len(alike)
        for place, one, row in zip(places, alike, rows, strict=True):
            texts[place] = "".join((_head(one.level, one.name, one.inherit), *row, _TAIL))
    return texts


def _column(cards: Sequence[Card]) -> list[str]:
    """Return the texts of cards of one keyword, or of whatever stands in one place of several HDUs."""
    first = cards[0]
    key, unit, comment = first.key, first.unit, first.comment
    if all(one.key == key and one.unit == unit and one.comment == comment for one in cards):
        values = [one.value for one in cards]
        kinds = set(map(type, values))
        if len(kinds) == 1:
            return list(map(_written(key, unit, comment, next(iter(kinds)).__name__).__getitem__, values))
    return [_written(one.key, one.unit, one.comment, type(one.value).__name__)[one.value] for one in cards]


class _Written(dict[Scalar, str]):
    """Texts of cards of one keyword and one type by value; most values of a detector are those of before."""

    def __init__(self, key: str, unit: str | None, comment: str) -> None:
        super().__init__()
        self._key, self._remark = key, remark_of(unit, comment)
        self._prefix = prefix_of(key)
        self._width = max(0, 30 - len(self._prefix))
        self._tail = f" / {self._remark}" if self._remark else ""

    def __missing__(self, value: Scalar) -> str:
        if len(self) > _MOST_WRITTEN:
            self.clear()
        text = self[value] = self._write(value)
        return text

    def _write(self, value: Scalar) -> str:
        if type(value) is float:
            # Zero is one key, whatever its sign, so it has one text.
            text = f"{self._prefix}{write_float(value + 0.0):>{self._width}}{self._tail}"
            if len(text) <= CARD:
                return text.ljust(CARD)
        return fit_card(self._key, value, self._remark)[0].decode("ascii")


@lru_cache(maxsize=1 << 13)
def _written(key: str, unit: str | None, comment: str, kind: str) -> _Written:
    """Return the texts of a keyword; of each type for itself, since True, 1 and 1.0 are one key."""
    return _Written(key, unit, comment)


@lru_cache(maxsize=1 << 13)
def _head(level: Level, name: str, inherit: bool) -> str:
    if level is Level.PRIMARY:
        return _PRIMARY
    return _EXTENSION + _structure(("EXTNAME", name, "name of this HDU")) + (_INHERIT if inherit else "")


@lru_cache(maxsize=1024)
def _title(text: str) -> str:
    """Return a blank card and a comment, which set a section apart for people."""
    return " " * CARD + fit_card("COMMENT", f"---- {text} ----"[:72])[0].decode()


def remark_of(unit: str | None, comment: str) -> str:
    """Return the comment of a card with its unit before it (FITS 4.0, section 4.3.2)."""
    if not unit or comment.startswith("["):
        return comment
    return f"[{unit}] {comment}".rstrip(" ")
