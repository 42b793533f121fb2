"""What takes long to make and is asked for by several at once: it is made once, and kept for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Shared:
    """Results by key; those that were used longest ago go when all together have more than so many bytes."""

    def __init__(self, most: int) -> None:
        self._most, self._total = most, 0
        self._running: dict[Hashable, asyncio.Task[Any]] = {}
        self._kept: dict[Hashable, tuple[Any, int]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]], size: Callable[[T], int]) -> T:
        """Return what is kept under a key, or what ``make`` returns, whoever called it.

        ``size`` tells how many bytes it has. If it fails, all who wait for it fail alike, and the next one tries
        again.
        """
        if key in self._kept:
            found, bytes_ = self._kept.pop(key)
            self._kept[key] = found, bytes_
            result: T = found
            return result
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._made(key, make, size))
            # If nobody waits any more, nobody is told how it failed.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Who asked first may go away before the others.
        made: T = await asyncio.shield(task)
        return made

    async def _made(self, key: Hashable, make: Callable[[], Awaitable[T]], size: Callable[[T], int]) -> T:
        try:
            made = await make()
            self._keep(key, made, size(made))
            return made
        finally:
            del self._running[key]

    def _keep(self, key: Hashable, made: Any, size: int) -> None:
        self._kept[key] = made, size
        self._total += size
        for oldest in [*self._kept]:
            if self._total <= self._most:
                break
            self._total -= self._kept.pop(oldest)[1]
