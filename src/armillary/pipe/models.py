"""The words of queues: items, what is asked of them, what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import msgspec

from armillary.base.clock import Instant

MOST_SHOWN = 1000
"""Most items in one list."""
MOST_CLAIMED = 1000
"""Most items that one claim takes."""
LONGEST_NAME = 500
"""Characters of a name; an index holds no longer ones in any script."""
LONGEST_WAIT_S = 30.0
LONGEST_LEASE_S = 86_400.0 * 7
FURTHEST_PRIORITY = 1000


class Item(msgspec.Struct, frozen=True):
    """One item as it was sent: ``created_at`` in milliseconds of Unix time, the very text of its payload."""

    id: str
    queue_name: str
    payload: msgspec.Raw
    created_at: int
    sender: str


@dataclass(frozen=True, slots=True)
class Payload:
    """The JSON of a payload, and what is read of it: the digest of its values and what it asks for."""

    raw: msgspec.Raw
    text: str
    digest: str
    request: str | None


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item that somebody sends, and its key against repetitions, if it has one."""

    queue: str
    sender: str
    payload: Payload
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Numbered:
    """A new item with the id and time under which it will be stored."""

    item: NewItem
    id: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class Taken:
    """An item that left its queue, with all that leads it back to its place."""

    seq: int
    queue_id: int
    item: Item
    priority: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody who wants the oldest item of a queue; ``is_gone`` tells whether nobody waits for it any more."""

    queue: str
    is_gone: Callable[[], bool]


class Claim(msgspec.Struct, frozen=True):
    """An item that is leased to a worker; ``attempt`` counts its leases."""

    claim_id: str
    item: Item
    attempt: int
    lease_expires_at: Instant


class PriorityRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which items have a priority: those of a sender, those whose payload has this ``request``, or both."""

    priority: int
    sender: str | None = None
    request: str | None = None


class Options(msgspec.Struct, frozen=True):
    """How a queue treats its items; of the rules of priority the first that fits counts, and 0 if none does."""

    dedupe_window_s: float = 0.0
    max_attempts: int = 5
    priorities: list[PriorityRule] = []


class QueueState(msgspec.Struct, frozen=True):
    """What a queue holds: items that wait, are leased, are dead letters, or wait for a delay; and its options."""

    queue_name: str
    waiting: int
    leased: int
    dead: int
    delayed: int
    oldest_age_s: float | None
    dedupe_window_s: float
    max_attempts: int
    priorities: list[PriorityRule]


class DeadLetter(msgspec.Struct, frozen=True):
    """An item that no worker got done, with the last worker and the reason, if one was told."""

    item: Item
    attempts: int
    worker: str | None
    reason: str | None
    died_at: Instant


class Machine(msgspec.Struct, frozen=True):
    """What a machine said of itself last; ``last_updated`` in milliseconds of Unix time."""

    pipe_id: str
    status: msgspec.Raw
    last_updated: int
    details: msgspec.Raw


@dataclass(frozen=True, slots=True)
class ClaimId:
    """The id of a claim: the place of its item, and a secret of this claim."""

    seq: int
    token: UUID

    def __str__(self) -> str:
        return f"{self.seq}-{self.token.hex}"

    @classmethod
    def of_text(cls, text: str) -> ClaimId | None:
        """Return what a text means, None if no claim has such an id."""
        seq, _, token = text.partition("-")
        if not (seq.isascii() and seq.isdecimal() and len(seq) < 19 and len(token) == 32):
            return None
        try:
            return cls(int(seq), UUID(hex=token))
        except ValueError:
            return None


def item_of(row: object) -> Item:
    """Return the item that a row with its columns and the name of its queue is."""
    found: dict[str, object] = row._mapping if hasattr(row, "_mapping") else row  # type: ignore[assignment]
    return Item(
        str(found["id"]),
        str(found["queue_name"]),
        msgspec.Raw(str(found["payload"])),
        int(str(found["created_ms"])),
        str(found["sender"]),
    )
