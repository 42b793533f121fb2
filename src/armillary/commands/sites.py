"""Commands for sites: events of nights, and the night log on paper."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from armillary.commands.help import PlainGroup
from armillary.commands.tables import print_table
from armillary.commands.terminal import DEFAULT_DATA, DataOption, JsonOption, only_text, print_json, run

if TYPE_CHECKING:
    from armillary.context import Context

SiteArgument = Annotated[str, typer.Argument(help="Name of the site.", callback=only_text)]
NightOption = Annotated[
    datetime | None,
    typer.Option(help="Night, by the date of its evening.", formats=["%Y-%m-%d", "%Y%m%d"]),
]
app = typer.Typer(
    cls=PlainGroup, no_args_is_help=True, help="Sites: their events of a night, their night logs."
)


@app.command("events")
def events(
    site: SiteArgument,
    night: NightOption = None,
    year: Annotated[int | None, typer.Option(help="All nights of a year instead, as CSV.")] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Print the events of a night of a site, tonight unless told: in UTC, or why there is none."""
    from msgspec import to_builtins

    from armillary.sites.almanac import service

    async def action(context: Context) -> None:
        now = context.clock.now()
        async with context.database.begin() as connection:
            place = await service.find_place(connection, site)
        if year is not None:
            table = await service.year_events(place, year)
            print_json(to_builtins(table)) if as_json else typer.echo(service.as_csv(table), nl=False)
            return
        instant = service.start_of_night(place, night.date()) if night else now
        found = await service.night_events(place, instant)
        if as_json:
            print_json(to_builtins(found))
        else:
            print_table(("event", "UTC"), [(one.name, one.utc or one.reason) for one in found.events])

    run(data, action)


@app.command("log")
def log(
    site: SiteArgument,
    night: NightOption = None,
    since: Annotated[datetime | None, typer.Option(help="UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="UTC; not included.")] = None,
    find: Annotated[str | None, typer.Option(help="A text in entries or names of authors.")] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Print the night log of a site, oldest entry first: as text, or as lines of JSON."""
    from armillary.sites import service
    from armillary.sites.models import LogQuery

    query = LogQuery(
        night=night.date() if night else None,
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) if until else None,
        text=only_text(find) if find is not None else None,
    )

    async def action(context: Context) -> None:
        async for entry in service.export_log(context, site, query):
            typer.echo(service.as_json_line(entry) if as_json else service.as_text(entry))

    run(data, action)
