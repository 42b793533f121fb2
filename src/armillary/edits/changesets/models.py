"""The words of change sets: what is wanted of which files, and how each file stands."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypedDict

from armillary.edits.changesets.errors import BadChangeSet
from armillary.edits.errors import ItemRefused
from armillary.edits.models import EditRequest, Target
from armillary.edits.validation import Rules, checked
from armillary.edits.words import request_of_words
from armillary.errors import BadRequest

if TYPE_CHECKING:
    from armillary.archive.query.models import Term

MOST_LISTED = 100
"""Most change sets of one list."""


class ChangeSetState(StrEnum):
    """What a change set does."""

    APPLYING = "applying"
    STOPPING = "stopping"
    STOPPED = "stopped"
    COMPLETED = "completed"
    REVERTING = "reverting"
    REVERTED = "reverted"


class FileState(StrEnum):
    """How a file of a change set stands; ``kept`` is one whose edit could not be taken back."""

    WAITING = "waiting"
    QUEUED = "queued"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    FAILED = "failed"
    REVERTING = "reverting"
    REVERTED = "reverted"
    KEPT = "kept"


class Action(StrEnum):
    """What can be asked of a change set."""

    STOP = "stop"
    RESUME = "resume"
    RETRY = "retry"
    REVERT = "revert"


RESTING = frozenset({ChangeSetState.STOPPED, ChangeSetState.COMPLETED, ChangeSetState.REVERTED})
"""Nothing happens any more unless somebody asks for it."""
ALLOWED = {
    Action.STOP: frozenset({ChangeSetState.APPLYING, ChangeSetState.STOPPING, ChangeSetState.STOPPED}),
    Action.RESUME: frozenset({ChangeSetState.STOPPING, ChangeSetState.STOPPED, ChangeSetState.APPLYING}),
    Action.RETRY: frozenset({ChangeSetState.APPLYING, ChangeSetState.COMPLETED}),
    Action.REVERT: frozenset(ChangeSetState),
}
"""States in which an action makes sense, or has been done already."""
LEADS_TO = {
    Action.STOP: ChangeSetState.STOPPING,
    Action.RESUME: ChangeSetState.APPLYING,
    Action.RETRY: ChangeSetState.APPLYING,
    Action.REVERT: ChangeSetState.REVERTING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which files to change, and how: ``values``, ``reject_new`` and ``extension`` as in a header update.

    Files are meant by ``names``, or by a selection and conditions on keywords that both have to hold. ``terms``
    are what these meant when the change set was accepted; one accepted by a release of before has none. Whoever
    has terms gives them, and ``criteria`` that tell people what they mean. ``comments`` are those of cards, by
    keyword.
    """

    values: dict[str, Any]
    selection: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    reject_new: bool = False
    extension: int | str | list[str | int] | None = None
    terms: tuple[Term, ...] | None = None
    criteria: tuple[str, ...] = ()
    comments: dict[str, str] = field(default_factory=dict)

    @property
    def segments(self) -> list[str]:
        """The parts of the selection, the slashes between left out."""
        return [part for one in self.selection for part in one.split("/") if part]

    def request(self, rules: Rules) -> EditRequest:
        """Return what is asked of every file; the target is for the caller to name.

        Raises
        ------
        ItemRefused
            If it would be refused of any file.
        """
        options = {"reject_new": self.reject_new, "extension": self.extension}
        asked = request_of_words(Target(""), self.values, rules, **options)
        if not self.comments:
            return asked
        told = {key.strip().upper().removeprefix("HIERARCH "): text for key, text in self.comments.items()}
        if lonely := told.keys() - {one.keyword for one in asked.cards}:
            raise ItemRefused(f"There is a comment for {min(lonely)}, but no value; give both")
        cards = [replace(one, comment=told.get(one.keyword)) for one in asked.cards]
        return checked(replace(asked, cards=tuple(cards)), rules)

    def to_text(self) -> str:
        """Return JSON text; jsonb would turn the float 1e5 into an integer."""
        # Only here: commands load these words for the text of --help.
        from armillary.archive.query.service import terms_to_json

        terms = None if self.terms is None else terms_to_json(self.terms)
        return json.dumps(dataclasses.asdict(dataclasses.replace(self, terms=None)) | {"terms": terms})

    @classmethod
    def of_text(cls, text: object) -> Wanted:
        """Return what was written down.

        Raises
        ------
        BadChangeSet
            If it cannot be read.
        """
        from armillary.archive.query.service import terms_of_json

        try:
            fields = json.loads(str(text))
            lists = {name: tuple(fields[name]) for name in ("selection", "keywords", "names")}
            lists["criteria"] = tuple(fields.get("criteria", ()))
            terms = None if fields.get("terms") is None else terms_of_json(fields["terms"])
            return cls(**fields | lists | {"terms": terms})
        except (ValueError, TypeError, KeyError, BadRequest) as error:
            raise BadChangeSet(f"The change set cannot be read: {error}") from None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set that was created; the id is that of the order that did."""

    id: int
    actor: str
    address: str
    why: str
    batch: str | None
    wanted: Wanted
    state: ChangeSetState
    reverter: str | None
    created: datetime
    finished: datetime | None


class SampleChange(TypedDict):
    """What would happen to one card; ``before`` and ``after`` are the cards themselves."""

    extension: int
    keyword: str
    old: Any
    new: Any
    created: bool
    before: str
    after: str


class Sample(TypedDict):
    """A file that would change, and how."""

    file: str
    changes: list[SampleChange]


@dataclass(slots=True)
class Preview:
    """What a change set would do; ``reasons`` counts the refusals, ``samples`` shows the first changed files.

    Of files that are ``withheld`` nothing is told: who asked may not read their headers.
    """

    matched: int = 0
    would_change: int = 0
    unchanged: int = 0
    refused: int = 0
    withheld: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
