"""What is told of queues, claims and machines, by routes and commands."""

from __future__ import annotations

import msgspec

from armillary.base.clock import Instant
from armillary.pipe.models import Claim, DeadLetter, QueueState


class Queues(msgspec.Struct):
    """All queues, by name."""

    queues: list[QueueState]


class Claims(msgspec.Struct):
    """What was leased; nothing if there was no item in time."""

    claims: list[Claim]


class Acknowledged(msgspec.Struct):
    """The claim whose item is done and removed."""

    claim_id: str


class GivenBack(msgspec.Struct):
    """The claim that was given back, and whether its item is a dead letter now."""

    claim_id: str
    dead: bool


class Extended(msgspec.Struct):
    """The claim whose lease goes on, and until when."""

    claim_id: str
    lease_expires_at: Instant


class DeadLetters(msgspec.Struct):
    """Dead letters, and what to ask for the next ones after, null if these are the last."""

    dead: list[DeadLetter]
    next: int | None


class Requeued(msgspec.Struct):
    """How many dead letters are items again."""

    requeued: int


class Discarded(msgspec.Struct):
    """The dead letter that was deleted."""

    id: str


class MachineStatus(msgspec.Struct):
    """What a machine said of itself last, and how many seconds ago."""

    pipe_id: str
    status: msgspec.Raw
    last_updated: int
    details: msgspec.Raw
    last_seen_age_s: float


class Machines(msgspec.Struct):
    """All machines, by name."""

    machines: list[MachineStatus]
