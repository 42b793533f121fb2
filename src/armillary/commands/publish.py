"""Commands that publish records of frames in catalogues of others: the SOLARNET Virtual Observatory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from armillary.commands.help import PlainGroup
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    escape,
    fail,
    guarded,
    only_text,
    out,
    print_json,
    run,
    tell,
)
from armillary.commands.words import YesOption

if TYPE_CHECKING:
    from armillary.context import Context
    from armillary.publish.svo.documents import DatasetReport, RunReport
    from armillary.publish.svo.models import Difference, Step
    from armillary.publish.svo.service import Limit, Options

app = typer.Typer(cls=PlainGroup, no_args_is_help=True, help="Records of frames in catalogues of others.")
svo = typer.Typer(cls=PlainGroup, no_args_is_help=True, help="The SOLARNET Virtual Observatory.")
app.add_typer(svo, name="svo")
NOT_STARTED = 2
SHOWN = 60
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the plan, and send nothing but GET.")]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", min=0.1, help="Longest wait for an answer, seconds.")
]


@svo.command("submit")
def submit(
    oids: Annotated[list[str] | None, typer.Argument(metavar="OID...", help="Oids of products.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All products.")] = False,
    dry_run: DryRunOption = False,
    timeout: TimeoutOption = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Create or update the records of products in the SOLARNET Virtual Observatory."""
    from armillary.publish.svo.service import Options

    if every == bool(oids):
        fail("give oids of products, or --all", status=NOT_STARTED)
    wanted = None if every else frozenset(map(only_text, oids or ()))
    options = Options(
        dry_run=dry_run, updating=True, deleting=False, whole=False, oids=wanted, show=_shown(as_json)
    )
    _end(_run(data, options, [], timeout), as_json=as_json)


@svo.command("sync")
def sync(
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="This dataset alone; may be given again.")
    ] = None,
    dry_run: DryRunOption = False,
    update_existing: Annotated[
        bool | None,
        typer.Option(
            "--update-existing/--no-update-existing", help="Change records that differ; default: setting."
        ),
    ] = None,
    no_delete: Annotated[bool, typer.Option("--no-delete", help="Delete nothing.")] = False,
    max_deletes: Annotated[
        str | None, typer.Option("--max-deletes", metavar="N|P%", help="Most records of a dataset to delete.")
    ] = None,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Delete also where no product is here.")
    ] = False,
    yes: YesOption = False,
    timeout: TimeoutOption = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Make the SOLARNET Virtual Observatory say what this archive says; exit 1 if not all was done."""
    from armillary.commands.terminal import settings_for
    from armillary.publish.svo.service import Options

    if update_existing is None:
        update_existing = settings_for(data).svo.update_existing
    options = Options(
        dry_run=dry_run,
        updating=update_existing,
        deleting=not no_delete,
        limit=_limit(max_deletes),
        allow_empty=allow_empty,
        show=_shown(as_json),
        confirm=lambda report, count: yes or _confirmed(report, count),
    )
    _end(_run(data, options, [only_text(name) for name in dataset or ()], timeout), as_json=as_json)


def _limit(text: str | None) -> Limit:
    from armillary.publish.svo.service import Limit

    if text is None:
        return Limit()
    try:
        return guarded(lambda: Limit.of_text(text))
    except typer.Exit:
        raise typer.Exit(NOT_STARTED) from None


def _run(data: Path, options: Options, datasets: list[str], timeout_s: float | None) -> RunReport:
    """Carry out a run; whatever keeps it from beginning ends the command with 2."""
    from armillary.publish.svo import service

    async def action(context: Context) -> RunReport:
        return await service.run(context, options, datasets=datasets, timeout_s=timeout_s)

    try:
        return run(data, action)
    except typer.Exit as end:
        raise typer.Exit(NOT_STARTED if end.exit_code == 1 else end.exit_code) from None


def _confirmed(report: DatasetReport, count: int) -> bool:
    """Ask on a terminal; without one nobody can answer, and the limit has to do."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    return typer.confirm(f"Delete {count} records of {report.dataset}?", err=True)


def _end(report: RunReport, *, as_json: bool) -> None:
    """Print what a run came to, and end the command as it went."""
    if as_json:
        print_json(report.to_json())
    for problem in report.problems():
        tell(problem, code=None)
    if not as_json:
        counts = ", ".join(f"{count} {name}" for name, count in report.totals.items())
        out.print(f"{counts}{' (dry run: nothing was sent)' if report.dry_run else ''}")
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def _shown(as_json: bool) -> Callable[[DatasetReport], None]:
    """Return what prints the plan of a dataset, unless a script reads the output."""

    def show(report: DatasetReport) -> None:
        for line in () if as_json else _lines(report):
            out.print(escape(line))

    return show


def _lines(report: DatasetReport) -> Iterator[str]:
    from armillary.publish.svo.models import Action

    if not report.whole and not report.steps:
        return
    counts = f": {report.local} here, {report.remote} there" if report.whole else ""
    yield f"{report.dataset}{counts}"
    for step in report.steps:
        if step.action is not Action.UNCHANGED:
            yield from _step(step)
    unchanged = sum(step.action is Action.UNCHANGED for step in report.steps)
    if unchanged:
        yield f"  unchanged  {unchanged}"


def _step(step: Step) -> Iterator[str]:
    place = f"  ({step.file})" if step.file and step.oid else step.file
    where = step.location if step.location and not step.oid and not step.file else ""
    reason = f": {step.reason}" if step.reason else ""
    yield f"  {step.action:9}  {step.oid}{place}{where}{reason}"
    yield from (f"               {_difference(one)}" for one in step.differences)
    yield from (f"               warning: {one}" for one in step.warnings)


def _difference(one: Difference) -> str:
    if isinstance(one.old, str) and "\n" in f"{one.old}{one.new}":
        return f"{one.field}: changed"
    return f"{one.field}: {_value(one.old)} -> {_value(one.new)}"


def _value(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
