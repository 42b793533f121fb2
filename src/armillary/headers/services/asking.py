"""Giving commands to services, and asking how they are, from any process."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from armillary.context import Context
from armillary.errors import error_of
from armillary.headers.errors import CommandFailed, ServiceAway, UnknownInstrument
from armillary.headers.services import store
from armillary.headers.services.models import Command, Outcome, ServiceState, ServiceStatus
from armillary.headers.services.orders import DONE

WAIT_S, LOOK_S = 10.0, 0.5
"""How long a command waits for a service that is not there; how often it is looked for without a signal."""
WORK_S = 60.0
"""How long a command waits for a service that lives and works on it."""


async def statuses(context: Context) -> list[ServiceStatus]:
    """Return how all services are."""
    async with context.database.begin() as connection:
        return await store.statuses(connection, None)


async def status(context: Context, instrument: str) -> ServiceStatus:
    """Return how the service of an instrument is.

    Raises
    ------
    UnknownInstrument
        If no process has ever been its service.
    """
    async with context.database.begin() as connection:
        found = await store.statuses(connection, instrument)
    if not found:
        raise UnknownInstrument(f"No process has been the header service of '{instrument}' yet.")
    return found[0]


async def command(
    context: Context,
    instrument: str,
    name: Command,
    arguments: dict[str, Any],
    *,
    actor: str,
    wait_s: float = WAIT_S,
) -> dict[str, Any]:
    """Give a command, and return its result when it has been carried out.

    Raises
    ------
    UnknownInstrument
        If no process has ever been the service of this instrument.
    CommandRefused, ConfigurationRefused, UnknownImage
        As the service says.
    ServiceAway
        If no process takes the command; it is withdrawn then, and not carried out later.
    """
    await status(context, instrument)
    async with context.signals.subscribe(DONE) as news:
        async with context.database.begin() as connection:
            number = await store.ask(connection, instrument, name, arguments, actor)
            await context.signals.publish(connection, store.CHANNEL, instrument)
        outcome = await _outcome(context, instrument, number, news.wait, wait_s)
    if outcome.outcome == "done":
        return outcome.result
    if outcome.outcome == "failed":
        raise CommandFailed(outcome.reason)
    raise error_of(outcome.code, outcome.reason)


async def _outcome(context: Context, instrument: str, number: int, wait: Any, wait_s: float) -> Outcome:
    began = time.monotonic()
    while True:
        async with context.database.begin() as connection:
            if (found := await store.outcome(connection, number)) is not None:
                return found
        waited = time.monotonic() - began
        if waited > wait_s and (waited > WORK_S or not (await status(context, instrument)).alive):
            async with context.database.begin() as connection:
                withdrawn = await store.withdraw(connection, number)
            if withdrawn:
                raise ServiceAway
            continue
        await wait(LOOK_S)


async def enable(context: Context, instrument: str, *, actor: str) -> None:
    """Lead the service of an instrument from standby to ENABLED; another state it keeps."""
    while True:
        with contextlib.suppress(UnknownInstrument):
            if (found := await status(context, instrument)).alive:
                break
        await asyncio.sleep(LOOK_S / 10)
    steps = {ServiceState.STANDBY: (Command.START, Command.ENABLE), ServiceState.DISABLED: (Command.ENABLE,)}
    for name in steps.get(found.state, ()):
        await command(context, instrument, name, {}, actor=actor)
