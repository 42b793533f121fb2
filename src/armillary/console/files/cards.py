"""Cards of headers as a page shows them: some hundred at a time, found as somebody types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from armillary.fits.cards import COMMENTARY, name_of, parse_card, printable, split_cards, unreadable
from armillary.fits.header import Header
from armillary.fits.keywords import is_protected
from armillary.fits.models import CARD, Card, Value
from armillary.fits.values import write_float

PAGE = 500
"""Cards of 80 bytes on a page; one of several makes a page longer, and none is divided."""
EVERY = "all"


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A logical card: where it is, what it says, and whether a form may change it.

    ``kind`` is that of its value; ``fixed`` says why there is no form for it, empty if there is one; ``lines`` are
    the physical cards, with bytes that are not ASCII as they are.
    """

    hdu: int
    place: int
    keyword: str
    value: str
    comment: str
    kind: str
    fixed: str
    lines: tuple[str, ...]
    ascii: bool

    @property
    def key(self) -> str:
        """What a form calls it by."""
        return f"{self.hdu}:{self.keyword}"

    @property
    def row(self) -> str:
        """The id of its row."""
        return f"c{self.hdu}-{self.place}"


@dataclass(frozen=True, slots=True)
class CardPage:
    """Some cards of one HDU or of all, and where they are among those that were looked for."""

    cards: Sequence[ShownCard]
    first: int
    matching: int
    total: int
    number: int
    pages: int


class Cards:
    """The cards of one HDU."""

    def __init__(self, hdu: int, header: bytes, protected: frozenset[str], *, fixed: str = "") -> None:
        self.hdu, self._protected, self._fixed = hdu, protected, fixed
        self.raw = Header(header).raw_cards

    @cached_property
    def _first(self) -> Mapping[str, int]:
        """Where the first card of each keyword is: that is the one that an edit changes."""
        names = [name_of(raw) for raw in self.raw]
        return dict(zip(reversed(names), range(len(names) - 1, -1, -1), strict=True))

    def first_of(self, keyword: str) -> ShownCard | None:
        """Return the card that an edit of a keyword changes, if there is one."""
        place = self._first.get(keyword)
        return None if place is None or keyword in COMMENTARY else self.shown(place)

    def shown(self, place: int) -> ShownCard:
        """Return a card as it is shown."""
        raw = self.raw[place]
        card = parse_card(raw)
        kind, text, comment = _told(card)
        return ShownCard(
            hdu=self.hdu,
            place=place,
            keyword=card.keyword,
            value=text,
            comment=comment,
            kind=kind,
            fixed=self._fixed or self._why_fixed(card.keyword, place),
            lines=tuple(one.decode("latin-1").rstrip() for one in split_cards(raw)),
            ascii=printable(raw) == raw.replace(b"\0", b" "),
        )

    def _why_fixed(self, keyword: str, place: int) -> str:
        if keyword in COMMENTARY:
            return "text"
        if is_protected(keyword, extra=self._protected):
            return "protected"
        return "repeated" if self._first.get(keyword) != place else ""

    def places(self, needle: str) -> Iterator[int]:
        """Yield where cards are that hold a text, in any case."""
        if not needle:
            yield from range(len(self.raw))
        for place, raw in enumerate(self.raw if needle else ()):
            if needle in _searched(raw):
                yield place


def _searched(raw: bytes) -> str:
    if len(raw) == CARD:
        return printable(raw).decode("ascii").lower()
    # What a string goes on with is found across its cards.
    card = parse_card(raw)
    return f"{card.keyword} = {card.value} / {card.comment}".lower()


def page_of(headers: Sequence[Cards], needle: str, number: int) -> CardPage:
    """Return a page of the cards of some HDUs that hold a text."""
    wanted = needle.strip().lower()
    found = [(one, place) for one in headers for place in one.places(wanted)]
    starts = list(_starts(found))
    number = max(1, min(number, len(starts)))
    first = starts[number - 1]
    stop = starts[number] if number < len(starts) else len(found)
    return CardPage(
        cards=[one.shown(place) for one, place in found[first:stop]],
        first=first,
        matching=len(found),
        total=sum(len(one.raw) for one in headers),
        number=number,
        pages=len(starts),
    )


def _starts(found: Sequence[tuple[Cards, int]]) -> Iterator[int]:
    """Yield where pages begin, so that none has many more than so many physical cards."""
    yield 0
    room = PAGE
    for at, (one, place) in enumerate(found):
        if room <= 0:
            yield at
            room = PAGE
        room -= len(one.raw[place]) // CARD


def _told(card: Card) -> tuple[str, str, str]:
    """Return the kind of a value, its text, and the comment."""
    if card.keyword in COMMENTARY:
        return "text", str(card.value), ""
    if card.value is None and (found := unreadable(card.raw)):
        return "unreadable", *found
    return kind_of(card.value), text_of(card.value), card.comment


def kind_of(value: Value) -> str:
    """Return what a form calls the kind of a value."""
    match value:
        case None:
            return "undefined"
        case bool():
            return "logical"
        case int() | float():
            return "number"
        case complex():
            return "complex"
    return "text"


def text_of(value: Value) -> str:
    """Return a value as a field of a form has it: texts without quotes, others as cards have them."""
    match value:
        case None:
            return ""
        case bool():
            return "T" if value else "F"
        case float():
            return write_float(value)
        case complex():
            return f"({write_float(value.real)}, {write_float(value.imag)})"
    return str(value)
