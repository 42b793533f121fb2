"""Commands for sites: the night log on paper."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from armillary.commands.help import PlainGroup
from armillary.commands.terminal import DEFAULT_DATA, DataOption, JsonOption, only_text, run

if TYPE_CHECKING:
    from armillary.context import Context

app = typer.Typer(cls=PlainGroup, no_args_is_help=True, help="Sites: what their night logs say.")


@app.callback()
def _several() -> None:
    """Let `log` be the name of a command, although it is the only one."""


@app.command("log")
def log(
    site: Annotated[str, typer.Argument(help="Name of the site.", callback=only_text)],
    night: Annotated[
        datetime | None,
        typer.Option(help="Night, by the date of its evening.", formats=["%Y-%m-%d", "%Y%m%d"]),
    ] = None,
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
