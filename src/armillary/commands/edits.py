"""Commands that edit headers, tell what was edited, and take it back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from armillary.commands.change_sets import change_line, edit_many
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    FileArgument,
    JsonOption,
    escape,
    fail,
    guarded,
    is_up,
    only_text,
    out,
    print_json,
    run,
)
from armillary.commands.words import WhyOption, YesOption, parse_extension, parse_setting, user_name
from armillary.edits.changesets.models import Wanted
from armillary.edits.models import Origin
from armillary.errors import ArmillaryError, error_of

if TYPE_CHECKING:
    from armillary.base.work import Outcome
    from armillary.context import Context
    from armillary.edits.history.service import History


def edit(
    words: Annotated[
        list[str],
        typer.Argument(metavar="FILE KEY=VALUE...", help="The file, unless --where says which; cards."),
    ],
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Edit all files of a selection, as GMOS-N/20221215.")
    ] = None,
    keyword: Annotated[
        list[str] | None, typer.Option("--keyword", help="Only files of which EXPTIME>10 or the like holds.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    why: WhyOption = "",
    extension: Annotated[str | None, typer.Option("--ext", help="HDU by index or EXTNAME.")] = None,
    reject_new: Annotated[
        bool, typer.Option("--reject-new", help="Refuse keywords that are not there.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what --where would change.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change header cards of a file, or of all files of a selection.

    Numbers, T and F are taken as such; quotes that the shell leaves keep a value text: OBJECT="'33'".
    """
    origin = Origin(user_name(), "command line", why)
    if where or keyword:
        wanted = Wanted(
            values={"generic": [list(pair) for pair in guarded(lambda: [*map(parse_setting, words)])]},
            selection=tuple(map(only_text, where or ())),
            keywords=tuple(map(only_text, keyword or ())),
            reject_new=reject_new,
            extension=parse_extension(extension),
        )
        edit_many(data, wanted, origin, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    if dry_run:
        fail("--dry-run goes with --where")
    if len(words) < 2:
        fail("name a file and its cards: armillary edit FILE KEY=VALUE")
    file, options = only_text(words[0]), {"reject_new": reject_new, "extension": parse_extension(extension)}

    async def action(context: Context) -> dict[str, Any]:
        order = await _submit(context, file, words[1:], origin, **options)
        return await _ended(context, data, file, order)

    _print_outcome(run(data, action), as_json=as_json)


async def _submit(
    context: Context, file: str, settings: Sequence[str], origin: Origin, **options: object
) -> int:
    """Return the order of an edit of one file, or say of that file why it is refused."""
    from armillary.edits.models import Target
    from armillary.edits.service import request_of_words, rules_of, submit_edit

    values = {"generic": [list(parse_setting(text)) for text in settings]}
    try:
        request = request_of_words(Target(file), values, rules_of(context.settings.edits), **options)
        accepted, _ = await submit_edit(context, request, origin)
    except ArmillaryError as error:
        raise error_of(error.code, f"{file}: {error.message}") from None
    return accepted.order_id


async def _ended(context: Context, data: Path, file: str, order: int) -> dict[str, Any]:
    from armillary.commands.work import finish, finish_all

    outcome: Outcome = (await finish(context, [order]))[order]
    if not outcome.response.ok:
        raise error_of(outcome.response.code, f"{file}: {outcome.response.error}")
    if not is_up(data):
        await finish_all(context)
    value = outcome.response.value
    return value if isinstance(value, dict) else {}


def _print_outcome(value: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(value)
        return
    if not value.get("changed"):
        out.print("nothing to change: every card already says so")
    for change in value.get("changes", []):
        out.print(escape(change_line(change)))


def history(file: FileArgument, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """List the versions of a file and the edits between them."""
    from armillary.edits.history.service import history_of

    async def action(context: Context) -> History:
        async with context.database.begin() as connection:
            return await history_of(connection, file)

    past = run(data, action)
    rows = [_row(past, number, version) for number, version in enumerate(past.versions, 1)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        _print_version(row)


def _print_version(row: dict[str, Any]) -> None:
    """Print a version in a line, and below it each edit that led to it with its cards."""
    number = f"{row['version']}{'*' if row['present'] else ''}"
    when = row["recorded"][:19].replace("T", " ")
    out.print(f"[bold]version {number:<4}[/] {when} UTC  {row['origin']}")
    for one in row["edits"]:
        reverts = f", reverts edit {one['reverts']}" if one["reverts"] else ""
        why = f": {one['why']}" if one["why"] else ""
        out.print(escape(f"  edit {one['id']} by {one['who']}{reverts}{why}"))
        for change in one["changes"]:
            out.print(escape(f"    {change_line(change)}"))


def _row(past: History, number: int, version: Any) -> dict[str, Any]:
    edits = [e for e in past.edits if e.version_after == version.id and e.outcome == "changed"]
    return {
        "version": number,
        "present": version.present,
        "recorded": version.entrytime.isoformat(),
        "origin": version.origin,
        "data_md5": version.data_md5,
        "crc64nvme": f"{version.file_crc:016x}",
        "edits": [
            {"id": e.id, "who": e.actor, "why": e.why, "reverts": e.reverts, "changes": e.cards}
            for e in edits
        ],
    }


def diff_command(
    file: FileArgument,
    a: Annotated[
        int | None, typer.Argument(help="Older version; the one before the present by default.")
    ] = None,
    b: Annotated[int | None, typer.Argument(help="Newer version; the present one by default.")] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Show the cards that differ between two versions of a file."""
    from armillary.archive.catalog import service as catalog
    from armillary.edits.history.service import diff, history_of

    async def action(context: Context) -> list[tuple[int, str, str]]:
        async with context.database.begin() as connection:
            past = await history_of(connection, file)
            newer = b if b is not None else len(past.versions)
            older = a if a is not None else max(1, newer - 1)
            file_id = past.versions[0].file_id
            old = await catalog.version_number(connection, file_id, older)
            new = await catalog.version_number(connection, file_id, newer)
        return list(diff(old, new))

    lines = run(data, action)
    if as_json:
        print_json([{"extension": index, "sign": sign, "card": card} for index, sign, card in lines])
        return
    for index, sign, card in lines:
        colour = "red" if sign == "-" else "green"
        out.print(f"[{colour}]{sign}[/] {index} {escape(card)}")
    if not lines:
        out.print("no differences")


def revert(
    file: FileArgument,
    edit_id: Annotated[
        int | None, typer.Argument(metavar="EDIT", help="From history; the latest by default.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Revert an edit: byte for byte if it is the latest."""
    from armillary.edits.history.service import history_of
    from armillary.edits.service import submit_revert

    async def action(context: Context) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        origin = Origin(user_name(), "command line", why)
        order = await submit_revert(context, file, edit_id, origin)
        value = await _ended(context, data, file, order)
        async with context.database.begin() as connection:
            past = await history_of(connection, file)
        # The record tells a card that was taken away from one without value.
        return value, next((one.cards for one in past.edits if one.order_id == order), [])

    value, cards = run(data, action)
    _print_outcome(value if as_json or not cards else value | {"changes": cards}, as_json=as_json)
