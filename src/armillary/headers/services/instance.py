"""The process of a header service: one per instrument holds the office, and another one waits for it.

Whatever fails for a while, the database, a disk, a single image, the process stays and goes on: its state is
in the database, and what it has in memory is read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

from msgspec import structs
from prometheus_client import generate_latest

from armillary import __version__
from armillary.base.alone import Office, alone
from armillary.base.bus.models import Stored
from armillary.base.database_errors import is_transient, reason_of
from armillary.base.log import get_logger
from armillary.base.metrics import REGISTRY
from armillary.context import Context
from armillary.errors import ArmillaryError
from armillary.headers.exposures.models import Because, Exposure
from armillary.headers.render.models import CODE_REV
from armillary.headers.services import store
from armillary.headers.services.building import Builder
from armillary.headers.services.configuration import Configuration, kept
from armillary.headers.services.following import Follower, register
from armillary.headers.services.metrics import OPEN
from armillary.headers.services.models import FOLLOWING, Facts, Service, ServiceState, TakenOver
from armillary.headers.services.register import Register

log = get_logger(__name__)
BEAT_S, PASSIVE_S, FIRST_S, LAST_S = 1.0, 1.0, 0.1, 2.0
PARALLEL = 8
"""Exposures that are built at once."""
_WAITS_FOR_EVENTS = frozenset({Because.DEADLINE})


def lock_of(instrument: str) -> int:
    """Return the number of the lock that the active service of an instrument holds."""
    return int.from_bytes(
        hashlib.sha256(f"header service {instrument}".encode()).digest()[:8], "big", signed=True
    )


class Instance:
    """A service at work, as long as it holds the office."""

    def __init__(self, context: Context, service: Service, stop: asyncio.Event) -> None:
        self.context, self.service, self._stop = context, service, stop
        self.instrument = service.instrument
        self.known = Register(service.instrument)
        self.builder = Builder(context, self.known, service.epoch)
        self.configuration: Configuration | None = None
        self.follower: Follower | None = None
        self.log_level = os.environ.get("ARMILLARY_LOG", "WARNING")
        self._building: dict[int, asyncio.Task[None]] = {}
        self._wake, self._moved = asyncio.Event(), asyncio.Event()

    async def load(self) -> None:
        """Take up the state and the configuration that the service remembers."""
        if self.service.state is ServiceState.OFFLINE:
            await self.move(ServiceState.STANDBY)
        if self.service.state in FOLLOWING:
            try:
                async with self.context.database.raw() as connection:
                    found = await kept(connection, self.service.config or 0)
                await self.use(found)
            except ArmillaryError as error:
                if is_transient(error):
                    raise
                await self.fault(error.code, error.message)

    async def use(self, configuration: Configuration) -> None:
        """Go by a configuration, which is kept, for exposures that start later."""
        await self.builder.know(configuration)
        self.configuration = configuration
        if self.follower is not None:
            self.follower.use(configuration)

    async def move(self, state: ServiceState, *, code: str | None = None, message: str | None = None) -> None:
        """Come to a state, which is remembered.

        Raises
        ------
        TakenOver
            If another process is the service by now.
        """
        number = self.configuration.id if self.configuration else None
        moved = structs.replace(self.service, state=state, error_code=code, message=message, config=number)
        async with self.context.database.raw() as connection:
            if not await store.move(connection, moved):
                raise TakenOver
        log.info("header service moved", instrument=self.instrument, state=state.value, code=code)
        self.service = moved
        self._moved.set()
        self._wake.set()

    async def fault(self, code: str, message: str) -> None:
        """Stop work, since only somebody else can mend what is wrong."""
        log.error("header service at fault", instrument=self.instrument, code=code, message=message)
        await self.move(ServiceState.FAULT, code=code, message=message)

    def facts(self) -> Facts:
        """Return what the process tells of itself."""
        configuration, due = self.configuration, self.known.due()
        OPEN.labels(self.instrument).set(len(due))
        return Facts(
            version=__version__,
            pid=os.getpid(),
            host=socket.gethostname(),
            config_rev=configuration.recipe.rev if configuration else None,
            template_revs={name: one.rev for name, one in configuration.templates.items()}
            if configuration
            else {},
            code_rev=CODE_REV,
            simulation=self.builder.simulated,
            log_level=self.log_level,
            open_exposures=len(due),
            backlog=self.follower is not None and not self.follower.current,
        )

    def wake(self) -> None:
        """Let what is due be looked for."""
        self._wake.set()

    async def follow(self) -> None:
        """Take in events as long as the state wants that."""
        while not self._stop.is_set():
            if self.service.state not in FOLLOWING or self.configuration is None:
                await self._until_moved()
                continue
            start = await register(self.context, self.instrument)
            async with self.context.database.raw() as connection:
                await self.known.load(connection)
            self.follower = Follower(
                self.context,
                self.known,
                self.configuration,
                self.service.epoch,
                self._foresee,
                self._follows,
            )
            try:
                async with aclosing(self.follower.pages(start)) as pages:
                    async for samples in pages:
                        self._look_at(samples)
            finally:
                self.follower = None

    def _follows(self) -> bool:
        return self.service.state in FOLLOWING and not self._stop.is_set()

    def _foresee(self, exposure: Exposure) -> None:
        if self.service.state is ServiceState.ENABLED:
            self.builder.foresee(exposure)

    async def _until_moved(self) -> None:
        self._moved.clear()
        waiting = [asyncio.create_task(one.wait()) for one in (self._moved, self._stop)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    def _look_at(self, samples: list[Stored]) -> None:
        if samples:
            for one in self.known.settling():
                self.known.put(structs.replace(one, due=0))
            self.known.trim()
        self._wake.set()

    async def build(self) -> None:
        """Make headers when they are due, as long as the state wants that."""
        try:
            while not self._stop.is_set():
                self._wake.clear()
                pause_s = self._start_due() if self.service.state is ServiceState.ENABLED else None
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause_s if pause_s is not None else BEAT_S)
                for task in [one for one in self._building.values() if one.done()]:
                    task.result()
                self._building = {number: one for number, one in self._building.items() if not one.done()}
        finally:
            for task in self._building.values():
                task.cancel()
            await asyncio.gather(*self._building.values(), return_exceptions=True)
            self._building.clear()

    def _start_due(self) -> float | None:
        """Begin what is due, and return the seconds until something else is."""
        now = self.context.bus.now()
        current = self.follower is not None and self.follower.current
        for one in self.known.due():
            if len(self._building) >= PARALLEL:
                return None
            if (one.due or 0) > now:
                return ((one.due or 0) - now) / 1e9
            # What has not come may only be late in being read.
            if one.id in self._building or (one.because in _WAITS_FOR_EVENTS and not current):
                continue
            task = asyncio.create_task(self._build(one.id))
            task.add_done_callback(lambda _: self._wake.set())
            self._building[one.id] = task
        return None

    async def _build(self, number: int) -> None:
        await self.builder.build(number)

    async def beat(self, office: Office) -> None:
        """Tell every second that the process lives, as long as it holds the office."""
        while not self._stop.is_set():
            await office.check()
            facts = self.facts()
            # Of all callbacks of the event loop this one would take the most time.
            metrics = await self.builder.apart(generate_latest, REGISTRY)
            async with self.context.database.raw() as connection:
                await store.beat(connection, self.instrument, facts, metrics.decode())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), BEAT_S)


Chore = Callable[[Instance], Awaitable[None]]


async def run(
    context: Context, instrument: str, stop: asyncio.Event, *, chores: tuple[Chore, ...] = ()
) -> None:
    """Be the service of an instrument until told to stop, or wait for that while another process is.

    ``chores`` are done beside the work, as long as this process holds the office.
    """
    pause_s = FIRST_S
    while not stop.is_set():
        try:
            async with alone(context.database, lock_of(instrument)) as office:
                if office is None:
                    log.info("header service passive", instrument=instrument)
                    await _rest(stop, PASSIVE_S)
                    continue
                pause_s = FIRST_S
                async with _instance(context, instrument, stop) as instance:
                    await _work(instance, office, chores, stop)
        except TakenOver:
            log.warning("header service taken over", instrument=instrument)
        except Exception as error:
            # Database and disks come back; and no fault of ours may end the service of an instrument.
            transient = is_transient(error)
            log.warning(
                "header service interrupted",
                instrument=instrument,
                error=reason_of(error),
                exc_info=not transient,
            )
            await _rest(stop, pause_s)
            pause_s = min(2 * pause_s, LAST_S)


async def _work(instance: Instance, office: Office, chores: tuple[Chore, ...], stop: asyncio.Event) -> None:
    tasks = [
        asyncio.ensure_future(one)
        for one in (
            instance.follow(),
            instance.build(),
            instance.beat(office),
            *(chore(instance) for chore in chores),
            stop.wait(),
        )
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _instance(context: Context, instrument: str, stop: asyncio.Event) -> AsyncIterator[Instance]:
    async with context.database.raw() as connection:
        service = await store.take_over(connection, instrument)
    instance = Instance(context, service, stop)
    try:
        await instance.load()
        yield instance
    finally:
        instance.builder.close()


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
