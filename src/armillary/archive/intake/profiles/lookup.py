"""Finding a keyword in the headers of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from armillary.fits.models import Value

FILENAME = "@filename"


@dataclass(frozen=True, slots=True)
class Lookup:
    """The headers of a file as one place to ask: the primary header first, then the extensions in order."""

    primary: Mapping[str, Value]
    extensions: Sequence[Mapping[str, Value]]

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


@dataclass(frozen=True, slots=True)
class WatchedLookup(Lookup):
    """Notes every keyword that is asked for."""

    asked: set[str]

    @classmethod
    def watch(cls, lookup: Lookup, asked: set[str]) -> WatchedLookup:
        """Return the same headers, watched."""
        return cls(lookup.primary, lookup.extensions, asked)

    def get(self, keyword: str, *, primary_only: bool = False) -> Value:
        """Return the first defined value of a keyword, or None."""
        self.asked.add(keyword)
        return Lookup.get(self, keyword, primary_only=primary_only)


def lookup_of(headers: Sequence[Mapping[str, Value]], filename: str) -> Lookup:
    """Return the headers of a file ready for questions.

    A tile-compressed file has the primary header of the image inside its first extension, marked by ZSIMPLE
    (FITS 4.0, section 10.1.1); it goes before what the container's own primary header says.
    """
    primary = dict(headers[0]) if headers else {}
    extensions = headers[1:]
    if extensions and extensions[0].get("ZSIMPLE") is not None:
        primary |= extensions[0]
    primary[FILENAME] = filename
    return Lookup(primary, extensions)
