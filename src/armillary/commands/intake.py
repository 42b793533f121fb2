"""Commands that take files in, let directories be watched, and take files out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from armillary.access.models import OPERATOR
from armillary.archive.fields import CRITERIA
from armillary.base.memory import collect_seldom, uncollected
from armillary.base.signatures import with_parameters
from armillary.commands.archive import option_of
from armillary.commands.tables import print_table
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    err,
    escape,
    is_up,
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
    from armillary.archive.intake.service import IngestReport, Planned, Search
    from armillary.base.work import Outcome
    from armillary.context import Context

CONTESTED = (
    "searches find only the last one of each name: rename the others and ingest them again, or let paths identify"
    " the files: armillary root set NAME --identity by-path"
)
"""What to do about files of one name and different content where names identify files."""
MOST_SHOWN = 20
"""Files of a plan that are shown of each kind; JSON has all."""
Paths = Annotated[list[Path], typer.Argument(help="FITS files, or directories of them.")]
NOT_BEGUN = 2
"""Exit status of what could not begin; 1 is for files that failed."""
Flag = bool | None
Find = Callable[["Context"], Awaitable["Search"]]
"""Finds files that are to be queued."""
T = TypeVar("T")


def ingest(
    paths: Paths,
    data: DataOption = DEFAULT_DATA,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy into the store instead of adopting in place.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Read files again that did not change.")] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Compare the bytes of files that seem not to have changed, too."),
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what would be done or skipped, and why; write nothing.")
    ] = False,
    later: Annotated[
        bool, typer.Option("--async", help="Queue the files, and do not wait for them.")
    ] = False,
    private: Annotated[
        bool,
        typer.Option(
            "--private", help="Nobody else reads the directory: edit files in place, not by copies."
        ),
    ] = False,
    watched: Annotated[
        bool | None,
        typer.Option(
            "--watch/--no-watch",
            help="Let a running Armillary take new files of these directories in by itself, or no longer.",
        ),
    ] = None,
    oid: Annotated[str | None, typer.Option(help="Oid of the one file, if not as its headers say.")] = None,
    additional: Annotated[
        Flag, typer.Option("--additional", help="Let the oid be a second one of the file.")
    ] = None,
    owner: Annotated[
        list[str] | None,
        typer.Option(help="E-mail address of who may read the files before their release; '' for nobody."),
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="Group that may read them before their release; '' for none.")
    ] = None,
    image_source: Annotated[
        str | None, typer.Option(help="Picture to show of the one file: its path below the root.")
    ] = None,
    video_source: Annotated[
        str | None, typer.Option(help="Movie to show of the one file: its path below the root.")
    ] = None,
    images: Annotated[Flag, typer.Option("--images/--no-images", help="Make pictures.")] = None,
    video: Annotated[Flag, typer.Option("--video/--no-video", help="Make movies.")] = None,
    svo: Annotated[
        Flag, typer.Option("--svo/--no-svo", help="Let the SOLARNET Virtual Observatory know of them.")
    ] = None,
    swedish: Annotated[
        Flag,
        typer.Option(
            "--swedish/--not-swedish", help="Let the group of sst.swedish_group read them, or no more."
        ),
    ] = None,
    priority: Annotated[int, typer.Option(min=-1000, max=1000, help="Higher ones go first.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Ingest FITS files and wait for the result; exit 1 if any failed, 2 if it could not begin.

    Options from --oid on are for files of ingestion roots; of others they say nothing. What is not given stays
    as it was.
    """
    if copy and (watched or plan):
        raise typer.BadParameter("watched and planned directories stay where they are: leave out --copy")
    for_one = {"--oid": oid, "--image-source": image_source, "--video-source": video_source}
    named = [name for name, value in for_one.items() if value is not None]
    if named and (len(paths) != 1 or paths[0].is_dir()):
        raise typer.BadParameter(f"{', '.join(named)}: name one file, not several or a directory")
    if plan:
        _plan(data, paths, force=force, verify=verify, as_json=as_json)
        return
    options = {
        "oid": oid,
        "additional": additional,
        "owner_email_addresses": _given(owner),
        "groups": _given(group),
        "image_source": image_source,
        "video_source": video_source,
        "make_images": images,
        "make_video": video,
        "submit_svo": svo,
        "swedish_data": swedish,
    }
    said = {name: value for name, value in options.items() if value is not None}
    how = {"copy": copy, "force": force, "in_place": private, "watched": watched, "verify": verify}
    _take_in(
        data,
        _find(paths, options=said, priority=priority, **how),
        paths=paths,
        later=later,
        as_json=as_json,
        new=True,
    )


