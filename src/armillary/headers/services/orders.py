"""Carrying out the commands that a service is given, one after the other."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec

from armillary.base.database import driver
from armillary.base.database_errors import is_transient, reason_of
from armillary.base.log import get_logger
from armillary.errors import ArmillaryError
from armillary.headers.errors import CommandRefused, UnknownImage
from armillary.headers.exposures import store as exposures
from armillary.headers.services import store
from armillary.headers.services.configuration import Configuration, keep, read
from armillary.headers.services.instance import BEAT_S, Instance
from armillary.headers.services.models import FOLLOWING, TRANSITIONS, Command, Order, Outcome, ServiceState
from armillary.headers.services.reannouncing import reannounce
from armillary.headers.services.rebuilding import rebuild
from armillary.headers.services.reconciling import reconcile

log = get_logger(__name__)
DONE = "header_commands_done"
"""The channel of signals that tells which commands have been carried out, by their numbers."""
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


async def obey(instance: Instance) -> None:
    """Carry out commands until told to stop; each is recorded with its outcome."""
    context = instance.context
    async with context.signals.subscribe(store.CHANNEL) as news:
        while True:
            async with context.database.raw() as connection:
                waiting = await store.waiting(connection, instance.instrument)
            for order in waiting:
                await _carry_out(instance, order)
            if instance.service.state is ServiceState.OFFLINE:
                return
            await news.wait(BEAT_S)


async def _carry_out(instance: Instance, order: Order) -> None:
    try:
        outcome = Outcome("done", result=await _do(instance, order))
    except ArmillaryError as error:
        if is_transient(error):
            raise
        outcome = Outcome("refused", error.code, error.message)
    except Exception as error:
        if is_transient(error):
            raise
        log.exception("command failed", instrument=instance.instrument, command=order.name.value)
        outcome = Outcome("failed", "command_failed", reason_of(error))
    async with instance.context.database.begin() as connection:
        await store.done(await driver(connection), order.id, outcome)
        await instance.context.signals.publish(connection, DONE, str(order.id))
    log.info(
        "command carried out",
        instrument=instance.instrument,
        command=order.name.value,
        by=order.actor,
        outcome=outcome.outcome,
    )


async def _do(instance: Instance, order: Order) -> dict[str, Any]:
    if order.name in TRANSITIONS:
        return await _transit(instance, order.name)
    match order.name:
        case Command.SET_LOG_LEVEL:
            return _set_log_level(instance, order.arguments)
        case Command.RELOAD_CONFIG:
            return await _reload(instance)
        case Command.REBUILD:
            return await _rebuild(instance, str(order.arguments.get("image_id", "")))
        case Command.RECONCILE:
            return await reconcile(instance)
        case Command.REANNOUNCE:
            return await reannounce(instance, order.arguments)
    return _told(instance)


def _told(instance: Instance) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(instance.facts())
    return {"state": instance.service.state.value, **facts}


async def _transit(instance: Instance, name: Command) -> dict[str, Any]:
    allowed, state = TRANSITIONS[name]
    now = instance.service.state
    if now not in allowed:
        wanted = " or ".join(sorted(allowed))
        raise CommandRefused(
            f"The service of '{instance.instrument}' is {now}; `{name}` takes one that is {wanted}."
        )
    if name is Command.START:
        await instance.use(await _kept(instance, await _read(instance)))
    if state in (ServiceState.STANDBY, ServiceState.OFFLINE):
        instance.configuration = None
    await instance.move(state)
    return _told(instance)


async def _read(instance: Instance) -> Configuration:
    directory = instance.context.settings.headers.at(instance.context.settings.data)
    return await asyncio.to_thread(read, directory, instance.instrument)


async def _kept(instance: Instance, configuration: Configuration) -> Configuration:
    async with instance.context.database.raw() as connection:
        return await keep(connection, configuration)


async def _reload(instance: Instance) -> dict[str, Any]:
    found = await _read(instance)
    if instance.service.state in FOLLOWING:
        await instance.use(await _kept(instance, found))
        await instance.move(instance.service.state)
    return {"config_rev": found.recipe.rev, "state": instance.service.state.value}


def _set_log_level(instance: Instance, arguments: dict[str, Any]) -> dict[str, Any]:
    level = str(arguments.get("level", "")).upper()
    if level not in LEVELS:
        raise CommandRefused(f"A log level is one of {', '.join(LEVELS)}.")
    logging.getLogger().setLevel(level)
    instance.log_level = level
    return {"log_level": level}


async def _rebuild(instance: Instance, image_id: str) -> dict[str, Any]:
    context = instance.context
    async with context.database.raw() as connection:
        found = await exposures.by_image(connection, instance.instrument, image_id)
    if found is None:
        raise UnknownImage(f"No event of '{instance.instrument}' has named the image '{image_id}'.")
    await rebuild(instance, found.named, found.id)
    return {"image_id": image_id, "state": instance.service.state.value}
