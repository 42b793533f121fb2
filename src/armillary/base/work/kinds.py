"""What a worker can do: kinds of orders with their handlers, and what handlers are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from armillary.base.database import Database
from armillary.base.signals import Signals
from armillary.base.work.claim import Claim
from armillary.base.work.retry import Retry
from armillary.settings import Settings


class Surroundings(Protocol):
    """The part of a process's context that the engine itself needs."""

    @property
    def database(self) -> Database:
        """The database, open in the worker's role."""
        ...

    @property
    def settings(self) -> Settings:
        """Every knob."""
        ...

    @property
    def signals(self) -> Signals:
        """The signals of the process."""
        ...


C = TypeVar("C", bound=Surroundings)


@dataclass(frozen=True, slots=True)
class Kind(Generic[C]):
    """One kind of work and who does it.

    The handler gets up to ``batch`` claims per call. Up to ``fold`` further orders of the same key and kind
    that follow a claimed one directly come along as its followers. What the handler neither completes nor
    fails counts as completed.

    A stop lets handlers finish, unless their kind is ``interruptible``: those are cancelled at once, and what
    they have not ended is queued again as if they had never begun.
    """

    name: str
    handler: Callable[[C, Sequence[Claim]], Awaitable[None]]
    batch: int = 1
    fold: int = 0
    retry: Retry | None = None
    interruptible: bool = False
