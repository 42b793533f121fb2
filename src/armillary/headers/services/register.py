"""The exposures that a service works on: a cache of their rows, of which it is the only writer."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from armillary.headers.exposures import store
from armillary.headers.exposures.models import Because, Exposure

REMEMBERED = 1000
"""Image ids without anything due that are kept in memory; others are read again when an event names them."""


class Register:
    """Exposures by number, and by the id that their events bear."""

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self._known: dict[int, Exposure] = {}
        self._bearing: OrderedDict[str, list[int]] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}
        self.building: set[int] = set()
        """Those of which a header is being made, by what was known when that began."""

    async def load(self, connection: Any) -> None:
        """Read what is due at some time, and forget the rest."""
        self._known.clear()
        self._bearing.clear()
        due = await store.with_due(connection, self.instrument)
        await self.read(connection, {one.named for one in due})

    async def read(self, connection: Any, names: Iterable[str]) -> None:
        """Read the exposures that bear image ids which are not known."""
        wanted = [name for name in dict.fromkeys(names) if name not in self._bearing]
        if not wanted:
            return
        self._bearing.update({name: [] for name in wanted})
        for one in await store.bearing(connection, self.instrument, wanted):
            self.put(one)

    def bearing(self, named: str) -> list[Exposure]:
        """Return the exposures that bear an image id, the oldest first."""
        return [self._known[number] for number in self._bearing.get(named, ())]

    def get(self, number: int) -> Exposure | None:
        """Return an exposure, if it is known."""
        return self._known.get(number)

    def put(self, one: Exposure) -> None:
        """Take an exposure as its row is now."""
        self._known[one.id] = one
        numbers = self._bearing.setdefault(one.named, [])
        if one.id not in numbers:
            numbers.append(one.id)
        self._bearing.move_to_end(one.named)

    def forget(self, named: str) -> None:
        """Forget an image id, whose rows may be others than we know."""
        for number in self._bearing.pop(named, ()):
            self._known.pop(number, None)

    def trim(self) -> None:
        """Forget ids that nothing has been heard of for long and of which nothing is due."""
        for named in list(self._bearing):
            if len(self._bearing) <= REMEMBERED:
                return
            if not any(one.due is not None for one in self.bearing(named)):
                self.forget(named)
                if not self._locks.get(named, _FREE).locked():
                    self._locks.pop(named, None)

    def due(self) -> list[Exposure]:
        """Return the exposures of which a header is to be made at some time, the earliest first."""
        found = [one for one in self._known.values() if one.due is not None]
        return sorted(found, key=lambda one: (one.due or 0, one.id))

    def concerned(self, t: int) -> list[Exposure]:
        """Return the exposures that end at ``t`` or later and of which a header is being made."""
        found = [self._known[number] for number in self.building if number in self._known]
        return [one for one in found if one.last_t >= t]

    def settling(self) -> list[Exposure]:
        """Return the exposures that wait for the samples of some keywords."""
        return [one for one in self._known.values() if one.because is Because.SETTLE]

    @asynccontextmanager
    async def alone(self, names: Iterable[str]) -> AsyncIterator[None]:
        """Let nobody else write exposures of these image ids."""
        async with AsyncExitStack() as stack:
            # In one order, so that two never wait for each other.
            for name in sorted(set(names)):
                await stack.enter_async_context(self._locks.setdefault(name, asyncio.Lock()))
            yield


_FREE = asyncio.Lock()
