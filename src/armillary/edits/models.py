"""The values of an edit, from whoever asks to the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from armillary.errors import ArmillaryError
from armillary.fits.models import CardChange, Value

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
    """What a request is about: the name or path of a file, or a data label.

    ``file_id`` says which file it is where that is known already; then the others are only for people.
    """

    filename: str | None
    data_label: str | None = None
    file_id: int | None = None

    @property
    def id(self) -> str:
        """The identifier exactly as it was sent."""
        return self.filename if self.filename is not None else self.data_label or ""


@dataclass(frozen=True, slots=True)
class CardState:
    """How a card has to be before an edit: its value, or that it is not there."""

    keyword: str
    value: Value = None
    there: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """What is asked of one file: which cards to set, in which HDUs, and under what conditions.

    Parameters
    ----------
    target
        The file.
    primary
        Settings of cards of the primary header.
    extension
        The HDU that ``cards`` belong to.
    cards
        Settings of cards of that HDU.
    reject_new
        Whether the request is refused where a card is not there yet.
    if_data_md5, expect_data_md5
        What the uncompressed content has to be before, and what it has to become.
    if_cards
        How cards of that HDU have to be before.
    """

    target: Target
    primary: tuple[CardChange, ...] = ()
    extension: Extension = PRIMARY
    cards: tuple[CardChange, ...] = ()
    reject_new: bool = False
    if_data_md5: str | None = None
    expect_data_md5: str | None = None
    if_cards: tuple[CardState, ...] = ()

    def by_extension(self) -> list[tuple[Extension, tuple[CardChange, ...]]]:
        """Return the changes of each HDU that are asked for; the last setting of a keyword wins."""
        if self.extension == PRIMARY:
            pairs = [(PRIMARY, (*self.primary, *self.cards))]
        else:
            pairs = [(PRIMARY, self.primary), (self.extension, self.cards)]
        return [(extension, last_settings(changes)) for extension, changes in pairs if changes]


def last_settings(changes: Iterable[CardChange]) -> tuple[CardChange, ...]:
    """Return one change per keyword, the last one; COMMENT and HISTORY append, so all of theirs stay."""
    last: dict[object, CardChange] = {}
    for position, change in enumerate(changes):
        last[position if change.keyword in APPENDED else change.keyword] = change
    return tuple(last.values())


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that is not carried out, and why. ``file`` is the one that it means, if that is known."""

    target: Target | None
    error: ArmillaryError
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that is carried out, whatever happens, by a work order."""

    target: Target
    file: str
    order_id: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks, from where, and why."""

    actor: str
    address: str = ""
    why: str = ""
    batch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which edits are asked for; every criterion that is given has to hold.

    ``night`` is that of the file's frame; ``since`` and ``until`` are about when an edit ended, the latter
    excluded; ``before`` is the id that all edits found lie below.
    """

    file_id: int | None = None
    edit_id: int | None = None
    night: date | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    outcome: Outcome | None = None
    before: int | None = None
    limit: int = 100
