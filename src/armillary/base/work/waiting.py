"""Waiting for the end of orders, on a signal instead of a clock."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from armillary.base.database import Database
from armillary.base.signals import Signals
from armillary.base.work.models import Outcome
from armillary.base.work.statements import DONE_CHANNEL
from armillary.base.work.store import outcomes


class Ends:
    """How some orders ended, as far as is known; each is looked up once, when its end is told."""

    def __init__(self, database: Database, order_ids: Iterable[int]) -> None:
        self._database = database
        self.missing = set(order_ids)
        self.found: dict[int, Outcome] = {}

    async def look(self, messages: Iterable[str | None] = (None,)) -> None:
        """Look those up whose ends are told; empty and missed messages may mean any."""
        # On a busy queue thousands of ends are told that concern others; only ours are worth a statement.
        told: set[int] = set()
        for message in messages:
            told |= set(map(int, message.split(","))) if message else self.missing
        if asked := told & self.missing:
            async with self._database.look() as connection:
                self.found |= await outcomes(connection, sorted(asked))
            self.missing -= self.found.keys()


async def wait_for(
    database: Database, signals: Signals, order_ids: Sequence[int], timeout_s: float
) -> dict[int, Outcome]:
    """Return how the orders ended, as soon as all have, or those that have when the time is up."""
    ends = Ends(database, order_ids)
    end = time.monotonic() + timeout_s
    # Listening comes first: what ends between the look and the wait is told.
    async with signals.subscribe(DONE_CHANNEL) as told:
        await ends.look()
        while ends.missing and (messages := await told.wait(max(0.0, end - time.monotonic()))):
            await ends.look(messages)
    return ends.found
