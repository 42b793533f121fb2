"""What a worker can do: kinds of orders with their handlers, and what handlers are given."""

from __future__ import annotations

import asyncio
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


class Later(Generic[C]):
    """A handler that is loaded when it is first called: most commands call few of all that there are.

    A process that lives long loads it at its start (`Kind.load`): later another release may be installed.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name
        self._loaded: Handler[C] | None = None

    def load(self) -> Handler[C]:
        """Return the function itself."""
        self._loaded = self._loaded or cast("Handler[C]", getattr(import_module(self._module), self._name))
        return self._loaded

    async def get_ready(self) -> None:
        """Load the function in a thread, unless that is done."""
        if self._loaded is None:
            self._loaded = await asyncio.to_thread(self.load)

    async def __call__(self, context: C, claims: Sequence[Claim]) -> None:
        """Call the function."""
        await self.load()(context, claims)


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

    async def get_ready(self) -> None:
        """Load the handler, if that is still to be done, while the event loop goes on."""
        if isinstance(self.handler, Later):
            await self.handler.get_ready()
