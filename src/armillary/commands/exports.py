"""Commands for copies on other servers: send a selection, see what waits, try again."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from armillary.commands.help import PlainGroup
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    escape,
    fail,
    is_up,
    only_text,
    out,
    print_json,
    run,
)
from armillary.commands.words import user_name
from armillary.exports.models import MOST_SHOWN

if TYPE_CHECKING:
    from armillary.context import Context
    from armillary.exports.documents import Destination, EndedExport, Exports, WaitingExport

app = typer.Typer(cls=PlainGroup, no_args_is_help=True, help="Copies of files on other servers.")
ToOption = Annotated[str | None, typer.Option("--to", help="Name of one destination.")]


@app.command("send")
def send(
    selection: Annotated[
        list[str], typer.Argument(metavar="SELECTION...", help="File names, nights, KEY=VALUE: as in lists.")
    ],
    to: Annotated[str, typer.Option("--to", help="Name of the destination.", callback=only_text)],
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Queue the present files that a selection finds for a destination."""
    from armillary.exports import service

    segments = [only_text(part) for word in selection for part in word.split("/")]

    async def action(context: Context) -> int:
        await service.register(context)
        async with context.database.begin() as connection:
            wanted = service.selection_of(context, segments)
            queued = await service.queue_selection(context, connection, to, wanted, actor=user_name())
        await _help(context, data)
        return len(queued)

    count = run(data, action)
    if as_json:
        print_json({"queued": count})
    else:
        out.print(f"{count} queued for {escape(to)}; see `armillary export list`")
    if not count:
        fail("no present file fits the selection")


@app.command("list")
def list_exports(
    to: ToOption = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_SHOWN, help="Most rows of each kind.")] = 50,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Show exports that wait, with the reason, and what destinations have."""
    from armillary.exports import service

    async def action(context: Context) -> Exports:
        async with context.database.begin() as connection:
            return await service.overview(connection, to, limit)

    found = run(data, action)
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    for waiting in found.waiting:
        why = f": {waiting.error}" if waiting.error else ""
        state = "running" if waiting.state == "Started" else "waiting"
        out.print(escape(f"{state:8} {waiting.destination:12} {_place(waiting)}{why}"))
    for ended in found.ended:
        sent = f"{ended.how}, {ended.sent_bytes} bytes sent"
        out.print(escape(f"{'there':8} {ended.destination:12} {_place(ended)}: {sent}"))


@app.command("destinations")
def list_destinations(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Show the destinations, how many files wait for each, and which ones do not answer."""
    from armillary.exports import service

    async def action(context: Context) -> list[Destination]:
        await service.register(context)
        async with context.database.begin() as connection:
            return await service.destinations(connection)

    found = run(data, action)
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    for one in found:
        state = "" if one.active else "  (not configured any more)"
        away = f"  away until {one.away_until:%Y-%m-%d %H:%M:%S} UTC: {one.error}" if one.away_until else ""
        out.print(escape(f"{one.name:12} {one.url}  {one.waiting} waiting{state}{away}"))


@app.command("retry")
def retry(to: ToOption = None, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Retry waiting exports now."""
    from armillary.exports import service

    async def action(context: Context) -> int:
        async with context.database.begin() as connection:
            if to is not None:
                await service.check_destination(connection, to)
            count = await service.retry(context, connection, to)
        await _help(context, data)
        return count

    count = run(data, action)
    if as_json:
        print_json({"retried": count})
    else:
        out.print(f"{count} tried again")


async def _help(context: Context, data: Path) -> None:
    """Do the exports that are due, unless running workers do them."""
    if is_up(data):
        return
    from armillary.commands.work import finish_all
    from armillary.exports.tasks import workers_of

    await finish_all(context)
    await asyncio.gather(*(worker.drain() for worker in workers_of(context, "cli")))


def _place(one: WaitingExport | EndedExport) -> str:
    return f"{one.path}/{one.name}" if one.path else one.name
