"""Commands for edits of many files: see what would change, apply, follow, stop, resume, retry, take back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from armillary.commands.help import PlainGroup
from armillary.commands.tables import print_pairs, print_table
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    err,
    escape,
    fail,
    is_up,
    out,
    print_json,
    run,
)
from armillary.commands.words import YesOption, user_name
from armillary.edits.changesets.models import MOST_LISTED, Action, FileState, Preview, Wanted
from armillary.edits.models import Origin

if TYPE_CHECKING:
    from armillary.context import Context
    from armillary.edits.changesets.documents import ChangeSetSummary, MemberFile

app = typer.Typer(cls=PlainGroup, no_args_is_help=True, help="Edits of many files, each one change set.")
IdArgument = Annotated[int, typer.Argument(metavar="ID", min=1, help="As `armillary changeset list` shows.")]
SAMPLES, LOOK_S = 5, 0.5
UNFINISHED = (FileState.WAITING, FileState.QUEUED, FileState.REVERTING)
TROUBLE = (FileState.REFUSED, FileState.FAILED, FileState.KEPT)


def edit_many(data: Path, wanted: Wanted, origin: Origin, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Edit all files that are wanted as one change set, after a look at what would change."""
    from armillary.commands.work import finish
    from armillary.edits.changesets import service
    from armillary.edits.changesets.service import preview

    if dry_run or not yes:
        found = run(data, lambda context: preview(context, wanted, samples=SAMPLES))
        if dry_run and as_json:
            print_json(service.preview_to_json(found))
            return
        _print_preview(found)
        if dry_run:
            return
        confirm(f"Change {found.would_change} files?", nothing=found.would_change == 0)

    async def action(context: Context) -> dict[str, Any]:
        async with context.database.begin() as connection:
            change_set = await service.ask(connection, context, wanted, origin)
        outcome = (await finish(context, [change_set]))[change_set]
        if not outcome.response.ok:
            fail(outcome.response.error, code=outcome.response.code)
        async with context.database.begin() as connection:
            order = await service.begin_step(connection, change_set)
        return await _followed(context, data, change_set, order)

    _end(run(data, action), as_json=as_json)


def confirm(question: str, *, nothing: bool = False) -> None:
    """Ask, and end the command unless the answer is yes; where nobody can answer, --yes is needed."""
    if nothing:
        raise typer.Exit(0)
    if not err.is_terminal:
        fail("nobody can confirm this here; say --yes")
    if not typer.confirm(question, err=True):
        fail("nothing was changed")


