"""Items in and out: what a web process holds to carry requests of many clients out together."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias
from uuid import UUID

import asyncpg

from armillary.base.database_errors import reason_of
from armillary.base.log import get_logger
from armillary.base.metrics import PIPE_ENQUEUED, PIPE_HANDED_OUT
from armillary.base.signals import Subscription
from armillary.context import Context
from armillary.pipe import store
from armillary.pipe.errors import UnknownQueue
from armillary.pipe.missing import Missing
from armillary.pipe.models import Item, NewItem, Numbered, Taken, Wanted, item_of
from armillary.pipe.pump import PATIENCE_S, Pump

log = get_logger(__name__)
_Stored: TypeAlias = Item | None
_Got: TypeAlias = Taken | UnknownQueue | None


class Exchange:
    """What enqueues and dequeues for the clients of one process.

    Requests wait ``patience_s`` for a database that is away.
    """

    def __init__(self, context: Context, *, patience_s: float = PATIENCE_S) -> None:
        self._context, self._patience_s = context, patience_s
        self._missing = Missing(context.clock.monotonic)
        self._in: Pump[NewItem, _Stored] = Pump(
            context.database, self._store, name="enqueue", patience_s=patience_s
        )
        self._out: Pump[Wanted, _Got] = Pump(
            context.database, self._take, name="dequeue", unwanted=self._return, patience_s=patience_s
        )
        self._returning: set[asyncio.Task[None]] = set()

    async def enqueue(self, new: NewItem) -> Item:
        """Store an item, or find the one that it repeats, and return it when it is durable.

        Raises
        ------
        UnknownQueue
            If there is no such queue, and none is made by sending to it.
        Unavailable
            If it was not stored, since the database is away.
        """
        if self._missing.knows(new.queue):
            raise UnknownQueue(f"Queue does not exist: {new.queue}")
        generation = self._missing.generation
        item = await self._in.ask(new)
        if item is None:
            self._missing.note(new.queue, generation)
            raise UnknownQueue(f"Queue does not exist: {new.queue}")
        if item.payload is new.payload.raw:
            PIPE_ENQUEUED.inc()
        return item

    async def dequeue(self, wanted: Wanted) -> Item | None:
        """Take the oldest item out of a queue for good, and return it; None if there is none.

        An item whose caller is gone before it could be sent goes back to its place.

        Raises
        ------
        UnknownQueue
            If there is no such queue.
        Unavailable
            If nothing was taken, since the database is away.
        """
        got = await self._out.ask(wanted)
        if isinstance(got, UnknownQueue):
            raise got
        if got is None:
            return None
        if wanted.is_gone():
            self._return([got])
            return None
        PIPE_HANDED_OUT.inc()
        return got.item

    def forget_missing(self) -> None:
        """Ask for queues again that were missing: there may be a new one."""
        self._missing.forget()

    async def close(self) -> None:
        """Finish what is under way, and what is to go back."""
        await self._in.close()
        await self._out.close()
        if self._returning:
            await asyncio.wait(self._returning, timeout=self._patience_s)

    async def _store(
        self, connection: asyncpg.Connection, writer: UUID, batch: int, items: Sequence[NewItem]
    ) -> list[_Stored]:
        now_ms = int(self._context.clock.now().timestamp() * 1000)
        # The digits tell items of one millisecond apart, and protect nothing.
        numbered = [Numbered(one, f"{now_ms}_{random.getrandbits(32):08x}", now_ms) for one in items]
        settings = self._context.settings.pipe
        rows = await store.insert_items(
            connection,
            writer,
            batch,
            numbered,
            keep_s=settings.idempotency_h * 3600,
            make=settings.auto_create_queues,
        )
        stored: list[_Stored] = [
            Item(one.id, one.item.queue, one.item.payload.raw, one.created_ms, one.item.sender)
            for one in numbered
        ]
        for row in rows:
            place = row["place"] - 1
            former = None if row["missing"] else item_of({**row, "queue_name": items[place].queue})
            stored[place] = former
        return stored

    async def _take(
        self, connection: asyncpg.Connection, writer: UUID, batch: int, wanted: Sequence[Wanted]
    ) -> list[_Got]:
        # Those who are gone already are not given anything.
        served = [not one.is_gone() for one in wanted]
        counts = Counter(one.queue for one, serve in zip(wanted, served, strict=True) if serve)
        taken = await store.take_items(connection, writer, batch, counts) if counts else {}
        rest = {name: deque(items) for name, items in taken.items()}
        # Whoever asked first gets the oldest.
        return [
            None if not serve else self._next(rest, one.queue)
            for one, serve in zip(wanted, served, strict=True)
        ]

    @staticmethod
    def _next(rest: dict[str, deque[Taken]], queue: str) -> _Got:
        if queue not in rest:
            return UnknownQueue(f"Queue does not exist: {queue}")
        return rest[queue].popleft() if rest[queue] else None

    def _return(self, got: Sequence[_Got]) -> None:
        """Put items back that reached nobody; those of the others it has not."""
        if taken := [one for one in got if isinstance(one, Taken)]:
            task = asyncio.create_task(self._put_back(taken))
            self._returning.add(task)
            task.add_done_callback(self._returning.discard)

    async def _put_back(self, taken: Sequence[Taken]) -> None:
        log.info("items go back, since nobody waits for them", items=[one.item.id for one in taken])
        pause_s = 0.1
        while True:
            try:
                async with self._context.database.begin() as connection:
                    await store.put_back(connection, taken)
                    for queue in {one.queue_id for one in taken}:
                        await store.tell_free(connection, queue)
            except Exception as error:
                # Whatever it is: nobody else has the item.
                log.warning("items not back yet", error=reason_of(error))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, 5.0)
            else:
                return


@asynccontextmanager
async def opened(context: Context) -> AsyncIterator[Exchange]:
    """Open the exchange of a process, which hears of queues that others make."""
    exchange = Exchange(context)
    async with context.signals.subscribe(store.QUEUE_CHANNEL) as subscription:
        follower = asyncio.create_task(_follow(exchange, subscription))
        try:
            yield exchange
        finally:
            follower.cancel()
            with suppress(asyncio.CancelledError):
                await follower
            await exchange.close()


async def _follow(exchange: Exchange, subscription: Subscription) -> None:
    # A message that there may have been others is as good a reason as any.
    async for _ in subscription:
        exchange.forget_missing()
