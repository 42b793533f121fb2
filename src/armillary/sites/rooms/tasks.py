"""The work orders of control rooms: what is asked of the provider, by workers of their own, and what is due.

No transaction is open while the provider is asked. What it has done is written down at once, and that is tried
again while the database is away: nothing else knows the name of a new room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database_errors import is_transient, reason_of
from armillary.base.log import get_logger
from armillary.base.work import Claim, Kind, Response, Worker, submit
from armillary.base.work.errors import LostLease
from armillary.base.work.periods import Period
from armillary.context import Context
from armillary.errors import ArmillaryError
from armillary.settings import RoomSettings
from armillary.sites.rooms import store
from armillary.sites.rooms.errors import NoSuchRoom, ProviderFailed
from armillary.sites.rooms.models import KIND, TEND_S, TENDING, Act, Provider, Resolution, Room, is_due
from armillary.sites.rooms.providers import provider_of
from armillary.sites.rooms.service import order_of

log = get_logger(__name__)
PERSIST_S, PAUSE_S = 60.0, 0.2
"""How long to try to write down what the provider has done, and the pause between two tries."""
T = TypeVar("T")
Write = Callable[[AsyncConnection], Awaitable[object]]


class Visit:
    """One order in the hands of a worker: what it asks the provider, and how it writes that down."""

    def __init__(self, context: Context, provider: Provider, claim: Claim) -> None:
        self._context, self._provider, self._claim = context, provider, claim
        self._args: Any = claim.order.args
        self._site = str(self._args["site"])
        self._end = time.monotonic() + context.settings.rooms.timeout_s

    async def carry_out(self) -> Any:
        """Do what the order says; return what to answer.

        Raises
        ------
        ProviderFailed, RoomSecretMissing, NoSuchRoom
            The room that was there before is there still, and recorded.
        """
        match Act(self._args["act"]):
            case Act.ENSURE:
                return await self._ensure()
            case Act.RESTART:
                return await self._restart()
            case Act.DELETE:
                return await self._delete()
            case Act.BROWSER:
                return await self._browser()
            case Act.SWEEP:
                return await self._sweep()

    async def _ensure(self) -> None:
        room = await self._recorded()
        if room is not None and room.is_good(self._provider.name, self._context.clock.now()):
            return
        if room is None or room.provider != self._provider.name:
            room = await self._made()
            # At once, so that it is not lost if it cannot be configured: the next one who asks tries that again.
            await self._keep(room)
        await self._keep(await self._asked(self._provider.configure(room)))

    async def _made(self) -> Room:
        # There may be one that a worker made that died before it could write that down.
        found = await self._asked(self._provider.find(self._site))
        if found is not None:
            return found
        return await self._asked(self._provider.create(self._site))

    async def _restart(self) -> None:
        if await self._recorded() is None:
            raise NoSuchRoom
        new = await self._asked(self._provider.create(self._site))
        try:
            configured = await self._asked(self._provider.configure(new))
        except ArmillaryError:
            await self._write(partial(store.leave, room=new))
            raise
        # Only now does the old one go; who enters meanwhile is let in there.
        await self._keep(configured, sweep=True)

    async def _delete(self) -> None:
        room = await self._recorded()
        if room is None:
            raise NoSuchRoom
        if room.provider == self._provider.name:
            await self._asked(self._provider.delete(room))
        await self._write(partial(store.drop, room=room))

    async def _browser(self) -> Any:
        resolution = Resolution(self._args["resolution"])
        reply = await self._asked(self._provider.new_browser(resolution, self._args["initial_url"]))
        return {"status": reply.status, "body": reply.body}

    async def _sweep(self) -> None:
        """Delete what was replaced; what the provider does not let go is tried again later."""
        async with self._context.database.begin() as connection:
            rooms = await store.left(connection, self._provider.name)
        for room in rooms:
            await self._asked(self._provider.delete(room))
            await self._write(partial(store.forget, room=room))

    async def _recorded(self) -> Room | None:
        async with self._context.database.begin() as connection:
            return await store.find(connection, self._site)

    async def _asked(self, call: Awaitable[T]) -> T:
        """Wait for the provider as long as the order has time."""
        try:
            async with asyncio.timeout(self._end - time.monotonic()):
                return await call
        except TimeoutError:
            allowed_s = self._context.settings.rooms.timeout_s
            raise ProviderFailed(f"{self._provider.name}: no answer within {allowed_s:g} s") from None

    async def _keep(self, room: Room, *, sweep: bool = False) -> None:
        """Record a room as that of its site, and the one of before as one to be deleted."""
        now = self._context.clock.now()

        async def write(connection: AsyncConnection) -> None:
            await store.put(connection, room, now)
            if sweep:
                await submit(connection, [order_of(Act.SWEEP, "", actor="armillary")], keyed_fifo=False)

        try:
            await self._write(write)
        except LostLease:
            await self._give_up(room)
            raise
        except Exception as error:
            # For an operator, who can look for it at the provider.
            log.warning("room not recorded", site=room.site, room=room.slug, error=reason_of(error))
            raise

    async def _give_up(self, room: Room) -> None:
        """Delete a room that nobody would know of, since another worker does this work now."""
        recorded = await self._recorded()
        # The commit may have been made although its answer got lost.
        if recorded is not None and recorded.slug == room.slug:
            return
        self._end = time.monotonic() + self._context.settings.rooms.timeout_s
        try:
            await self._asked(self._provider.delete(room))
        except ArmillaryError as error:
            log.warning("room left behind", site=room.site, room=room.slug, error=error.message)

    async def _write(self, write: Write) -> None:
        """Write down what the provider has done, and try that again while the database is away.

        Raises
        ------
        LostLease
            If another worker has the order meanwhile.
        """
        end = time.monotonic() + PERSIST_S
        while True:
            try:
                async with self._context.database.begin() as connection:
                    await self._claim.check_in(connection)
                    await write(connection)
            except LostLease:
                raise
            except Exception as error:
                if not is_transient(error) or time.monotonic() > end:
                    raise
                log.warning("room not recorded yet", site=self._site, error=reason_of(error))
            else:
                return
            await asyncio.sleep(PAUSE_S)


async def visit(provider: Provider, context: Context, claims: Sequence[Claim]) -> None:
    """Carry one order out, and answer whoever waits for it."""
    (claim,) = claims
    try:
        value = await Visit(context, provider, claim).carry_out()
    except LostLease:
        raise
    except ArmillaryError as error:
        await claim.fail(error)
    else:
        claim.complete(Response(value=value))


async def tend_rooms(context: Context, claims: Sequence[Claim]) -> None:
    """Queue what is due: restarts at their hours, and another try to delete what was replaced."""
    (claim,) = claims
    settings, now = context.settings.rooms, context.clock.now()
    async with claim.completing() as connection:
        due = [
            one.site
            for one in await store.every(connection)
            if one.made and one.site in settings.restart_hours
            if is_due(settings.restart_hours[one.site], now, one.made)
        ]
        orders = [order_of(Act.RESTART, site, actor="armillary") for site in due]
        if await store.left(connection, settings.provider):
            orders.append(order_of(Act.SWEEP, "", actor="armillary"))
        await submit(connection, orders, keyed_fifo=False)


def kind_for(provider: Provider) -> Kind[Context]:
    """Return the kind of work that asks a provider."""
    return Kind(KIND, partial(visit, provider))


def workers_of(context: Context, name: str) -> list[Worker[Context]]:
    """Return the worker that asks the provider, if there is one: it shares nothing but the process."""
    settings = context.settings.rooms
    if settings.provider == "none":
        return []
    kinds = [kind_for(provider_of(context))]
    return [Worker(context, kinds, name=f"{name}-rooms", slots=settings.parallel)]


def periods_of(settings: RoomSettings) -> tuple[Period, ...]:
    """Return what is due again and again where there are rooms."""
    return () if settings.provider == "none" else (Period(TENDING, TEND_S),)


CHORES = (Kind(TENDING, tend_rooms),)
