"""Headers of a series: files of one instrument, whose headers differ in a few cards only.

In a night of one instrument nine cards of ten repeat from file to file. So a header is compared with one that
was read before, as arrays of cards, and only the cards that differ are read. Where none of those is structural,
a file of the same size has its HDUs at the same places, and even the scan is saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from armillary.fits.cards import COMMENTARY, keyword_of
from armillary.fits.header import read_values
from armillary.fits.models import CARD, Layout, ReadAt, Value
from armillary.fits.scan import STRUCTURAL

K = TypeVar("K")
Values = dict[str, Value]
MOST_DIFFERENT = 0.25
"""Fraction of cards in which a header of a series may differ from the first one."""
_PLACING = STRUCTURAL | {"SIMPLE"}
_WORD, _WORDS = "u8", CARD // 8
"""Headers are compared word by word, so many of which are a card."""
_NOTHING = ("", None)


class _Reference:
    """The header of one HDU of the first file of a series."""

    def __init__(self, header: bytes, values: Values) -> None:
        # Only here: who only looks something up in the catalog compares no headers.
        import numpy as np

        self.values = values
        self._header = header
        self._words = np.frombuffer(header, _WORD)
        self._most = int(len(header) // CARD * MOST_DIFFERENT)

    @cached_property
    def _may_differ(self) -> dict[int, tuple[str, bytes]]:
        """Keyword and fixed bytes of each card that may differ.

        The keyword is empty for comments; duplicates and odd cards are absent.
        """
        header, found, seen = self._header, dict[int, tuple[str, bytes]](), set[str]()
        for start in range(0, len(header), CARD):
            keyword = keyword_of(header[start : start + 8])
            if keyword in COMMENTARY:
                found[start] = "", header[start : start + 8]
            elif keyword in self.values and keyword not in seen:
                found[start] = keyword, header[start : start + 10]
                seen.add(keyword)
        return found

    def compare(self, header: bytes) -> Values | None:
        """Return the values of the cards in which a header of the same length differs.

        None if it differs in more than the comments and values of plain cards.
        """
        import numpy as np

        words = np.flatnonzero(np.frombuffer(header, _WORD) != self._words).tolist()
        starts = dict.fromkeys([word // _WORDS * CARD for word in words])
        if len(starts) > self._most:
            return None
        cards, names, may_differ = [], [], self._may_differ
        for start in starts:
            keyword, fixed = may_differ.get(start, _NOTHING)
            if fixed is None or not header.startswith(fixed, start):
                return None
            if keyword:
                cards.append(header[start : start + CARD])
                names.append(keyword)
        changed = read_values(b"".join(cards))
        return changed if list(changed) == names else None


class Series:
    """Files whose headers have the same cards at the same places as those of the first one.

    ``size`` is the number of bytes of all headers together.
    """

    def __init__(
        self, headers: Sequence[bytes], values: Sequence[Values], layout: Layout | None = None
    ) -> None:
        self.headers = tuple(headers)
        self.values = tuple(values)
        self.layout = layout
        self.size = sum(map(len, headers))
        self._lengths = tuple(map(len, headers))
        self._references = [_Reference(*one) for one in zip(headers, values, strict=True)]

    def compare(self, headers: Sequence[bytes]) -> HeaderValues | None:
        """Return the values of a file's headers, which have the lengths of ours, if they belong to the series."""
        found, changed = [], dict[str, None]()
        for reference, header in zip(self._references, headers, strict=True):
            if (differing := reference.compare(header)) is None:
                return None
            found.append({**reference.values, **differing})
            changed.update(dict.fromkeys(differing))
        return HeaderValues(tuple(found), self, frozenset(changed), headers)

    def recognise(self, read: ReadAt) -> tuple[Layout, HeaderValues] | None:
        """Return layout and values of a file of the same size if it belongs to the series."""
        if self.layout is None:
            return None
        headers = tuple([read(hdu.header_offset, hdu.header_size) for hdu in self.layout.hdus])
        if tuple(map(len, headers)) != self._lengths:
            return None
        found = self.compare(headers)
        if found is None or not _PLACING.isdisjoint(found.changed):
            return None
        return Layout(self.layout.hdus, headers, self.layout.size, self.layout.trailing), found


@dataclass(frozen=True, slots=True)
class HeaderValues:
    """The values of all headers of a file, as of `read_values`.

    If they belong to a series, ``changed`` names the keywords whose cards may differ from those of its first file.
    ``raw`` is the bytes of the headers, of which comments are read where a field needs them.
    """

    headers: tuple[Values, ...]
    series: Series | None = None
    changed: frozenset[str] = frozenset()
    raw: Sequence[bytes] = ()


class SeriesReader:
    """Reads the headers of many files; for one thread."""

    def __init__(self, *, lengths: int = 64, of_length: int = 4) -> None:
        self._lengths = lengths
        self._of_length = of_length
        self._by_lengths: dict[tuple[int, ...], list[Series]] = {}
        self._by_size: dict[int, list[Series]] = {}

    def recognise(
        self, read: ReadAt, size: int, *, max_header: int = 64 << 20
    ) -> tuple[Layout, HeaderValues] | None:
        """Return layout and values of a plain file of ``size`` bytes if it belongs to a series.

        They are those of `scan` and of `read`. None if the file has to be scanned.
        """
        for series in self._by_size.get(size, ()):
            if series.size <= max_header and (found := series.recognise(read)):
                return found
        return None

    def read(self, headers: Sequence[bytes], layout: Layout | None = None) -> HeaderValues:
        """Return the values of all headers of one file, which has a layout if it is a plain one."""
        lengths = tuple(map(len, headers))
        for series in self._by_lengths.get(lengths, ()):
            if found := series.compare(headers):
                return found
        values = tuple(map(read_values, headers))
        if not any(length % CARD or b"CONTINUE" in raw for length, raw in zip(lengths, headers, strict=True)):
            series = Series(headers, values, layout)
            self._remember(self._by_lengths, lengths, series)
            if layout is not None:
                self._remember(self._by_size, layout.size, series)
        return HeaderValues(values, raw=headers)

    def _remember(self, shelf: dict[K, list[Series]], key: K, series: Series) -> None:
        known = shelf.setdefault(key, [])
        known.insert(0, series)
        del known[self._of_length :]
        if len(shelf) > self._lengths:
            shelf.pop(next(iter(shelf), key))
