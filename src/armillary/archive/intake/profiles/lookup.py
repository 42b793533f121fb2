"""Finding a keyword in the headers of a file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from armillary.fits.cards import parse_card, printable, unreadable
from armillary.fits.models import CARD, Value

FILENAME = "@filename"
_NUMBER = re.compile(rb" *[+-]?[0-9]{1,9}(?:\.[0-9]*)? *")


@dataclass(frozen=True, slots=True)
class Lookup:
    """The headers of a file as one place to ask: the primary header first, then the extensions in order."""

    primary: Mapping[str, Value]
    extensions: Sequence[Mapping[str, Value]]
    raw: Sequence[bytes] = ()
    """The bytes of the headers, of all HDUs in order, if they are at hand."""

    def get(self, keyword: str, *, primary_only: bool = False) -> Value:
        """Return the first defined value of a keyword, or None."""
        found = self.primary.get(keyword)
        if found is not None or primary_only:
            return found
        for header in self.extensions:
            found = header.get(keyword)
            if found is not None:
                return found
        return None

    def comment(self, keyword: str) -> str:
        """Return the comment of the first card of a keyword that has a value, if the bytes are at hand."""
        for header in self._in_order():
            card = _card_of(header, f"{keyword:<8}= ")
            if card and (found := _comment_of(card)) is not None:
                return found
        return ""

    def unread(self, keyword: str) -> str:
        """Return the text of a value that is not one of FITS, if the bytes are at hand."""
        for header in self._in_order():
            if card := _card_of(header, f"{keyword:<8}"):
                return (unreadable(card) or ("",))[0]
        return ""

    def _in_order(self) -> Sequence[bytes]:
        if len(self.raw) > 1 and _is_container(self.extensions):
            return (self.raw[1], self.raw[0], *self.raw[2:])
        return self.raw


@dataclass(frozen=True, slots=True)
class WatchedLookup(Lookup):
    """Notes every keyword that is asked for."""

    asked: set[str] = field(default_factory=set)

    @classmethod
    def watch(cls, lookup: Lookup, asked: set[str]) -> WatchedLookup:
        """Return the same headers, watched."""
        return cls(lookup.primary, lookup.extensions, lookup.raw, asked)

    def get(self, keyword: str, *, primary_only: bool = False) -> Value:
        """Return the first defined value of a keyword, or None."""
        self.asked.add(keyword)
        return Lookup.get(self, keyword, primary_only=primary_only)

    def comment(self, keyword: str) -> str:
        """Return the comment of the first card of a keyword that has a value, if the bytes are at hand."""
        self.asked.add(keyword)
        return Lookup.comment(self, keyword)


def _comment_of(card: bytes) -> str | None:
    """Return the comment of a card that has a value."""
    # Numbers differ from file to file, and what is behind them does not need the whole reading of a card.
    number, slash, comment = card[10:].partition(b" / ")
    if slash and _NUMBER.fullmatch(number):
        return printable(comment).decode("ascii").strip(" ")
    return _read_comment(card)


@lru_cache(maxsize=1 << 10)
def _read_comment(card: bytes) -> str | None:
    """Return the same by reading the card; those of an instrument repeat from file to file."""
    found = parse_card(card)
    return None if found.value is None else found.comment


def _card_of(header: bytes, beginning: str) -> bytes:
    """Return the first card that begins with these characters; nothing if there is none."""
    field = beginning.encode("ascii", "replace")
    at = header.find(field)
    # Text of another card may look like this one.
    while at >= 0 and at % CARD:
        at = header.find(field, at + 1)
    return header[at : at + CARD] if at >= 0 else b""


def _is_container(extensions: Sequence[Mapping[str, Value]]) -> bool:
    return bool(extensions) and extensions[0].get("ZSIMPLE") is not None


def lookup_of(headers: Sequence[Mapping[str, Value]], filename: str, raw: Sequence[bytes] = ()) -> Lookup:
    """Return the headers of a file ready for questions.

    A tile-compressed file has the primary header of the image inside its first extension, marked by ZSIMPLE
    (FITS 4.0, section 10.1.1); it goes before what the container's own primary header says.
    """
    primary = dict(headers[0]) if headers else {}
    extensions = headers[1:]
    if _is_container(extensions):
        primary |= extensions[0]
    primary[FILENAME] = filename
    return Lookup(primary, extensions, raw)