def _find(paths: Sequence[Path], **how: Any) -> Find:
    """Return what finds files below paths."""

    async def find(context: Context) -> Search:
        from armillary.archive.intake.service import search_paths

        if not context.settings.ingestion.roots:
            return await search_paths(context, paths, **how)
        from armillary.archive.cubes.service import unsettled

        return await search_paths(context, paths, unsettled=unsettled, **how)

    return find


def _given(words: list[str] | None) -> list[str] | None:
    """Return a list that was given, in which '' stands for nobody; None if none was."""
    return [only_text(word) for word in words if word] if words else None


def _take_in(
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

    with children_for(() if later else paths, data) as quick:
        report = _begun(lambda: run(data, action, new=new, quick=quick))
    if isinstance(report, int):
        print_json({"queued": report}) if as_json else out.print(f"{report} queued")
        return
    if as_json:
        print_json(report.to_json())
    else:
        _show(report)
    raise typer.Exit(1 if report.failed else 0)


def _begun(action: Callable[[], T]) -> T:
    """Return what an action returns; if it could not even begin, the command ends with the status 2."""
    try:
        return action()
    except typer.Exit as error:
        raise typer.Exit(NOT_BEGUN if error.exit_code == 1 else error.exit_code) from None


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
    """Queue files and help with them; return how their orders ended.

    This loads most of the program, which takes longer than to find that nothing has changed.
    """
    from armillary.archive.intake.service import get_ready

    # What is gathered goes on by itself.
    children = asyncio.gather(get_ready(context, [path for _, path in found.changed]))
    # Not beside the queueing: the two would only wait for each other, and both keep the first files waiting.
    await asyncio.to_thread(_load_work)
    from armillary.commands.work import finish

    collect_seldom()
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


def _load_work() -> None:
    with uncollected():
        import armillary.commands.work  # noqa: F401


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


def _plan(data: Path, paths: Sequence[Path], *, force: bool, verify: bool, as_json: bool) -> None:
    from armillary.archive.intake import service as intake

    async def action(context: Context) -> list[Planned]:
        if not context.settings.ingestion.roots:
            return await intake.plan(context, paths, force=force, verify=verify)
        from armillary.archive.cubes.service import unsettled

        return await intake.plan(context, paths, force=force, verify=verify, unsettled=unsettled)

    planned = _begun(lambda: run(data, action))
    if as_json:
        print_json({"plan": [one.to_json() for one in planned]})
        return
    counts = Counter(one.act for one in planned)
    shown = [one for act in counts for one in [one for one in planned if one.act is act][:MOST_SHOWN]]
    print_table(["file", "would", "why"], [[one.path, str(one.act), one.why] for one in shown])
    out.print(", ".join(f"{count} to {act}" for act, count in counts.items()) or "no files")
    if len(shown) < len(planned):
        out.print(f"{len(planned) - len(shown)} are not shown; --json has all")


def reingest(
    keywords: Annotated[list[str] | None, typer.Argument(help="Conditions such as EXPTIME>30.")] = None,
    data: DataOption = DEFAULT_DATA,
    name: Annotated[str | None, typer.Option(help="Name of the file; * and ? stand for anything.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All files, if no condition is given.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Make everything anew.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare the bytes, too.")] = False,
    later: Annotated[
        bool, typer.Option("--async", help="Queue the files, and do not wait for them.")
    ] = False,
    as_json: JsonOption = False,
    **given: Any,
) -> None:
    """Ingest files anew that a search finds; only what has changed is made again."""
    days = {one.name for one in CRITERIA if one.type is date}
    wanted = {key: value.date() if value and key in days else value for key, value in given.items()}
    if (
        not everything
        and not keywords
        and name is None
        and not any(one is not None for one in wanted.values())
    ):
        raise typer.BadParameter("give conditions, or --all for every file")

    async def find(context: Context) -> Search:
        from armillary.archive.intake.service import search_members
        from armillary.archive.query.service import terms_of

        terms = terms_of(name=name, cone=None, keywords=keywords, **wanted)
        return await search_members(context, terms, force=force, verify=verify)

    _take_in(data, find, later=later, as_json=as_json)


with_parameters(reingest, map(option_of, CRITERIA))


def watch(
    paths: Paths,
    data: DataOption = DEFAULT_DATA,
    stop: Annotated[bool, typer.Option("--stop", help="Watch them no longer.")] = False,
    private: Annotated[
        bool,
        typer.Option("--private", help="Nobody else reads them: edit files in place, not by copies."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Let a running Armillary take in new files of directories, as `ingest --watch` does, or no longer."""
    how = {"copy": False, "force": False, "in_place": private, "watched": not stop}
    _take_in(data, _find(paths, **how), later=False, as_json=as_json, new=True)


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

    done, failed = _begun(lambda: run(data, action))
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
