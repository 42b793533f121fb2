"""Commands that run header services, and that are given to them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    escape,
    fail,
    guarded,
    only_text,
    out,
    print_json,
    run,
    settings_for,
)

if TYPE_CHECKING:
    from armillary.context import Context
    from armillary.settings import Settings

app = typer.Typer()
Instrument = Annotated[
    str, typer.Argument(metavar="INSTRUMENT", help="Name of the instrument.", callback=only_text)
]
Image = Annotated[str, typer.Argument(metavar="IMAGE", help="Id of the image.", callback=only_text)]
Night = Annotated[str, typer.Option("--night", help="Day of observation, YYYYMMDD.", callback=only_text)]
COMMAND_LINE = "the command line"
AWAY_S = 0.2
"""Pause of a service whose database went away while it began."""
SWITCH_S = 0.0005


@app.command("run")
def run_service(
    instrument: Instrument,
    data: DataOption = DEFAULT_DATA,
    enable: Annotated[
        bool, typer.Option("--enable", help="Start and enable the service if it is in standby.")
    ] = False,
) -> None:
    """Be the header service of an instrument until stopped; while another process is, wait for its end."""
    from armillary.base import log

    settings = settings_for(data)
    log.configure(level=os.environ.get("ARMILLARY_LOG", "WARNING"))
    guarded(lambda: asyncio.run(_serve(settings, instrument, enable=enable)))


async def _serve(settings: Settings, instrument: str, *, enable: bool) -> None:
    from armillary.base.database_errors import is_transient, reason_of
    from armillary.base.log import get_logger

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while not stop.is_set():
        try:
            await _serve_once(settings, instrument, stop, enable=enable)
        except Exception as error:
            # Once it is the service it outlives its database by itself, but that may go away while it begins.
            if not is_transient(error):
                raise
            get_logger(__name__).warning(
                "header service begins again", instrument=instrument, error=reason_of(error)
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AWAY_S)


async def _serve_once(settings: Settings, instrument: str, stop: asyncio.Event, *, enable: bool) -> None:
    from armillary.base.database import Role
    from armillary.commands.readiness import tell_ready
    from armillary.context import open_context
    from armillary.headers import service

    # Threads that make headers let the event loop go on within that; by default it waits for five milliseconds.
    sys.setswitchinterval(SWITCH_S)
    async with open_context(settings, Role.WORKER, application=f"armillary header {instrument}") as context:
        tell_ready()
        running = asyncio.create_task(service.run(context, instrument, stop))
        try:
            if enable:
                await service.enable(context, instrument, actor=COMMAND_LINE)
            await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@app.command("command")
def command(
    instrument: Instrument,
    name: Annotated[str, typer.Argument(metavar="COMMAND", help="start, enable, disable, standby, exit ...")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Arguments, as level=INFO.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Give a command to a header service and wait until it has been carried out."""
    from armillary.headers.services.models import Command

    if name not in list(Command):
        fail(f"There is no command '{name}'; there are: {', '.join(Command)}.")
    found = _commanded(data, instrument, name, dict(map(_pair, arguments or ())))
    if as_json:
        print_json(found)
    else:
        out.print(escape(", ".join(f"{key}: {value}" for key, value in found.items())))


def _pair(word: str) -> tuple[str, str]:
    key, sign, value = word.partition("=")
    if not sign or not key:
        fail(f"'{word}' is no KEY=VALUE.", code="bad_header_setting")
    return key, value


def _commanded(data: Path, instrument: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    from armillary.headers import service
    from armillary.headers.services.models import Command

    async def action(context: Context) -> dict[str, Any]:
        return await service.command(context, instrument, Command(name), arguments, actor=COMMAND_LINE)

    return run(data, action)


@app.command("status")
def status(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """List the header services with their states, and whether a process lives."""
    import msgspec

    from armillary.headers import service

    found = run(data, service.statuses)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        life = "alive" if one.alive else "no process"
        why = f"  {one.error_code}: {one.message}" if one.error_code else ""
        out.print(escape(f"{one.instrument:20} {one.state:10} {life}{why}"))


@app.command("rebuild")
def rebuild(
    instrument: Instrument, image: Image, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False
) -> None:
    """Let the header of an image be made anew; a revision is announced only if it differs."""
    found = _commanded(data, instrument, "rebuild", {"image_id": image})
    if as_json:
        print_json(found)
    else:
        out.print(escape(f"{found['image_id']} is made anew; the service is {found['state']}"))


@app.command("reconcile")
def reconcile(instrument: Instrument, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Compare exposures, headers and objects of an instrument, and mend what differs."""
    found = _commanded(data, instrument, "reconcile", {})
    if as_json:
        print_json(found)
        return
    for kind in ("without_header", "changed", "bad_objects"):
        out.print(escape(f"{kind}: {', '.join(found[kind]) or 'none'}"))
    for name, count in found["unacknowledged"].items():
        out.print(escape(f"{name} has not taken {count}"))


@app.command("replay")
def replay(
    instrument: Instrument, night: Night, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False
) -> None:
    """Play the events of a night again from the bus; exit 1 if a header would be a new revision."""
    from armillary.headers import service

    async def action(context: Context) -> dict[str, Any]:
        return await service.replay(context, instrument, night.replace("-", ""))

    found = run(data, action)
    if as_json:
        print_json(found)
    else:
        out.print(
            escape(f"{found['headers']} headers, {found['new_revisions']} of them would be new revisions")
        )
        for image in found["images"]:
            out.print(escape(image))
    if found["new_revisions"]:
        raise typer.Exit(1)


@app.command("reannounce")
def reannounce(
    instrument: Instrument,
    image: Annotated[str, typer.Argument(metavar="[IMAGE]", help="Id of an image.", callback=only_text)] = "",
    night: Annotated[
        str, typer.Option("--night", help="Day of observation, YYYYMMDD; otherwise all.", callback=only_text)
    ] = "",
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Announce the latest revisions again, of an image, of a night, or all."""
    arguments = {"image_id": image or None, "night": night.replace("-", "") or None}
    found = _commanded(data, instrument, "reannounce", arguments)
    if as_json:
        print_json(found)
    else:
        out.print(f"{found['reannounced']} announced again")


@app.command("consumers")
def consumers(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """List the consumers of headers, and how many announcements each has not taken."""
    import msgspec

    from armillary.headers import service

    async def action(context: Context) -> list[Any]:
        async with context.database.begin() as connection:
            found: list[Any] = await service.consumers(connection)
            return found

    found = run(data, action)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        wanted = ", ".join(one.instruments) if one.instruments else "all instruments"
        out.print(escape(f"{one.name:20} {one.pending} pending  {wanted}  seen {one.seen:%Y-%m-%d %H:%M:%S}"))


@app.command("set")
def set_value(
    instrument: Instrument,
    settings: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="Values of the night.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Set values that people know, as the names of operators: a sample of the source `operator:INSTRUMENT`."""
    values = dict(map(_pair, settings))

    async def action(context: Context) -> None:
        from armillary.base.bus.models import Sample

        now, source = context.bus.now(), f"operator:{instrument}"
        before = await context.bus.asof(source, "values", now)
        kept = (before.payload if before else {}) | values
        epoch = f"set {datetime.now(UTC):%Y%m%dT%H%M%S.%f} {os.getpid()}"
        sample = Sample(source, "values", epoch, 1, kept, "event", now)
        found = await context.bus.publish([sample])
        if found.rejects:
            fail(found.rejects[0].reason, code="bad_header_setting")

    run(data, action, new=True)
