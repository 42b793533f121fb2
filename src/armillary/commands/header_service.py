"""Commands for header services, and for the headers that they have built."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
    from armillary.headers.service import Asked

app = typer.Typer()
Instrument = Annotated[
    str, typer.Argument(metavar="INSTRUMENT", help="Name of the instrument.", callback=only_text)
]
Image = Annotated[str, typer.Argument(metavar="IMAGE", help="Id of the image.", callback=only_text)]
OfInstrument = Annotated[
    str, typer.Option("--instrument", help="Instrument, where several have the image.", callback=only_text)
]
Product = Annotated[str, typer.Option(help="Product, the name of a template.", callback=only_text)]
Rev = Annotated[int | None, typer.Option("--rev", min=1, help="Revision; otherwise the latest.")]
Night = Annotated[str, typer.Option("--night", help="Day of observation, YYYYMMDD.", callback=only_text)]
AWAY_S = 0.2
COMMAND_LINE = "the command line"


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


async def _serve(settings: Any, instrument: str, *, enable: bool) -> None:
    from armillary.base.database import Role
    from armillary.base.database_errors import is_transient
    from armillary.commands.readiness import tell_ready
    from armillary.context import open_context
    from armillary.headers import service

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while not stop.is_set():
        try:
            application = f"armillary header {instrument}"
            async with open_context(settings, Role.WORKER, application=application) as context:
                tell_ready()
                running = asyncio.create_task(service.run(context, instrument, stop))
                try:
                    if enable:
                        await service.enable(context, instrument, actor=COMMAND_LINE)
                    await running
                finally:
                    running.cancel()
        except Exception as error:
            # A database that went away while this began comes back, too.
            if not is_transient(error):
                raise
            await asyncio.sleep(AWAY_S)


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


@app.command("list")
def list_exposures(
    instrument: OfInstrument = "",
    night: Night = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most rows.")] = 20,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """List exposures, the newest first: their states and the latest revisions of their headers."""
    import msgspec

    from armillary.headers import service

    async def action(context: Context) -> list[Any]:
        async with context.database.begin() as connection:
            found: list[Any] = await service.exposures(
                connection,
                instrument=instrument or None,
                night=night.replace("-", "") or None,
                state=None,
                before=None,
                limit=limit,
            )
            return found

    found = run(data, action)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        revisions = ", ".join(f"{product} r{number}" for product, number in one.revisions.items())
        why = f"  {one.reason}" if one.reason else ""
        out.print(escape(f"{one.image_id:28} {one.instrument:12} {one.state:15} {revisions}{why}"))


def _of_image(
    data: Path,
    image: str,
    instrument: str,
    act: Callable[[Context, Asked], Awaitable[Any]],
    *,
    product: str = "raw",
    rev: int | None = None,
) -> Any:
    """Do something with the header of an image, of whatever instrument it is."""
    from armillary.headers import service

    async def action(context: Context) -> Any:
        asked = await service.asked_of(context, image, instrument or None, product, rev)
        return await act(context, asked)

    return run(data, action)


@app.command("get")
def get(
    image: Image,
    form: Annotated[
        Literal["fits", "json", "yaml", "correction"], typer.Option("--format", help="Form of the header.")
    ] = "json",
    detector: Annotated[str, typer.Option(help="Only the HDUs of this detector.", callback=only_text)] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.", dir_okay=False)
    ] = None,
    instrument: OfInstrument = "",
    product: Product = "raw",
    rev: Rev = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Print the header of an image, or write it to a file."""
    from armillary.headers import service

    async def act(context: Context, asked: Asked) -> bytes:
        found = await service.form(context, asked, form, detector or None)
        return found.body

    body: bytes = _of_image(data, image, instrument, act, product=product, rev=rev)
    if output is not None:
        output.write_bytes(body)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


@app.command("diff")
def diff(
    image: Image,
    revisions: Annotated[
        list[int] | None, typer.Argument(metavar="[A B]", help="Two revisions; otherwise the last two.")
    ] = None,
    instrument: OfInstrument = "",
    product: Product = "raw",
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Show what differs between two revisions of the header of an image."""
    import msgspec

    from armillary.headers import service

    if revisions and len(revisions) != 2:
        fail("Name two revisions, or none for the last two.")

    async def act(context: Context, asked: Asked) -> list[Any]:
        async with context.database.begin() as connection:
            known = [one.revision for one in await service.revisions(connection, asked, product)]
        # Of a single revision it is shown that it does not differ from itself.
        old, new = revisions or [*known[-1:], *known][-2:]
        found: list[Any] = await service.difference(context, asked, old, new)
        return found

    found = _of_image(data, image, instrument, act, product=product)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        out.print(escape(f"{one.hdu:20} {one.key:8} {_shown(one.old)} -> {_shown(one.new)}"))


def _shown(value: Any) -> str:
    return "(undefined)" if value is None else str(value)


@app.command("explain")
def explain(
    image: Image,
    key: Annotated[str, typer.Argument(metavar="KEY", help="A keyword.", callback=only_text)],
    hdu: Annotated[str, typer.Option(help="Only this HDU.", callback=only_text)] = "",
    instrument: OfInstrument = "",
    product: Product = "raw",
    rev: Rev = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Say where the value of a keyword comes from: source, sample, age and rule; or why it has none."""
    import msgspec

    from armillary.headers import service

    async def act(context: Context, asked: Asked) -> list[Any]:
        found: list[Any] = await service.card(context, asked, key, hdu or None)
        return found

    found = _of_image(data, image, instrument, act, product=product, rev=rev)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        out.print(escape(explained(one)))


def explained(one: Any) -> str:
    """Return what is known of a card of a header, in one line."""
    unit = f" {one.unit}" if one.unit else ""
    value = f"{one.hdu} {one.key} = {_shown(one.value)}{unit}"
    if one.reason is not None:
        value += f" ({one.reason})"
    where = ".".join(part for part in (one.source, one.topic, one.field) if part)
    parts = [f"from {where}" if where else "", f"{one.pick} at {one.at}" if one.at else ""]
    if one.seq is not None:
        parts.append(f"sample {one.seq}")
    if one.age_s is not None:
        parts.append(f"{one.age_s:.3f} s old")
    if one.fallback is not None:
        parts.append(f"by fallback {one.fallback}")
    if one.value is None and one.raw is not None:
        parts.append(f"received {one.raw!r}")
    return ", ".join(filter(None, (value, *parts)))


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
