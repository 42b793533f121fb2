"""The words of background work: orders, their states, what a run of one reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """Work to be done.

    Orders of one ``key`` run one after another in the order of their acceptance. While an order of the same
    ``unique_key`` waits, this one merges into it (its args win key by key); while that one runs, this one
    makes it run once more.

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
    """What an order brought: `{"ok": bool, "error": str, "value": any}` in the database."""

    ok: bool = True
    error: str = ""
    value: JsonValue = None

    @classmethod
    def failure(cls, error: str) -> Response:
        """Return the response of an order that failed for good."""
        return cls(ok=False, error=error)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order ended."""

    state: State
    response: Response


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker writes into one row that it holds: the end of a run.

    ``outcome`` Queued means another run after ``delay_s``; ``counted`` says whether this one was an attempt.
    ``held`` names what the order waits for, if that is room.
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


Responses = Mapping[int, Response]
