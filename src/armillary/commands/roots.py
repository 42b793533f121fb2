"""Commands on roots: where the files are, and which of them the archive may change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from armillary.access.models import Level
from armillary.archive.models import Identity
from armillary.commands.help import PlainGroup
from armillary.commands.tables import print_table
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    err,
    escape,
    fail,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from armillary.archive.catalog.models import Root
    from armillary.archive.catalog.service import RootLine, Roots
    from armillary.context import Context

APPLICATION = "armillary root"
"""The name of our sessions: a claim has to tell them from those of others."""
WORDS = {Identity.BY_PATH: "by directory and name", Identity.UNIQUE: "by name alone"}
app = typer.Typer(
    cls=PlainGroup, no_args_is_help=True, help="Roots: the store and adopted trees, and who may change them."
)


@app.command("list")
def list_roots(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """List the roots with their places, states and visibility.

    A root is editable, read-only until claimed, or away. Its visibility is what strangers are told of unreleased
    files, its identity what makes files the same: the name, or directory and name.
    """
    from armillary.archive.catalog.service import roots_of

    found = run(data, roots_of, anywhere=True, application=APPLICATION)
    if as_json:
        roots = [
            {
                "name": line.root.name,
                "place": line.root.shown(),
                "state": str(line.state),
                "watched": line.root.watched,
                "visibility": str(line.root.visibility),
                "identity": str(line.root.identity),
            }
            for line in found.lines
        ]
        print_json({"archive": str(found.archive), "copied_from": found.copied_from, "roots": roots})
        return
    print_table(("root", "place", "state", "visibility", "identity"), [_row(line) for line in found.lines])
    if found.copied_from:
        out.print(f"[dim]copied or moved from {escape(found.copied_from)}[/]")


def _row(line: RootLine) -> tuple[str, ...]:
    from armillary.archive.catalog.service import RootState

    todo = f"; armillary root claim {line.root.name}" if line.state is RootState.READ_ONLY else ""
    return (
        line.root.name,
        line.root.shown(),
        f"{line.state}{todo}",
        str(line.root.visibility),
        str(line.root.identity),
    )


@app.command("set")
def set_root(
    name: Annotated[str, typer.Argument(help="Which root; see armillary root list.")],
    visibility: Annotated[
        Level | None,
        typer.Option(
            help="What strangers are told of unreleased files: their metadata, or open: everything, where no"
            " release date says otherwise."
        ),
    ] = None,
    identity: Annotated[
        Identity | None,
        typer.Option(
            help="What makes files the same: by-path, their directory and name, or unique, the name alone."
        ),
    ] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Change what strangers are told of the files of a root, or what makes them the same, for all at once."""
    if visibility is None and identity is None:
        fail("say what to change: --visibility or --identity")
    if identity is not None:
        _set_identity(data, name, identity)
    if visibility is not None:
        _set_visibility(data, name, visibility)


def _set_visibility(data: Path, name: str, visibility: Level) -> None:
    from armillary.archive.catalog.service import set_visibility

    async def action(context: Context) -> int:
        return await set_visibility(context, name, visibility)

    count = run(data, action, application=APPLICATION)
    out.print(f"{escape(name)} is {visibility}; that is news of {count} files")


def _set_identity(data: Path, name: str, identity: Identity) -> None:
    from armillary.archive.intake.service import set_identity
    from armillary.commands.work import finish

    async def action(context: Context) -> int:
        changed = await set_identity(context, name, identity)
        await finish(context, changed.orders)
        return len(changed.orders)

    count = run(data, action, application=APPLICATION)
    again = f"; {count} files that shared a name were taken in again" if count else ""
    out.print(f"files of {escape(name)} are identified {WORDS[identity]}{again}")


@app.command("claim")
def claim(
    name: Annotated[str, typer.Argument(help="Which root; see armillary root list.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Make a root editable again after its data directory was copied or moved."""
    from armillary.archive.catalog.service import claim as claim_root
    from armillary.archive.catalog.service import roots_of

    async def action(context: Context) -> tuple[Root, Roots]:
        return await claim_root(context, name), await roots_of(context)

    root, found = run(data, action, anywhere=True, application=APPLICATION)
    out.print(f"this archive may change {escape(root.name)} in {escape(root.shown())}")
    if not found.copied_from:
        return
    former = f"the one in {escape(found.copied_from)} that this was copied from"
    if root.path is None or root.path.is_relative_to(data.resolve()):
        err.print(f"[yellow]see to it:[/] no other archive may change these files, above all {former}")
    else:
        err.print(f"no other archive may: {former} only reads them from now on")
