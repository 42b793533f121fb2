"""Commands on roots: where the files are, and which of them the archive may change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from armillary.access.models import Level
from armillary.commands.help import PlainGroup
from armillary.commands.tables import print_table
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    err,
    escape,
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
app = typer.Typer(
    cls=PlainGroup, no_args_is_help=True, help="Roots: the store and adopted trees, and who may change them."
)


@app.command("list")
def list_roots(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """List the roots with their places, states and visibility.

    A root is editable, read-only until claimed, or away. Its visibility is what strangers are told of unreleased
    files.
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
            }
            for line in found.lines
        ]
        print_json({"archive": str(found.archive), "copied_from": found.copied_from, "roots": roots})
        return
    print_table(("root", "place", "state", "visibility"), [_row(line) for line in found.lines])
    if found.copied_from:
        out.print(f"[dim]copied or moved from {escape(found.copied_from)}[/]")


def _row(line: RootLine) -> tuple[str, ...]:
    from armillary.archive.catalog.service import RootState

    todo = f"; armillary root claim {line.root.name}" if line.state is RootState.READ_ONLY else ""
    return line.root.name, line.root.shown(), f"{line.state}{todo}", str(line.root.visibility)


@app.command("set")
def set_root(
    name: Annotated[str, typer.Argument(help="Which root; see armillary root list.")],
    visibility: Annotated[
        Level,
        typer.Option(
            help="What strangers are told of unreleased files: their metadata, or open: everything, where no"
            " release date says otherwise."
        ),
    ],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Change what strangers are told of the files of a root; it holds for all of them at once."""
    from armillary.archive.catalog.service import set_visibility

    async def action(context: Context) -> int:
        return await set_visibility(context, name, visibility)

    count = run(data, action, application=APPLICATION)
    out.print(f"{escape(name)} is {visibility}; that is news of {count} files")


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
    if found.copied_from:
        err.print(
            f"[yellow]see to it:[/] no other archive may change these files, above all the one in"
            f" {escape(found.copied_from)} that this was copied from"
        )
