"""The values of a header update, from the wire to the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from armillary.fits.models import CardChange

Extension = int | str | tuple[str, int]
"""An HDU by index, by EXTNAME, or by EXTNAME and EXTVER."""

PRIMARY: Extension = 0
APPENDED = ("COMMENT", "HISTORY")


class Outcome(StrEnum):
    """How an edit ended."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Target:
    """What an item addresses: a logical file name or a data label."""

    filename: str | None
    data_label: str | None

    @property
    def id(self) -> str:
        """The identifier exactly as it was sent."""
        return self.filename if self.filename is not None else self.data_label or ""


@dataclass(frozen=True, slots=True)
class Wish:
    """The validated content of an item: card changes by HDU, and the conditions it came with."""

    primary: tuple[CardChange, ...]
    extension: Extension
    generic: tuple[CardChange, ...]
    reject_new: bool
    if_data_md5: str | None = None
    expect_data_md5: str | None = None

    def by_extension(self) -> list[tuple[Extension, tuple[CardChange, ...]]]:
        """Return the changes of each HDU that the item touches; the last setting of a keyword wins."""
        if self.extension == PRIMARY:
            pairs = [(PRIMARY, (*self.primary, *self.generic))]
        else:
            pairs = [(PRIMARY, self.primary), (self.extension, self.generic)]
        return [(extension, last_settings(changes)) for extension, changes in pairs if changes]


def last_settings(changes: Iterable[CardChange]) -> tuple[CardChange, ...]:
    """Return one change per keyword, the last one; COMMENT and HISTORY append, so all of theirs stay."""
    last: dict[object, CardChange] = {}
    for position, change in enumerate(changes):
        last[position if change.keyword in APPENDED else change.keyword] = change
    return tuple(last.values())


@dataclass(frozen=True, slots=True)
class Item:
    """One element of a request: a refused one carries its reason, an accepted one its wish."""

    index: int
    target: Target | None
    args: dict[str, Any]
    wish: Wish | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks, from where, and why."""

    actor: str
    address: str = ""
    why: str = ""
    batch: str | None = None
