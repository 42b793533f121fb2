"""Queueing files for intake, helping with them, and telling what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import typer

from armillary.base.memory import collect_seldom, uncollected
from armillary.commands.terminal import begun, err, escape, is_up, out, print_json, run

if TYPE_CHECKING:
    from armillary.archive.intake.service import IngestReport, Search
    from armillary.base.sandbox.pool import Child
    from armillary.base.work import Outcome
    from armillary.context import Context

CONTESTED = (
    "searches find only the last one of each name: rename the others and ingest them again, or let paths identify"
    " the files: armillary root set NAME --identity by-path"
)
"""What to do about files of one name and different content where names identify files."""
Find = Callable[["Context"], Awaitable["Search"]]
"""Finds files that are to be queued."""


def take_in(
    data: Path,
    find: Find,
    *,
    paths: Sequence[Path] = (),
    later: bool,
    as_json: bool,
    new: bool = False,
) -> None:
    """Queue the files that ``find`` finds, wait for them, and tell what became of them.

    They are somewhere below ``paths``, if that is known.
    """
    from armillary.archive.intake.foresight.service import children_for

    async def action(context: Context) -> IngestReport | int:
        from rich.progress import Progress

        from armillary.archive.intake import service as intake

        await _register(context)
        with Progress(console=err, transient=True, disable=as_json or not err.is_terminal) as progress:
            task = progress.add_task("finding files", total=None)
            found = await find(context)
            if later:
                return len((await intake.queue(context, found)).orders)
            progress.update(task, description="ingesting", total=len(found.changed))

            def show(done: int) -> None:
                progress.update(task, completed=done)

            report = await _taken_in(context, found, show)
            if not is_up(data):
                progress.update(task, description="digests and previews", total=None)
                await _finish_rest(context)
            return report

    with children_for(() if later else paths, data) as both:

        def quick() -> Sequence[Child]:
            # Beside the start of the database, for which this thread only waits.
            Thread(target=_load).start()
            return both()

        report = begun(lambda: run(data, action, new=new, quick=quick))
    if isinstance(report, int):
        print_json({"queued": report}) if as_json else out.print(f"{report} queued")
        return
    if as_json:
        print_json(report.to_json())
    else:
        _show(report)
    raise typer.Exit(1 if report.failed else 0)


def _load() -> None:
    """Load what finds files and works on them."""
    with uncollected():
        import armillary.archive.intake.service
        import armillary.commands.work  # noqa: F401


async def _register(context: Context) -> None:
    """Set up the ingestion roots of the settings, if there are any: no worker may have done so yet."""
    if context.settings.ingestion.roots:
        from armillary.archive.cubes.service import register

        await register(context)


async def _taken_in(context: Context, found: Search, show: Callable[[int], None]) -> IngestReport:
    """Queue files, help with them as soon as the first are queued, and return what became of all."""
    from armillary.archive.intake import service as intake

    if found.changed:
        ended = await _helped(context, found, show)
    else:
        await intake.queue(context, found)
        ended = {}
    report = intake.collect(found.run, ended)
    await intake.tell_contested(context, found.run)
    return report


async def _helped(context: Context, found: Search, show: Callable[[int], None]) -> dict[int, Outcome]:
    """Queue files and help with them; return how their orders ended."""
    from armillary.archive.intake.service import get_ready
    from armillary.commands.work import finish

    collect_seldom()
    ready = get_ready(context, [path for _, path in found.changed])
    children = asyncio.create_task(ready)
    queueing = asyncio.create_task(_queued(context, found))
    try:
        ended = await finish(context, queueing, show=show)
        await children
    finally:
        queueing.cancel()
        children.cancel()
    return ended


async def _queued(context: Context, found: Search) -> Sequence[int]:
    from armillary.archive.intake import service as intake

    return list((await intake.queue(context, found)).orders)


async def _finish_rest(context: Context) -> None:
    """Help with the queue until nothing is due: what these files ordered, and what was left by earlier ones."""
    from armillary.base.work.admin import is_due

    async with context.database.begin() as connection:
        if not await is_due(connection):
            return
    from armillary.commands.work import finish_all

    await finish_all(context)


def _show(report: IngestReport) -> None:
    """Print what became of files, for people."""
    for path, message in report.failed:
        err.print(f"[red]failed[/] {escape(path)}: {escape(message)}")
    for name, places in report.contested.items():
        err.print(
            f"[yellow]see to it:[/] {escape(name)} stands for several files: {escape(', '.join(places))}"
        )
    if report.contested:
        err.print(CONTESTED)
    out.print(f"{report.ingested} ingested, {report.skipped} skipped, {len(report.failed)} failed")
