"""Following the events of an instrument: each moves its exposure, in the transaction that acknowledges it.

So do late samples: which exposures are looked at again is written down with the position behind them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.bus.delivery import TOPIC, pieces_of, register_consumer
from armillary.base.bus.models import Filter, Stored
from armillary.base.database import driver
from armillary.base.feed import store as feed
from armillary.base.feed.models import Cursor, Page
from armillary.base.feed.reader import follow, page_after
from armillary.base.log import get_logger
from armillary.context import Context
from armillary.headers.exposures import store
from armillary.headers.exposures.machine import absorb, image_of, name_of, place_of, touched
from armillary.headers.exposures.models import Exposure, Seen, Step
from armillary.headers.render.routes import longest_reach
from armillary.headers.services import store as services
from armillary.headers.services.configuration import Configuration
from armillary.headers.services.metrics import EVENTS, STRANGE
from armillary.headers.services.models import TakenOver
from armillary.headers.services.register import Register

log = get_logger(__name__)
PAGE, WRITE_S = 100, 1.0
"""Batches of samples that are read at once; seconds after which the position is written without an event."""
Event = tuple[str, str, Seen]
"""Image id, moment, event."""


def consumer_of(instrument: str) -> str:
    """Return the name by which the service of an instrument reads the bus."""
    return f"headers of {instrument}"


async def register(context: Context, instrument: str) -> Cursor:
    """Let the bus keep samples for a service from now on, and return where it stands."""
    async with context.database.begin() as connection:
        return await register_consumer(connection, consumer_of(instrument))


class Follower:
    """What reads the bus for a service, by the authority of an ``epoch``.

    ``current`` says whether everything that was stored some moments ago has been looked at: only then is an event
    known not to have come. ``foresee`` is told how an exposure will be before that is written down. ``wanted`` is
    asked before each page, and the first page that is not wanted is left in the bus.
    """

    def __init__(
        self,
        context: Context,
        known: Register,
        configuration: Configuration,
        epoch: int,
        foresee: Callable[[Exposure], None] = lambda _: None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._context, self._known, self._epoch, self._foresee = context, known, epoch, foresee
        self._wanted = wanted
        self.current = False
        self._written_at = time.monotonic()
        self._acknowledged = self._cursor = Cursor()
        self.use(configuration)

    def use(self, configuration: Configuration) -> None:
        """Go by a configuration for exposures that start later."""
        self.configuration = configuration
        self._events = configuration.events
        self._channels = Filter(tuple(sorted(configuration.channels)))
        self._reach = longest_reach(configuration.recipe)

    async def pages(self, start: Cursor) -> AsyncGenerator[list[Stored], None]:
        """Yield the samples of each page after its events have been written down, as long as they are wanted."""
        self._acknowledged = self._cursor = start
        signals, database = self._context.signals, self._context.database
        async for page in follow(database, signals, TOPIC, start, self._read, limit=PAGE):
            # Whoever was told that the service takes no events any more may rely on it: what comes later waits.
            if not self._wanted():
                return
            await self._take(page)
            self.current = not page.more and not page.unsettled
            yield page.entries

    async def _read(self, connection: AsyncConnection, cursor: Cursor, limit: int) -> Page[Stored]:
        page = await page_after(connection, TOPIC, cursor, limit)
        return await pieces_of(connection, page, self._channels)

    async def _take(self, page: Page[Stored]) -> None:
        events = [one for sample in page.entries for one in self._events_of(sample)]
        late = self._late(page.entries)
        self._cursor = page.cursor
        # A position that no exposure hangs on is written from time to time: what is read again has no effect.
        idle = time.monotonic() - self._written_at > WRITE_S
        if events or late is not None or (idle and self._cursor != self._acknowledged):
            await self._write(events, late)

    def _late(self, samples: Sequence[Stored]) -> int | None:
        """Return since when exposures end that may be finished and lack one of the samples; None if none may.

        It goes by the present and not by arrival: what waited on disk for the database arrived before that.
        """
        age = self.configuration.recipe.timing.d2 - self._reach
        before = self._context.bus.now() - age
        found = [one.t_event for one in samples if one.t_event <= before]
        return min(found) - self._reach if found else None

    def _events_of(self, sample: Stored) -> list[Event]:
        found: list[Event] = []
        for moment, entry in self._events.get((sample.source, sample.topic), ()):
            EVENTS.labels(self._known.instrument).inc()
            named = image_of(entry, sample.payload)
            if named is None:
                STRANGE.labels(self._known.instrument).inc()
                log.warning("event names no image", source=sample.source, topic=sample.topic, seq=sample.seq)
                continue
            found.append((named, moment, seen_of(sample)))
        return found

    async def _write(self, events: Sequence[Event], late: int | None) -> None:
        names = {named for named, _, _ in events}
        if late is not None:
            names |= await self._concerned(late)
        async with self._known.alone(names):
            try:
                async with self._context.database.begin() as transaction:
                    if not await services.hold(
                        await driver(transaction), self._known.instrument, self._epoch
                    ):
                        raise TakenOver
                    changed = await self._apply(transaction, events)
                    if late is not None:
                        changed += await self._touch(transaction, names, late, changed)
                    await feed.acknowledge(
                        transaction, TOPIC.name, consumer_of(self._known.instrument), self._cursor.position
                    )
            except BaseException:
                # Whether it was written is not known.
                for named in names:
                    self._known.forget(named)
                raise
            for one in changed:
                self._known.put(one)
        self._acknowledged, self._written_at = self._cursor, time.monotonic()

    async def _concerned(self, late: int) -> set[str]:
        """Return the image ids of exposures that a header has been made of, or begun, without a late sample.

        What is begun from now on knows it, since it was stored before it was read here.
        """
        building = {one.named for one in self._known.concerned(late)}
        async with self._context.database.raw() as connection:
            return building | set(await store.finished(connection, self._known.instrument, late))

    async def _touch(
        self, transaction: AsyncConnection, names: Collection[str], late: int, changed: Sequence[Exposure]
    ) -> list[Exposure]:
        """Let exposures of these ids be looked at again, but for those that have changed anyway."""
        connection = await driver(transaction)
        await self._known.read(connection, names)
        late_ns = int(self._context.settings.headers.late_s * 1e9)
        due, done = self._context.bus.now() + late_ns, {one.id for one in changed}
        moved: list[Exposure] = []
        for one in (one for named in names for one in self._known.bearing(named)):
            if one.last_t >= late and one.id not in done:
                after = touched(one, due=due, building=one.id in self._known.building)
                moved += [after] if after is not one else []
        await store.touch(connection, moved)
        return moved

    async def _apply(self, transaction: AsyncConnection, events: Sequence[Event]) -> list[Exposure]:
        connection = await driver(transaction)
        await self._known.read(connection, (named for named, _, _ in events))
        takes = {named: self._known.bearing(named) for named, _, _ in events}
        changed: dict[str, Exposure] = {}
        steps: list[tuple[str, Step]] = []
        for named, moment, seen in events:
            one = place_of(takes[named], moment, seen) or self._new(named, takes[named], seen)
            moved, made = absorb(one, moment, seen, self.configuration.recipe)
            if moved is one:
                continue
            takes[named] = [moved if old.image_id == moved.image_id else old for old in takes[named]]
            if moved.image_id not in {old.image_id for old in takes[named]}:
                takes[named].append(moved)
            changed[moved.image_id] = moved
            steps += [(moved.image_id, step) for step in made]
        for one in changed.values():
            if one.id:
                self._foresee(one)
        for image_id, one in changed.items():
            if one.id:
                await store.update(connection, one)
            else:
                changed[image_id] = structs.replace(one, id=await store.insert(connection, one))
        await store.note(connection, [(changed[image_id].id, step) for image_id, step in steps])
        return list(changed.values())

    def _new(self, named: str, takes: Sequence[Exposure], seen: Seen) -> Exposure:
        if takes:
            log.error(
                "image id used again",
                instrument=self._known.instrument,
                image=named,
                kept_as=name_of(named, len(takes)),
            )
        return Exposure(
            instrument=self._known.instrument,
            image_id=name_of(named, len(takes)),
            named=named,
            config=self.configuration.id,
            opened_at=seen.received,
        )


def seen_of(sample: Stored) -> Seen:
    """Return a sample as the event that it is."""
    return Seen(
        t=sample.t_event,
        received=sample.t_received,
        source=sample.source,
        topic=sample.topic,
        epoch=sample.epoch,
        seq=sample.seq,
        payload=sample.payload,
    )
