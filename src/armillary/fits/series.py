"""Headers of a series: files of one instrument, whose headers differ in a few cards only.

In a night of one instrument nine cards of ten repeat from file to file. So a header is compared with one that
was read before, as arrays of cards, and only the cards that differ are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from armillary.fits.cards import COMMENTARY, body_of, keyword_of
from armillary.fits.header import read_values
from armillary.fits.models import CARD, Value

Values = dict[str, Value]
MOST_DIFFERENT = 0.25
"""Fraction of cards in which a header of a series may differ from the first one."""
_WORD = np.dtype(np.uint64)
_WORDS = CARD // _WORD.itemsize


class _Reference:
    """The header of one HDU of the first file of a series."""

    def __init__(self, body: bytes, values: Values) -> None:
        self.values = values
        self._body = body
        self._words: NDArray[np.uint64] = np.frombuffer(body, _WORD)
        self._most = int(len(body) // CARD * MOST_DIFFERENT)

    @cached_property
    def _keywords(self) -> dict[int, str]:
        """The keyword of each card that may differ: empty for comments, absent for duplicates and odd cards."""
        body, found, seen = self._body, dict[int, str](), set[str]()
        for position in range(len(body) // CARD):
            keyword = keyword_of(body[position * CARD : position * CARD + 8])
            if keyword in COMMENTARY:
                found[position] = ""
            elif keyword in self.values and keyword not in seen:
                found[position] = keyword
                seen.add(keyword)
        return found

    def compare(self, body: bytes) -> tuple[Values, Values] | None:
        """Return all values of a header of the same length, and those of the cards that differ.

        None if it differs in more than the comments and values of plain cards.
        """
        words = np.flatnonzero(np.frombuffer(body, _WORD) != self._words).tolist()
        differ = sorted({word // _WORDS for word in words})
        if len(differ) > self._most:
            return None
        cards, names = [], []
        for position in differ:
            start = position * CARD
            card, keyword = body[start : start + CARD], self._keywords.get(position)
            fixed = 10 if keyword else 8
            if keyword is None or card[:fixed] != self._body[start : start + fixed]:
                return None
            if keyword:
                cards.append(card)
                names.append(keyword)
        changed = read_values(b"".join(cards))
        return ({**self.values, **changed}, changed) if list(changed) == names else None


class Series:
    """Files whose headers have the same cards at the same places as those of the first one."""

    def __init__(self, bodies: Sequence[bytes], values: Sequence[Values]) -> None:
        self.bodies = tuple(bodies)
        self.values = tuple(values)
        self._references = [_Reference(*one) for one in zip(bodies, values, strict=True)]

    def compare(self, bodies: Sequence[bytes]) -> HeaderValues | None:
        """Return the values of a file's headers if they belong to the series."""
        found, changed = [], set[str]()
        for reference, body in zip(self._references, bodies, strict=True):
            if (compared := reference.compare(body)) is None:
                return None
            found.append(compared[0])
            changed.update(compared[1])
        return HeaderValues(tuple(found), self, frozenset(changed))


@dataclass(frozen=True, slots=True)
class HeaderValues:
    """The values of all headers of a file, as of `read_values`.

    If they belong to a series, ``changed`` names the keywords whose cards may differ from those of its first file.
    """

    headers: tuple[Values, ...]
    series: Series | None = None
    changed: frozenset[str] = frozenset()


class SeriesReader:
    """Reads the headers of many files; for one thread."""

    def __init__(self, *, lengths: int = 64, of_length: int = 4) -> None:
        self._lengths = lengths
        self._of_length = of_length
        self._known: dict[tuple[int, ...], list[Series]] = {}

    def read(self, headers: Sequence[bytes]) -> HeaderValues:
        """Return the values of all headers of one file."""
        bodies = [body_of(header) for header in headers]
        known = self._known.setdefault(tuple(map(len, bodies)), [])
        for series in known:
            if found := series.compare(bodies):
                return found
        values = tuple(map(read_values, headers))
        if not any(b"CONTINUE" in body for body in bodies):
            self._remember(known, Series(bodies, values))
        return HeaderValues(values)

    def _remember(self, known: list[Series], series: Series) -> None:
        known.insert(0, series)
        del known[self._of_length :]
        if len(self._known) > self._lengths:
            del self._known[next(iter(self._known))]
