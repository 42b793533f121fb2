"""Commands on tokens and grants."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from armillary.access.models import Grantee, Level
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
from armillary.commands.words import user_name
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
            help="read, upload, ingest, edit, config, note, room, pipe.produce, pipe.consume, pipe.admin, admin;"
            " joined by commas. site is short for config, note and room, pipe for the three of queues."
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
    email: Annotated[
        list[str] | None,
        typer.Option(help="Address of whoever uses it, which you vouch for; what is granted to it counts."),
    ] = None,
    group: Annotated[list[str] | None, typer.Option(help="Group that whoever uses it belongs to.")] = None,
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
                connection,
                name,
                scopes,
                now=context.clock.now(),
                lifetime=lifetime,
                emails=email or (),
                groups=group or (),
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
        rows.append((one["name"], words, *dates, _bound(one)))
    print_table((*columns, "of"), rows)


def _bound(token: dict[str, object]) -> str:
    """Return the addresses and groups that a token is bound to."""
    found = (token["emails"], token["groups"])
    return ", ".join(str(word) for words in found if isinstance(words, list) for word in words)


@app.command("revoke")
def revoke(name: str, data: DataOption = DEFAULT_DATA) -> None:
    """Revoke the token of that name, and what it was granted; it stops working within a moment."""
    from armillary.access import service

    async def action(context: Context) -> int:
        async with context.database.begin() as connection:
            return await service.revoke(connection, name, now=context.clock.now(), actor=user_name())

    if not run(data, action):
        fail(f"No token named '{name}' is in use; see armillary token list.")
    out.print(f"revoked {escape(name)}")


WordsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="[NAME] KIND SUBJECT",
        help="Name of a token, unless --email or --group says to whom; program, observation, instrument or file;"
        " and which one.",
    ),
]
EmailOption = Annotated[
    str | None, typer.Option(help="To whoever shows that this address is theirs, instead of a token.")
]
GroupOption = Annotated[str | None, typer.Option(help="To this group, instead of a token.")]


@app.command("grant")
def grant(
    words: WordsArgument,
    level: Annotated[
        Level,
        typer.Option(help="open: they read everything; metadata: are told of it where it is hidden."),
    ] = Level.OPEN,
    email: EmailOption = None,
    group: GroupOption = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Let somebody read something before its release, or be told of it."""
    from armillary.access import service

    async def action(context: Context) -> Grantee:
        to, kind, subject = _read(words, email, group)
        async with context.database.begin() as connection:
            chosen, wanted = service.grant_kind(kind), await _subject(connection, kind, subject)
            now = context.clock.now()
            await service.grant(connection, to, chosen, wanted, now=now, level=level, actor=user_name())
        return to

    to = run(data, action)
    may = "may read" if level is Level.OPEN else "is told of"
    out.print(f"{escape(to.name)} {may} {escape(' '.join(words[-2:]))}")


@app.command("ungrant")
def ungrant(
    words: WordsArgument,
    email: EmailOption = None,
    group: GroupOption = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Take a grant back; exit 1 if there was none."""
    from armillary.access import service

    async def action(context: Context) -> Grantee | None:
        of, kind, subject = _read(words, email, group)
        now, by = context.clock.now(), user_name()
        async with context.database.begin() as connection:
            chosen, wanted = service.grant_kind(kind), await _subjects(connection, kind, subject)
            counts = [await service.ungrant(connection, of, chosen, one, now=now, actor=by) for one in wanted]
        return of if sum(counts) else None

    if (of := run(data, action)) is None:
        raise typer.Exit(1)
    out.print(f"{escape(of.name)} may not read {escape(' '.join(words[-2:]))} any more")


def _read(words: Sequence[str], email: str | None, group: str | None) -> tuple[Grantee, str, str]:
    """Return to whom something is granted, the kind, and the subject."""
    from armillary.access import service

    others = sum(one is not None for one in (email, group))
    if len(words) != 3 - bool(others):
        said = "KIND SUBJECT" if others else "NAME KIND SUBJECT, or KIND SUBJECT with --email or --group"
        raise BadRequest(f"Write {said}.")
    name = None if others else words[0]
    return service.grantee_of(name=name, email=email, group=group), words[-2], words[-1]


async def _subject(connection: Any, kind: str, subject: str) -> str:
    """Return how a grant names its subject: files that are known by their paths by what does not change."""
    from armillary.archive.catalog import service as catalog

    return await catalog.subject_of(connection, subject) if kind == "file" else subject


async def _subjects(connection: Any, kind: str, subject: str) -> list[str]:
    """Return all that a grant of it may say: it may have been granted before there was a file of that name."""
    from armillary.archive.catalog import service as catalog

    meant = await _subject(connection, kind, subject)
    others = await catalog.subjects_meant(connection, subject) if kind == "file" else []
    return list(dict.fromkeys([meant, *others]))