async def _followed(context: Context, data: Path, change_set: int, order: int) -> dict[str, Any]:
    """Help with a change set until it rests; return what is known of it then."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    from armillary.commands.work import finish, finish_all

    err.print(f"change set {change_set}; `armillary changeset stop {change_set}` stops it")
    helping = asyncio.create_task(finish(context, [order]))
    columns = (BarColumn(), MofNCompleteColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("files", total=None)
        while not (await asyncio.wait({helping}, timeout=LOOK_S))[0]:
            known = await _document(context, change_set)
            left = sum(known["files"][state] for state in UNFINISHED)
            progress.update(task, total=known["matched"], completed=known["matched"] - left)
    await helping
    if not is_up(data):
        await finish_all(context)
    return await _document(context, change_set)


async def _document(context: Context, change_set: int) -> dict[str, Any]:
    import msgspec

    from armillary.edits.changesets import service

    async with context.database.begin() as connection:
        found: dict[str, Any] = msgspec.to_builtins(await service.document(connection, change_set))
        return found


def _end(known: dict[str, Any], *, as_json: bool) -> None:
    """Print how a change set rests, and end with 1 if some files are not as wanted."""
    _print_set(known, as_json=as_json)
    raise typer.Exit(1 if any(known["files"][state] for state in TROUBLE) else 0)


def _print_set(known: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(known)
        return
    if "files" not in known:
        print_pairs([(key, value) for key, value in known.items() if value not in (None, [], ())])
        return
    pairs = [("change set", known["id"]), ("state", known["state"]), ("by", known["actor"])]
    pairs += [("why", known["why"])] if known["why"] else []
    pairs += [("values", json.dumps(known["values"])), ("files", known["matched"])]
    pairs += [(state, number) for state, number in known["files"].items() if number]
    print_pairs([*pairs, *([("files/s", known["files_per_s"])] if known["files_per_s"] else [])])
    for one in known["errors"]:
        err.print(f"[red]{one['state']}[/] {escape(one['file'])}: {escape(one['error'])}")


def _print_preview(found: Preview) -> None:
    for sample in found.samples:
        out.print(escape(sample["file"]))
        for change in sample["changes"]:
            out.print(escape(f"  {change_line(change)}"))
    if found.would_change > len(found.samples):
        out.print(f"... and {found.would_change - len(found.samples)} more")
    for reason, number in found.reasons.items():
        out.print(escape(f"refused, {number} files: {reason}"))
    out.print(
        f"{found.matched} files: {found.would_change} would change, {found.unchanged} say so already,"
        f" {found.refused} refused"
    )


def change_line(change: Mapping[str, Any]) -> str:
    """Return one changed card as a line."""
    where = f"[{change['extension']}] " if change["extension"] else ""
    old = "(new)" if change["created"] else change.get("old_text") or json.dumps(change["old"])
    new = "(removed)" if change.get("new_raw") == "" else json.dumps(change["new"])
    return f"{where}{change['keyword']}: {old} -> {new}"


@app.command("list")
def list_sets(
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="Most rows.")] = 20,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """List change sets, newest first."""
    import msgspec

    from armillary.edits.changesets import service

    async def action(context: Context) -> list[ChangeSetSummary]:
        async with context.database.begin() as connection:
            return await service.overview(connection, before=None, count=limit)

    found = run(data, action)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    headings = ("id", "state", "files", "done", "trouble", "created", "by", "why")
    print_table(headings, [_row(one) for one in found])


def _row(one: ChangeSetSummary) -> tuple[object, ...]:
    left, trouble = (sum(one.files[state] for state in states) for states in (UNFINISHED, TROUBLE))
    created = f"{one.created:%Y-%m-%d %H:%M:%S} UTC"
    return one.id, one.state, one.matched, one.matched - left, trouble or "", created, one.actor, one.why


@app.command("show")
def show(
    change_set: IdArgument,
    state: Annotated[
        list[FileState] | None, typer.Option("--state", help="List files in this state, too.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Show a change set: its files by state, its rate, the first errors."""

    async def action(context: Context) -> tuple[dict[str, Any], list[MemberFile]]:
        return await _document(context, change_set), await _files(context, change_set, state or [])

    known, files = run(data, action)
    if as_json and state:
        import msgspec

        known |= {"listed": msgspec.to_builtins(files)}
    _print_set(known, as_json=as_json)
    if not as_json:
        for one in files:
            out.print(escape(f"{one.state:10} {one.file}" + (f": {one.error}" if one.error else "")))


async def _files(context: Context, change_set: int, states: list[FileState]) -> list[MemberFile]:
    from armillary.edits.changesets import service

    found: list[MemberFile] = []
    after: int | None = 0 if states else None
    while after is not None:
        async with context.database.begin() as connection:
            page, after = await service.files(
                connection, change_set, states, after=after, count=service.MOST_FILES
            )
        found += page
    return found


def _act(action: Action, change_set: int, data: Path, *, as_json: bool) -> None:
    from armillary.edits.changesets import service

    async def act(context: Context) -> dict[str, Any]:
        async with context.database.begin() as connection:
            order = await service.act(connection, change_set, action, actor=user_name())
        return await _followed(context, data, change_set, order)

    _end(run(data, act), as_json=as_json)


@app.command("stop")
def stop(change_set: IdArgument, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Stop a change set; what is done stays done."""
    _act(Action.STOP, change_set, data, as_json=as_json)


@app.command("resume")
def resume(change_set: IdArgument, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Resume a stopped change set."""
    _act(Action.RESUME, change_set, data, as_json=as_json)


@app.command("retry")
def retry(change_set: IdArgument, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Retry the refused and failed files of a change set."""
    _act(Action.RETRY, change_set, data, as_json=as_json)


@app.command("revert")
def revert(
    change_set: IdArgument,
    data: DataOption = DEFAULT_DATA,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Revert a change set; cards that were edited since are kept and reported."""
    if not yes:
        known = run(data, lambda context: _document(context, change_set))
        changed = known.get("files", {}).get(FileState.CHANGED, 0)
        confirm(f"Take back the edits of change set {change_set} ({changed} files are changed)?")
    _act(Action.REVERT, change_set, data, as_json=as_json)
