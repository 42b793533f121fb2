"""The words of background work: orders, their states, what a run of one reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

JsonValue: TypeAlias = "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = Mapping[str, JsonValue]


class State(StrEnum):
    """Where an order stands."""

    QUEUED = "Queued"
    STARTED = "Started"
    COMPLETED = "Completed"
    FAILED = "Failed"


TERMINAL = frozenset({State.COMPLETED, State.FAILED})
NO_LIMIT = 0
"""As ``max_attempts``: an order is tried until it succeeds, or fails in a way that no other try would change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merging:
    """How the arguments of an order meet those of a later one of its unique key: the later win, key by key.

    Of the keys in ``sticky``, what is true stays true. Null for a key in ``optional`` says nothing, while an empty
    list or text is a value like any other. With ``keep`` a run that failed leaves its arguments to the next one;
    one that completed never does.
    """

    sticky: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    keep: bool = False

    def merged(self, former: JsonObject, later: JsonObject) -> JsonObject:
        """Return the arguments of two orders as those of one, as ``work_order_merged`` in the database does."""
        said = {key: value for key, value in later.items() if value is not None or key not in self.optional}
        stuck = {key: True for key in self.sticky if key in said and former.get(key) is True}
        return {**former, **said, **stuck}

    def to_json(self) -> JsonObject:
        """Return it as it is stored."""
        return {"sticky": self.sticky, "optional": self.optional, "keep": self.keep}


NEW_WINS = Merging()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """Work to be done.

    Orders of one ``key`` run one after another in the order of their acceptance. While an order of the same
    ``unique_key`` waits, this one merges into it, as ``merging`` says; while that one runs, this one waits for
    its end, and all that come meanwhile merge into this: there is one more run, however many ask for it. An
    order with a unique key and no key gets that as its key.

    ``max_attempts`` None means as many as its kind of work has, or ``NO_LIMIT``.

    ``place`` is where it stands among those of its key if not where its id says: an order that is tried again
    takes the place of the one that failed. What merges has no place.
    """

    kind: str
    args: JsonObject
    key: str | None = None
    priority: int = 0
    not_before: datetime | None = None
    max_attempts: int | None = None
    unique_key: str | None = None
    request_id: UUID | None = None
    item_index: int | None = None
    actor: str = ""
    batch: str | None = None
    response_required: bool = False
    place: int | None = None
    merging: Merging = NEW_WINS


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An accepted order. ``attempts`` counts the present run, if it runs.

    ``held`` names what had no room for it when it was tried last: the database, or the place of its file.
    """

    id: int
    kind: str
    key: str | None
    args: JsonObject
    priority: int
    attempts: int
    max_attempts: int | None
    intent: JsonObject | None
    fence: int
    leader_id: int | None
    revision: int
    unique_key: str | None
    request_id: UUID | None
    item_index: int | None
    actor: str
    batch: str | None
    response_required: bool
    added: datetime
    started: datetime | None
    place: int | None = None
    held: str | None = None

    @property
    def turn(self) -> tuple[int, int]:
        """When its turn comes among the orders of its key."""
        return (self.id if self.place is None else self.place, self.id)


def about(order: Order) -> dict[str, object]:
    """Return the fields by which log events speak of an order."""
    file = order.args.get("name") or order.args.get("filename") or order.key
    return {"order": order.id, "kind": order.kind, "file": file, "attempt": order.attempts}


@dataclass(frozen=True, slots=True)
class Response:
    """What an order brought: `{"ok": bool, "error": str, "value": any}` in the database, the code beside it."""

    ok: bool = True
    error: str = ""
    value: JsonValue = None
    code: str | None = field(default=None, compare=False)
    """That of the error's class, which the text tells as well."""

    @classmethod
    def failure(cls, error: str, code: str | None = None) -> Response:
        """Return the response of an order that failed for good; ``code`` is that of the error's class."""
        return cls(ok=False, error=error, code=code)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order ended."""

    state: State
    response: Response


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker writes into one row that it holds: the end of a run.

    ``outcome`` Queued means another try after ``delay_s``; ``counted`` says whether this one was an attempt.
    ``held`` names what the order waits for, if that is room. ``code`` is that of the error.
    """

    id: int
    fence: int
    kind: str
    outcome: State
    response: str | None = None
    error: str | None = None
    delay_s: float = 0.0
    counted: bool = True
    held: str | None = None
    code: str | None = None


Responses = Mapping[int, Response]
