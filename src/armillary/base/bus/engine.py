"""The bus in the database of the project: samples in a table, their order in a topic of the feed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.bus import store
from armillary.base.bus.clocks import SourceClocks
from armillary.base.bus.delivery import TOPIC, pieces_of
from armillary.base.bus.errors import TooManySamples
from armillary.base.bus.models import (
    EVERYTHING,
    LATEST,
    MOST_SAMPLES,
    PLACE_BITS,
    AsOf,
    Filter,
    Health,
    Published,
    Question,
    Range,
    Reject,
    Sample,
    Start,
    Stored,
)
from armillary.base.bus.payloads import Encoded, Unstorable, encode
from armillary.base.clock import Clock
from armillary.base.database import Database
from armillary.base.database_errors import is_full, is_transient, is_undone, reason_of
from armillary.base.feed import consumers, horizon, reader
from armillary.base.feed.errors import FeedCursorGone
from armillary.base.feed.models import Cursor, Entry, Page
from armillary.base.log import get_logger
from armillary.base.signals import Signals
from armillary.base.text import storable

log = get_logger(__name__)
LONGEST_NAME = 200
PORTION = 500
"""Samples of one statement: more would keep the event loop from others for too long."""
PAGE = 50
"""Batches that a follower is given at once."""
ATTEMPTS = 4
"""How often samples are stored that other publishers of the same ones keep from it."""
RETRY_S = 0.5
"""Pause of a follower whose database is away; it goes on where it was."""
_BIGINT = 1 << 63
Rows = list[store.Row]


class PostgresBus:
    """Samples in PostgreSQL.

    Parameters
    ----------
    tai
        What tells an instant as TAI nanoseconds.
    max_payload
        Bytes of one payload; a sample with more is refused.
    skew_ns
        How far the event time of a sample may be from its arrival before it is flagged.
    clocks
        What tells when samples were valid that say so in their payloads alone.
    """

    def __init__(
        self,
        database: Database,
        signals: Signals,
        clock: Clock,
        *,
        tai: Callable[[datetime], int],
        max_payload: int,
        skew_ns: int,
        clocks: SourceClocks | None = None,
    ) -> None:
        self._clocks = clocks or SourceClocks()
        self._database, self._signals, self._clock, self._tai = database, signals, clock, tai
        self._max_payload, self._skew_ns = max_payload, skew_ns

    def now(self) -> int:
        """Return the present instant, TAI nanoseconds."""
        return self._tai(self._clock.now())

    async def publish(self, samples: Sequence[Sample]) -> Published:
        """Store samples in one transaction; when this returns they are durable, and every answer knows them.

        Raises
        ------
        TooManySamples
            If there are more than ``MOST_SAMPLES``; nothing is stored.
        """
        rows, places, rejects = await self.judged(samples)
        found = await self.store_rows(rows)
        duplicates = [places[at] for at, offset in enumerate(found) if offset is None]
        return Published([one for one in found if one is not None], duplicates, rejects)

    async def judged(self, samples: Sequence[Sample]) -> tuple[Rows, list[int], list[Reject]]:
        """Return what is stored of samples, the place of each, and those that are refused.

        Raises
        ------
        TooManySamples
            If there are more than ``MOST_SAMPLES``.
        """
        if len(samples) > MOST_SAMPLES:
            raise TooManySamples(
                f"{len(samples)} samples, over the limit of {MOST_SAMPLES}; split the request."
            )
        received = self.now()
        rows, places, rejects = Rows(), list[int](), list[Reject]()
        for place, one in enumerate(samples):
            if place and place % PORTION == 0:
                await asyncio.sleep(0)
            try:
                rows.append(self._row(one, received))
                places.append(place)
            except Unstorable as error:
                rejects.append(Reject(place, str(error)))
        return rows, places, rejects

    def _row(self, one: Sample, received: int) -> store.Row:
        encoded = admissible(one, self._max_payload)
        times = (self._clocks.time_of(one), one.expires, received)
        return one.source, one.topic, one.epoch, one.seq, one.kind, *times, encoded.text, encoded.odd

    async def store_rows(self, rows: Rows) -> list[int | None]:
        """Store rows in one transaction; return the offset of each, None for what was there."""
        if not rows:
            return []
        for attempt in range(ATTEMPTS):
            try:
                return await self._store(rows)
            except Exception as error:
                # Others who store the same samples in another order of batches: one of us has to yield.
                last = attempt == ATTEMPTS - 1
                if last or not (is_transient(error) and is_undone(error)) or is_full(error):
                    raise
        raise AssertionError("unreachable")

    async def _store(self, rows: Rows) -> list[int | None]:
        found: list[int | None] = []
        async with self._database.begin() as connection:
            for at in range(0, len(rows), PORTION):
                portion = rows[at : at + PORTION]
                first, stored = await store.publish(connection, portion, self._skew_ns)
                offsets: list[int | None] = [None] * len(portion)
                for offset in stored:
                    offsets[offset - first] = offset
                found += offsets
        return found

    async def answer(self, questions: Sequence[Question]) -> list[list[Stored]]:
        """Answer all questions in one round trip, each by its samples in the order of (t_event, seq)."""
        if not questions:
            return []
        async with self._database.look() as connection:
            return await store.answer(connection, questions)

    async def asof(
        self, source: str, topic: str, t: int, *, match: tuple[str, str] | None = None
    ) -> Stored | None:
        """Answer one question about an instant."""
        (found,) = await self.answer([AsOf(source, topic, t, match)])
        return found[0] if found else None

    async def range(self, source: str, topic: str, t0: int, t1: int) -> list[Stored]:
        """Answer one question about an interval."""
        (found,) = await self.answer([Range(source, topic, t0, t1)])
        return found

    async def watermark(self, source: str, topic: str) -> int | None:
        """Return the latest event time of a topic, None if nothing is known of it."""
        async with self._database.look() as connection:
            return await store.watermark(connection, source, topic)

    async def health(self) -> Health:
        """Tell how the bus is."""
        async with self._database.look() as connection:
            newest = await store.newest(connection)
        return Health(*newest) if newest else Health(None, None)

    async def subscribe(
        self, wanted: Filter = EVERYTHING, start: Start = LATEST
    ) -> AsyncGenerator[list[Stored], None]:
        """Yield what is stored, in order, for ever; an empty list at least every second.

        Raises
        ------
        FeedCursorGone
            If what follows the start is forgotten in part.
        """
        behind = -1 if start.offset is None else start.offset
        async with self._database.begin() as connection:
            first = await self._position(connection, start)

        async def read(connection: AsyncConnection, cursor: Cursor, most: int) -> Page[Stored]:
            if start.consumer is not None and cursor != first:
                await consumers.acknowledge(connection, TOPIC, start.consumer, cursor)
            page: Page[Entry] = await reader.page_after(connection, TOPIC, cursor, most)
            return await pieces_of(connection, page, wanted, behind=behind)

        cursor = first
        while True:
            pages = reader.follow(self._database, self._signals, TOPIC, cursor, read, limit=PAGE)
            try:
                async with aclosing(pages):
                    async for page in pages:
                        cursor = page.cursor
                        yield page.entries
            except Exception as error:
                if not is_transient(error):
                    raise
                log.info("samples not followed", error=reason_of(error))
            yield []
            await asyncio.sleep(RETRY_S)

    async def _position(self, connection: AsyncConnection, start: Start) -> Cursor:
        if start.consumer is not None:
            from_now = start.at == "latest"
            return await consumers.register(connection, TOPIC, start.consumer, from_now=from_now)
        if start.offset is not None:
            return await reader.position_before(connection, TOPIC, start.offset >> PLACE_BITS)
        if start.time is not None:
            return await self._since(connection, start.time)
        return await reader.position(connection, TOPIC, reader.NOW if start.at == "latest" else None)

    async def _since(self, connection: AsyncConnection, time: int) -> Cursor:
        offset = await _arrived_since(connection, time)
        if offset is None:
            return await reader.position(connection, TOPIC, reader.NOW)
        try:
            return await reader.position_before(connection, TOPIC, offset >> PLACE_BITS)
        except FeedCursorGone:
            # Nothing but values that are in force is kept of so early a time.
            return await reader.position(connection, TOPIC, None)

    async def retain(self, *, before: int, needed: int | None = None, portion: int = MOST_SAMPLES) -> int:
        """Forget samples that arrived before an instant, a portion in each transaction; return how many.

        What was in force at ``before`` stays, so that later instants are answered as ever; what is valid at
        ``needed`` or later stays as well, and what a consumer has not acknowledged.
        """
        await self._forget_announcements(before, portion)
        async with self._database.begin() as connection:
            begun = await horizon.beginning(connection, TOPIC)
        last, behind, total = ((begun.number + 1) << PLACE_BITS) - 1, -1, 0
        bound = before if needed is None else min(before, needed)
        while begun.number:
            async with self._database.begin() as connection:
                gone, seen = await store.forget(
                    connection, behind=behind, last=last, before=before, needed=bound, limit=portion
                )
            total += gone
            if seen is None:
                break
            behind = seen
        return total

    async def _forget_announcements(self, before: int, portion: int) -> None:
        # Announcements bear the time of the server, in UTC.
        noted = self._clock.now() - timedelta(microseconds=(self.now() - before) // 1000)
        while True:
            async with self._database.begin() as connection:
                if await horizon.forget(connection, TOPIC, before=noted, limit=portion) < portion:
                    return


def admissible(one: Sample, max_payload: int) -> Encoded:
    """Return the payload of a sample as it is stored; any engine refuses the same ones.

    Raises
    ------
    Unstorable
        Saying why, if no engine may store it.
    """
    for name in ("source", "topic", "epoch"):
        word = getattr(one, name)
        if not (0 < len(word) <= LONGEST_NAME and word.isprintable() and storable(word)):
            raise Unstorable(f"{name}: should be 1 to {LONGEST_NAME} printable characters")
    for name in ("seq", "t_event", "expires"):
        number = getattr(one, name)
        if number is not None and not -_BIGINT <= number < _BIGINT:
            raise Unstorable(f"{name}: does not fit into 64 bits")
    return encode(one.payload, max_payload)


async def _arrived_since(connection: AsyncConnection, time: int) -> int | None:
    """Return the offset of the first sample that arrived at an instant or later, None if there is none.

    Samples arrive in the order of offsets but for transactions that overlap, so it is searched by halves; no index
    is kept for a question that is asked so rarely.
    """
    newest = await store.newest(connection)
    if newest is None or newest[1] < time:
        return None
    low, high = 0, newest[0]
    while low < high:
        middle = (low + high) // 2
        found = await store.from_offset(connection, middle)
        if found is None or found[1] >= time:
            high = middle
        else:
            low = found[0] + 1
    found = await store.from_offset(connection, low)
    return found[0] if found else None
