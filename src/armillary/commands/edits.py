"""Commands that edit headers, tell what was edited, and take it back."""

from __future__ import annotations

import getpass
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from armillary.archive import service as archive
from armillary.base.work import Outcome
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    FileArgument,
    JsonOption,
    escape,
    is_up,
    only_text,
    out,
    print_json,
    run,
)
from armillary.commands.work import finish, finish_all
from armillary.context import Context
from armillary.edits.errors import ItemRefused
from armillary.edits.history import History, diff, history_of
from armillary.edits.models import Origin
from armillary.edits.revert import submit_revert
from armillary.edits.service import accept_one
from armillary.errors import BadRequest

WhyOption = Annotated[str, typer.Option(help="Reason, kept with the edit.", callback=only_text)]
_NUMBER = re.compile(r"(?![-+]?0[0-9])[-+0-9.eE]+")
_SETTING = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=(.*)", re.DOTALL)


def edit(
    file: FileArgument,
    settings: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="Cards to set.")],
    data: DataOption = DEFAULT_DATA,
    why: WhyOption = "",
    extension: Annotated[str | None, typer.Option("--ext", help="HDU by index or EXTNAME.")] = None,
    reject_new: Annotated[
        bool, typer.Option("--reject-new", help="Refuse keywords that are not there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Change header cards of a file; numbers, T and F are taken as such, quote a value to keep it text."""

    async def action(context: Context) -> dict[str, Any]:
        pairs = [list(parse_setting(text)) for text in settings]
        options: dict[str, Any] = {"reject_new": reject_new}
        if extension is not None:
            options["extension"] = int(extension) if extension.isdigit() else extension
        origin = Origin(user_name(), "command line", why)
        try:
            accepted = await accept_one(context, {"generic": pairs}, file, origin, **options)
        except ItemRefused as error:
            raise ItemRefused(f"{file}: {error.message}") from None
        return await _ended(context, data, file, accepted.order_ids[0])

    _print_outcome(run(data, action), as_json=as_json)


def parse_setting(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE``: an integer, a float, T or F, a quoted or bare text, nothing for undefined.

    What begins with needless zeros is text: a number would lose them.
    """
    found = _SETTING.fullmatch(only_text(text))
    if not found:
        raise BadRequest(f"'{text}' is no setting: write KEY=VALUE.")
    key, value = found[1], found[2].strip()
    if value in ("T", "F"):
        return key, value == "T"
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return key, value[1:-1]
    for kind in (int, float) if _NUMBER.fullmatch(value) else ():
        try:
            return key, kind(value)
        except ValueError:
            continue
    return key, value or None


def user_name() -> str:
    """Return who runs the command; an account may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.geteuid()}"


async def _ended(context: Context, data: Path, file: str, order: int) -> dict[str, Any]:
    outcome: Outcome = (await finish(context, [order]))[order]
    if not outcome.response.ok:
        raise ItemRefused(f"{file}: {outcome.response.error}")
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
        out.print(escape(_change(change)))


def history(file: FileArgument, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """List the versions of a file and the edits between them."""

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
            out.print(escape(f"    {_change(change)}"))


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


def _change(change: dict[str, Any]) -> str:
    where = f"[{change['extension']}] " if change["extension"] else ""
    old = "(new)" if change["created"] else json.dumps(change["old"])
    new = "(removed)" if change.get("new_raw") == "" else json.dumps(change["new"])
    return f"{where}{change['keyword']}: {old} -> {new}"


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

    async def action(context: Context) -> list[tuple[int, str, str]]:
        async with context.database.begin() as connection:
            past = await history_of(connection, file)
            newer = b if b is not None else len(past.versions)
            older = a if a is not None else max(1, newer - 1)
            file_id = past.versions[0].file_id
            old = await archive.version_number(connection, file_id, older)
            new = await archive.version_number(connection, file_id, newer)
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
    """Take an edit back: byte for byte if it is the latest."""

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
