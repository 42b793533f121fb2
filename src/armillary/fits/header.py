"""Headers: lazy access to cards, and the fast way from header bytes to Python values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache

from armillary.fits.cards import COMMENTARY, body_of, extent, keyword_of, parse_card, printable, split_cards
from armillary.fits.models import CARD, Card, Value

_LOGICAL = {" " * 19 + "T": True, " " * 19 + "F": False}
_LARGEST = float.fromhex("0x1.fffffffffffffp+1023")


class Header:
    """The cards of one HDU, parsed no further than asked for.

    Parameters
    ----------
    raw
        Whole header blocks, or any run of 80-byte cards; cards after END do not count.
    """

    __slots__ = ("__dict__", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @cached_property
    def _pieces(self) -> list[bytes]:
        return split_cards(body_of(self.raw))

    @cached_property
    def _index(self) -> dict[str, int]:
        """Position of the first card of each plain keyword."""
        fields = [piece[:8] for piece in self._pieces]
        return dict(zip(map(keyword_of, reversed(fields)), range(len(fields) - 1, -1, -1), strict=True))

    @cached_property
    def _values(self) -> dict[str, Value]:
        return read_values(self.raw)

    @cached_property
    def cards(self) -> tuple[Card, ...]:
        """Every logical card in order: CONTINUE merged, duplicates and illegal cards kept, END left out."""
        return tuple(map(parse_card, self.raw_cards))

    @cached_property
    def raw_cards(self) -> tuple[bytes, ...]:
        """The bytes of every logical card, as `cards` has them, not parsed."""
        pieces = self._pieces
        return tuple(b"".join(pieces[first:stop]) for first, stop in _extents(pieces))

    def get(self, keyword: str, default: Value = None) -> Value:
        """Return the value of the first card of a keyword, whatever its case."""
        key = keyword.upper()
        at = self._index.get(key)
        if at is not None and key != "HIERARCH":
            return parse_card(b"".join(self._pieces[at : extent(self._pieces, at)])).value
        return self._values.get(key, default) if "HIERARCH" in self._index else default

    def values(self) -> dict[str, Value]:
        """Return the first value of every keyword but COMMENT, HISTORY and blank ones."""
        return dict(self._values)

    def keywords(self) -> frozenset[str]:
        """Return the keywords that have a card; HIERARCH ones by their full name."""
        if "HIERARCH" in self._index:
            return frozenset(self._values) | (self._index.keys() & COMMENTARY)
        return frozenset(self._index)

    def text(self) -> str:
        """Return the physical cards as lines without trailing blanks."""
        return "\n".join(printable(piece).decode("ascii").rstrip(" ") for piece in self._pieces)


def _extents(pieces: list[bytes]) -> Iterator[tuple[int, int]]:
    first = 0
    while first < len(pieces):
        stop = extent(pieces, first)
        yield first, stop
        first = stop


@lru_cache(maxsize=1 << 14)
def _value_keyword(head: str) -> str | None:
    """Return the keyword in columns 1 to 10; empty where there is no value, ``None`` for odd cards."""
    keyword = head[:8].rstrip(" ").upper()
    if keyword in COMMENTARY or keyword == "CONTINUE":
        return ""
    return keyword if head[8:] == "= " and keyword != "HIERARCH" else None


def read_values(raw: bytes) -> dict[str, Value]:
    """Return the first value of every keyword but COMMENT, HISTORY and blank ones, fast.

    Fixed-format values are read by slices of one text; everything else takes the exact path of
    :func:`armillary.fits.cards.parse_card`, and both give the same values.
    """
    text = printable(body_of(raw)).decode("ascii")
    starts = range(0, len(text), CARD)
    values: dict[str, Value] = {}
    for at, keyword in zip(starts, map(_value_keyword, [text[at : at + 10] for at in starts]), strict=True):
        if keyword == "" or keyword in values:
            continue
        if keyword is None:
            pass
        elif text[at + 10] == "'":
            end = text.find("'", at + 11, at + CARD)
            if end > 0 and text[end + 1 : end + 2] in " /" and text[end - 1] != "&":
                values[keyword] = text[at + 11 : end].rstrip(" ")
                continue
        elif text[at + 30] in " /" and "_" not in (number := text[at + 10 : at + 30]):
            try:
                if "." not in number:
                    values[keyword] = _LOGICAL[number] if number[19] > "9" else int(number)
                    continue
                if -_LARGEST <= (real := float(number)) <= _LARGEST:
                    values[keyword] = real
                    continue
            except (ValueError, KeyError):
                pass
        _read_slowly(text, at, values)
    return values


def _read_slowly(text: str, at: int, values: dict[str, Value]) -> None:
    """Read the card at an offset exactly, with its CONTINUE cards."""
    stop = at + CARD
    if "&" in text[at:stop]:
        while text[stop : stop + 8] == "CONTINUE":
            stop += CARD
    pieces = split_cards(text[at:stop].encode("ascii"))
    parsed = parse_card(b"".join(pieces[: extent(pieces, 0)]))
    values.setdefault(parsed.keyword, parsed.value)
