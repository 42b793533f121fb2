"""Commands on what was granted: what is in force, who gave and took it, and what was read by it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from armillary.commands.help import PlainGroup
from armillary.commands.tables import print_table
from armillary.commands.terminal import DEFAULT_DATA, DataOption, JsonOption, only_text, out, print_json, run

if TYPE_CHECKING:
    from armillary.access.service import GivenGrant, GrantAudit
    from armillary.context import Context

app = typer.Typer(
    cls=PlainGroup, no_args_is_help=True, help="Grants: who may read what before its release, and who did."
)
KindOption = Annotated[str | None, typer.Option(help="program, observation, instrument or file.")]
SubjectOption = Annotated[str | None, typer.Option(help="Which one.", callback=lambda text: _text(text))]
LimitOption = Annotated[int, typer.Option(min=1, max=10_000, help="Most rows of each sort.")]


def _text(text: str | None) -> str | None:
    return None if text is None else only_text(text)


@app.command("list")
def list_grants(
    token: Annotated[str | None, typer.Option(help="Those to a token.")] = None,
    email: Annotated[str | None, typer.Option(help="Those to an address.")] = None,
    group: Annotated[str | None, typer.Option(help="Those to a group.")] = None,
    kind: KindOption = None,
    subject: SubjectOption = None,
    limit: LimitOption = 1000,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """List grants that are in force, oldest first."""
    from msgspec import to_builtins

    from armillary.access import service
    from armillary.archive.catalog import service as catalog

    async def action(context: Context) -> list[GivenGrant]:
        asked = any(one is not None for one in (token, email, group))
        to = service.grantee_of(name=token, email=email, group=group) if asked else None
        chosen = service.grant_kind(kind) if kind is not None else None
        async with context.database.begin() as connection:
            subjects = await catalog.subjects_meant(connection, subject) if subject is not None else None
            return await service.list_grants(connection, to=to, kind=chosen, subjects=subjects, limit=limit)

    found = run(data, action)
    if as_json:
        print_json(to_builtins(found))
        return
    rows = [
        (one.holder, one.principal, one.kind, one.subject, one.level, f"{one.granted:%Y-%m-%d %H:%M}")
        for one in found
    ]
    print_table(("to", "name", "kind", "subject", "level", "granted"), rows)


@app.command("audit")
def audit(
    since: Annotated[datetime | None, typer.Option("--from", help="UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="UTC; not included.")] = None,
    who: Annotated[
        str | None, typer.Option(help="Who gave, took or read, or to whom it was granted.", callback=_text)
    ] = None,
    kind: KindOption = None,
    subject: SubjectOption = None,
    limit: LimitOption = 100,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """List who gave and took grants, and which files were read by them before their release, latest first."""
    from msgspec import to_builtins

    from armillary.access import service
    from armillary.archive.catalog import service as catalog

    async def action(context: Context) -> GrantAudit:
        chosen = service.grant_kind(kind) if kind is not None else None
        async with context.database.begin() as connection:
            subjects = await catalog.subjects_meant(connection, subject) if subject is not None else None
            return await service.grant_audit(
                connection,
                since=since.replace(tzinfo=UTC) if since else None,
                until=until.replace(tzinfo=UTC) if until else None,
                who=who,
                kind=chosen,
                subjects=subjects,
                file_ids=catalog.ids_in(subjects) if subjects is not None else None,
                limit=limit,
            )

    found = run(data, action)
    if as_json:
        print_json(to_builtins(found))
        return
    _print(found)


def _print(found: GrantAudit) -> None:
    changes = [
        (
            f"{one.at:%Y-%m-%d %H:%M:%S}",
            one.actor,
            one.action,
            one.principal,
            one.kind,
            one.subject,
            one.origin,
        )
        for one in found.changes
    ]
    print_table(("at", "by", "action", "to", "kind", "subject", "because of"), changes)
    out.print("")
    reads = [
        (f"{one.at:%Y-%m-%d %H:%M:%S}", one.viewer, one.name, one.reason, one.first_byte, one.bytes)
        for one in found.reads
    ]
    print_table(("at", "by", "file", "reason", "from byte", "bytes"), reads)
