"""The past of a file: its versions and edits, and what differs between two versions."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.edits import store
from armillary.fits.cards import body_of, split_cards

Sign = Literal["-", "+"]


@dataclass(frozen=True, slots=True)
class History:
    """Versions of a file, oldest first, and all its edits."""

    versions: list[Version]
    edits: list[Any]

    def number_of(self, version_id: int) -> int:
        """Return the number of a version; the first is 1."""
        return [version.id for version in self.versions].index(version_id) + 1


async def history_of(connection: AsyncConnection, name: str) -> History:
    """Return the past of the file that a name or path means.

    Raises
    ------
    FileNotFound, FileAmbiguous
        If there is no such file, or several.
    """
    return await history_of_file(connection, (await catalog.find_version(connection, name)).file_id)


async def history_of_file(connection: AsyncConnection, file_id: int) -> History:
    """Return the past of a file by its id."""
    return History(
        await catalog.versions_of(connection, file_id), await store.edits_of_file(connection, file_id)
    )


def diff(old: Version, new: Version) -> Iterator[tuple[int, Sign, str]]:
    """Yield (HDU, sign, card) of every card that only one of two versions has; ``-`` old, ``+`` new."""
    before, after = old.headers(), new.headers()
    for index in range(max(len(before), len(after))):
        left = cards_of(before[index]) if index < len(before) else []
        right = cards_of(after[index]) if index < len(after) else []
        yield from ((index, sign, card) for sign, card in _differing(left, right))


def _differing(left: list[str], right: list[str]) -> Iterator[tuple[Sign, str]]:
    """Yield sign and card of what two lists of cards do not share, in order."""
    # Edits change a few cards of many: what both begin and end with is not worth a comparison with everything.
    first = _shared(left, right)
    last = _shared(left[first:][::-1], right[first:][::-1])
    left, right = left[first : len(left) - last], right[first : len(right) - last]
    matcher = difflib.SequenceMatcher(a=left, b=right, autojunk=False)
    for tag, low, high, start, stop in matcher.get_opcodes():
        if tag != "equal":
            yield from (("-", card) for card in left[low:high])
            yield from (("+", card) for card in right[start:stop])


def _shared(left: list[str], right: list[str]) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((at for at, (old, new) in pairs if old != new), min(len(left), len(right)))


def cards_of(header: bytes) -> list[str]:
    """Return the cards of a header up to END, trailing blanks removed."""
    return [card.decode("latin-1").rstrip() for card in split_cards(body_of(header))]
