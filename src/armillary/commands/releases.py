"""The command that tells what becomes public when."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from armillary.commands.tables import print_table
from armillary.commands.terminal import DEFAULT_DATA, DataOption, JsonOption, err, only_text, print_json, run

if TYPE_CHECKING:
    from armillary.archive.query.service import Releases
    from armillary.context import Context

DAYS = ["%Y-%m-%d", "%Y%m%d"]


def _text(text: str | None) -> str | None:
    return None if text is None else only_text(text)


def releases(
    since: Annotated[
        datetime | None, typer.Option("--from", help="First day, today unless told.", formats=DAYS)
    ] = None,
    until: Annotated[datetime | None, typer.Option(help="Last day.", formats=DAYS)] = None,
    instrument: Annotated[str | None, typer.Option(help="One instrument.", callback=_text)] = None,
    program: Annotated[str | None, typer.Option(help="One program.", callback=_text)] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most rows.")] = 1000,
    ics: Annotated[bool, typer.Option("--ics", help="Print an iCalendar, one event a day.")] = False,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """List what becomes public when, as a table or as a calendar.

    Present frames are counted by day, instrument and program. The day of release is public from 00:00 UTC on.
    """
    from msgspec import to_builtins

    from armillary.access.models import OPERATOR
    from armillary.archive.query import service

    async def action(context: Context) -> tuple[Releases, datetime]:
        now = context.clock.now()
        async with context.database.begin() as connection:
            found = await service.list_releases(
                connection,
                OPERATOR,
                today=now.date(),
                since=since.date() if since else now.date(),
                until=until.date() if until else None,
                instrument=instrument,
                program=program,
                limit=limit,
            )
        return found, now

    found, now = run(data, action)
    if ics:
        typer.echo(service.as_icalendar(found.releases, stamp=now), nl=False)
    elif as_json:
        print_json(to_builtins(found))
    else:
        rows = [(one.day, one.instrument, one.program, one.frames) for one in found.releases]
        print_table(("day", "instrument", "program", "frames"), rows)
    if found.more and not as_json:
        err.print(f"Only the first {limit} rows are shown; raise --limit, or ask for fewer days.")
