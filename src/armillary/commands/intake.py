"""Commands that take files in, and let directories be watched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from armillary.archive.fields import CRITERIA
from armillary.base.signatures import with_parameters
from armillary.commands.archive import option_of
from armillary.commands.helping import Find, take_in
from armillary.commands.tables import print_table
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    begun,
    only_text,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from armillary.archive.intake.service import Planned, Search
    from armillary.context import Context

MOST_SHOWN = 20
"""Files of a plan that are shown of each kind; JSON has all."""
Paths = Annotated[list[Path], typer.Argument(help="FITS files, or directories of them.")]
Flag = bool | None


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
    take_in(
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


def _plan(data: Path, paths: Sequence[Path], *, force: bool, verify: bool, as_json: bool) -> None:
    from armillary.archive.intake import service as intake

    async def action(context: Context) -> list[Planned]:
        if not context.settings.ingestion.roots:
            return await intake.plan(context, paths, force=force, verify=verify)
        from armillary.archive.cubes.service import unsettled

        return await intake.plan(context, paths, force=force, verify=verify, unsettled=unsettled)

    planned = begun(lambda: run(data, action))
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

    take_in(data, find, later=later, as_json=as_json)


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
    take_in(data, _find(paths, **how), later=False, as_json=as_json, new=True)
