"""Watching orders change: how they stand, and whenever one stands otherwise."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence

from armillary.base.database import Database
from armillary.base.signals import Signals
from armillary.base.work.admin import Standing, standings
from armillary.base.work.models import TERMINAL
from armillary.base.work.statements import DONE_CHANNEL

LOOK_S = 0.5
"""Ends are announced; that an order begins is not, and is seen at the next look."""
MOST = 1000


async def watch_order(
    database: Database, signals: Signals, order_id: int
) -> AsyncGenerator[list[Standing], None]:
    """Yield how an order stands, then every change until it has ended or is forgotten; empty lists between."""
    last: Standing | None = None
    async with signals.subscribe(DONE_CHANNEL) as ended:
        while last is None or last.state not in TERMINAL:
            async with database.begin() as connection:
                now = (await standings(connection, [order_id])).get(order_id)
            if now is None:
                return
            yield [now] if now != last else []
            last = now
            if now.state not in TERMINAL:
                await ended.wait(LOOK_S)


async def watch_all(database: Database, signals: Signals) -> AsyncGenerator[list[Standing], None]:
    """Yield the oldest unfinished orders, then what changes among them and whatever ends; empty lists between.

    No more than ``MOST`` are kept in mind. What lasts shorter than a look may go unseen, but for the end.
    """
    known: dict[int, Standing] = {}
    told: Sequence[int] = ()
    async with signals.subscribe(DONE_CHANNEL) as ended:
        while True:
            async with database.begin() as connection:
                now = await standings(connection, [*known, *told], unfinished=MOST)
            yield [one for number, one in now.items() if one != known.get(number)]
            known = {number: one for number, one in now.items() if one.state not in TERMINAL}
            told = _ids(await ended.wait(LOOK_S))


def _ids(messages: Iterable[str | None]) -> list[int]:
    """Return the ids of orders that messages announce."""
    return [int(number) for message in messages if message for number in message.split(",")][-MOST:]
