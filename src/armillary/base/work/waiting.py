"""Waiting for the end of orders, on a signal instead of a clock."""

from __future__ import annotations

import time
from collections.abc import Sequence

from armillary.base.database import Database
from armillary.base.signals import Signals
from armillary.base.work.models import Outcome
from armillary.base.work.statements import DONE_CHANNEL
from armillary.base.work.store import outcomes


async def wait_for(
    database: Database, signals: Signals, order_ids: Sequence[int], timeout_s: float
) -> dict[int, Outcome]:
    """Return how the orders ended, as soon as all have, or those that have when the time is up."""
    missing = set(order_ids)
    found: dict[int, Outcome] = {}
    end = time.monotonic() + timeout_s
    # Listening comes first: what ends between the look and the wait is told.
    async with signals.subscribe(DONE_CHANNEL) as ended:
        while True:
            async with database.begin() as connection:
                found |= await outcomes(connection, list(missing))
            missing -= found.keys()
            if not missing:
                return found
            # On a busy queue thousands of ends are told that concern others; only ours are worth a statement.
            while True:
                messages = await ended.wait(max(0.0, end - time.monotonic()))
                if not messages:
                    return found
                if _concern(messages, missing):
                    break


def _concern(messages: Sequence[str | None], missing: set[int]) -> bool:
    """Tell whether one of the orders may be meant; empty and missed messages may mean any."""
    return any(not m or not missing.isdisjoint(map(int, m.split(","))) for m in messages)
