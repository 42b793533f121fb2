"""Commands on tokens and grants."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from armillary.access.models import Level
from armillary.commands.help import PlainGroup
from armillary.commands.tables import print_table
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    escape,
    fail,
    out,
    print_json,
    run,
)
from armillary.errors import BadRequest

if TYPE_CHECKING:
    from armillary.context import Context

app = typer.Typer(cls=PlainGroup, no_args_is_help=True, help="Tokens: who may do what over HTTP.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who uses it; signs the edits made with it.")],
    scope: Annotated[
        str,
        typer.Option(
            help="read, upload, edit, config, note, room, pipe.produce, pipe.consume, pipe.admin, admin; joined"
            " by commas. site is short for config, note and room, pipe for the three of queues."
        ),
    ],
    site: Annotated[
        str | None,
        typer.Option(help="Sites, or names of queues, joined by commas; without, for all of them."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    days: Annotated[
        float | None, typer.Option(help="Lifetime in days; without, it lasts until revoked.")
    ] = None,
) -> None:
    """Create a token and print its secret, which is not shown again."""
    from armillary.access import service

    async def action(context: Context) -> str:
        scopes = service.parse_scopes(scope, "" if site is None else site or ",")
        if days is not None and not 0 < days < 100_000:
            raise BadRequest("--days should be a positive number of days.")
        lifetime = timedelta(days=days) if days is not None else None
        async with context.database.begin() as connection:
            return await service.create_token(
                connection, name, scopes, now=context.clock.now(), lifetime=lifetime
            )

    typer.echo(run(data, action, new=True))


@app.command("list")
def list_tokens(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """List the tokens, newest first; secrets are not kept."""
    from armillary.access import service

    async def action(context: Context) -> list[dict[str, object]]:
        async with context.database.begin() as connection:
            return await service.list_tokens(connection)

    tokens = run(data, action)
    if as_json:
        print_json(tokens)
        return
    columns = ("name", "scopes", "created", "expires", "revoked")
    rows = []
    for one in tokens:
        scopes = one["scopes"]
        words = ",".join(map(str, scopes)) if isinstance(scopes, list) else ""
        dates = [f"{one[key]:%Y-%m-%d %H:%M}" if one[key] else "" for key in columns[2:]]
        rows.append((one["name"], words, *dates))
    print_table(columns, rows)


@app.command("revoke")
def revoke(name: str, data: DataOption = DEFAULT_DATA) -> None:
    """Revoke the token of that name, and what it was granted; it stops working within a moment."""
    from armillary.access import service

    async def action(context: Context) -> int:
        async with context.database.begin() as connection:
            return await service.revoke(connection, name)

    if not run(data, action):
        fail(f"No token named '{name}' is in use; see armillary token list.")
    out.print(f"revoked {escape(name)}")


@app.command("grant")
def grant(
    name: Annotated[str, typer.Argument(help="The token's name.")],
    kind: Annotated[str, typer.Argument(help="program, observation, instrument or file.")],
    subject: Annotated[str, typer.Argument(help="Which one.")],
    level: Annotated[
        Level,
        typer.Option(help="open: the bearer reads everything; metadata: is told of it where it is hidden."),
    ] = Level.OPEN,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Let the bearer of a token read something before its release, or be told of it."""
    from armillary.access import service

    async def action(context: Context) -> None:
        async with context.database.begin() as connection:
            chosen, wanted = service.grant_kind(kind), await _subject(connection, kind, subject)
            now = context.clock.now()
            await service.grant(connection, name, chosen, wanted, now=now, level=level)

    run(data, action)
    may = "may read" if level is Level.OPEN else "is told of"
    out.print(f"{escape(name)} {may} {escape(kind)} {escape(subject)}")


@app.command("ungrant")
def ungrant(
    name: Annotated[str, typer.Argument(help="The token's name.")],
    kind: Annotated[str, typer.Argument(help="program, observation, instrument or file.")],
    subject: Annotated[str, typer.Argument(help="Which one.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Take a grant back; exit 1 if there was none."""
    from armillary.access import service

    async def action(context: Context) -> int:
        async with context.database.begin() as connection:
            chosen, wanted = service.grant_kind(kind), await _subject(connection, kind, subject)
            # It may have been granted as it is called, before there was a file of that name.
            counts = [await service.ungrant(connection, name, chosen, one) for one in {wanted, subject}]
            return sum(counts)

    if not run(data, action):
        raise typer.Exit(1)
    out.print(f"{escape(name)} may not read {escape(kind)} {escape(subject)} any more")


async def _subject(connection: Any, kind: str, subject: str) -> str:
    """Return how a grant names its subject: files that are known by their paths by what does not change."""
    from armillary.archive.catalog import service as catalog

    return await catalog.subject_of(connection, subject) if kind == "file" else subject
