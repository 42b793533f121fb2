"""The command that takes files out of the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from armillary.access.models import OPERATOR
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    begun,
    err,
    escape,
    only_text,
    out,
    print_json,
    run,
    tell,
)
from armillary.errors import ArmillaryError

if TYPE_CHECKING:
    from armillary.archive.catalog.models import Location, Root
    from armillary.archive.cubes.service import Retired
    from armillary.context import Context


def retire(
    called: Annotated[list[str], typer.Argument(help="Paths of files, or oids of cubes.")],
    data: DataOption = DEFAULT_DATA,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take files out of the catalog with all that was made of them; the files stay, and so does their history.

    One that is not there keeps no other in; then the exit status is 1.
    """
    words = [only_text(one) for one in called]
    if not yes and err.is_terminal and not typer.confirm(f"Take {len(words)} out?", err=True):
        raise typer.Exit(1)

    async def action(context: Context) -> tuple[list[Retired], list[ArmillaryError]]:
        retired: list[Retired] = []
        failed: list[ArmillaryError] = []
        for word in words:
            try:
                retired.append(await _retire(context, word))
            except ArmillaryError as error:
                failed.append(error)
        return retired, failed

    done, failed = begun(lambda: run(data, action))
    for error in failed:
        tell(error.message, code=error.code)
    if as_json:
        print_json({"retired": [{"path": one.location.key, "oids": list(one.oids)} for one in done]})
    else:
        _show_retired(done)
    raise typer.Exit(1 if failed else 0)


async def _retire(context: Context, word: str) -> Retired:
    from armillary.archive.cubes import service as cubes

    async with context.database.begin() as connection:
        place = await cubes.place_of_oid(connection, word) or await _place(context, connection, word)
        return await cubes.retire(connection, place, now=context.clock.now(), actor=OPERATOR.name)


def _show_retired(done: Sequence[Retired]) -> None:
    for one in done:
        known_as = f" ({', '.join(one.oids)})" if one.oids else ""
        out.print(escape(f"{one.location.key}{known_as} is taken out"))


async def _place(context: Context, connection: Any, word: str) -> Location:
    """Return where the file of a path is, whether it is still there or not."""
    from armillary.archive.catalog import service as catalog
    from armillary.archive.cubes.errors import NothingToRetire
    from armillary.archive.intake.service import location_of

    path = Path(word).resolve()
    roots = [
        one for one in await catalog.list_roots(connection) if one.path and path.is_relative_to(one.path)
    ]
    if not roots:
        raise NothingToRetire(f"{word} is neither an oid nor a path below a root; see armillary root list.")
    root: Root = max(roots, key=lambda one: len(one.path.parts) if one.path else 0)
    return location_of(root, path.relative_to(root.path or path))
