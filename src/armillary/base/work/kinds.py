"""What a worker can do: kinds of orders with their handlers, and what handlers are given."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Generic, Protocol, TypeVar, cast

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
Handler = Callable[[C, Sequence[Claim]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Later(Generic[C]):
    """Where a handler is that is loaded when there is work for it: most commands have some for few of all.

    A process that lives long loads it at its start (`Kind.load`): later another release may be installed.
    """

    module: str
    name: str

    @property
    def is_loaded(self) -> bool:
        """Whether to load it takes no time."""
        return self.module in sys.modules

    def load(self) -> Handler[C]:
        """Return the function itself."""
        return cast("Handler[C]", getattr(import_module(self.module), self.name))


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
    handler: Handler[C] | Later[C]
    batch: int = 1
    fold: int = 0
    retry: Retry | None = None
    interruptible: bool = False

    def load(self) -> Handler[C]:
        """Return the handler, with all that it needs."""
        return self.handler.load() if isinstance(self.handler, Later) else self.handler

    async def loaded(self) -> Handler[C]:
        """Return the handler; if it has to be loaded first, the event loop goes on meanwhile."""
        if isinstance(self.handler, Later) and not self.handler.is_loaded:
            return await asyncio.to_thread(self.load)
        return self.load()
