"""Work in threads that ends early when nobody waits for it any more, or when its time is up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from armillary.base.sandbox.errors import OutOfTime

T = TypeVar("T")


class Halted(Exception):
    """Nobody waits for this work any more."""


class Halt:
    """What the work asks between two steps."""

    def __init__(self, seconds: float) -> None:
        self._told = threading.Event()
        self._end = time.monotonic() + seconds

    def tell(self) -> None:
        """Let the work end at its next step."""
        self._told.set()

    def passing(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield chunks as long as the work may go on.

        Raises
        ------
        OutOfTime
            If its time is up.
        """
        for chunk in chunks:
            if self._told.is_set():
                raise Halted
            if time.monotonic() > self._end:
                raise OutOfTime
            yield chunk


async def in_thread(work: Callable[[Halt], T], *, seconds: float) -> T:
    """Run work in a thread; when this is cancelled, the work ends at its next step.

    Raises
    ------
    OutOfTime
        If it takes longer.
    """
    halt = Halt(seconds)
    try:
        return await asyncio.to_thread(work, halt)
    except asyncio.CancelledError:
        halt.tell()
        raise
