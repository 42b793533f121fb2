"""Commands that find files, show them and verify them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from armillary.access.models import OPERATOR
from armillary.archive.fields import CRITERIA, Criterion
from armillary.archive.models import MAX_PAGE
from armillary.base.signatures import with_parameters
from armillary.commands.tables import print_pairs, print_table, size
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    FileArgument,
    JsonOption,
    err,
    escape,
    only_text,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from armillary.archive.intake.service import Finding
    from armillary.archive.query.service import Page
    from armillary.context import Context

COLUMNS = {
    "name": "name",
    "night": "night",
    "instrument": "instrument",
    "filter": "filter",
    "exposure/s": "exposure_s",
    "object": "object",
    "type": "observation_type",
    "QA": "qa_state",
}
TEXTS = {
    "data_label": "Data label.",
    "qa_state": "Undefined, Pass, Usable, Fail or CHECK.",
    "night_until": "Last night of a range.",
    "since": "UTC.",
    "until": "UTC; not included.",
    "exposure_min_s": "Seconds.",
    "exposure_max_s": "Seconds.",
    "warnings": "Frames of whose headers something could not be read.",
}
"""What is said of options of a search beyond their names."""


def search_command(
    keywords: Annotated[list[str] | None, typer.Argument(help="Conditions such as EXPTIME>30.")] = None,
    data: DataOption = DEFAULT_DATA,
    name: Annotated[str | None, typer.Option(help="Name of the file; * and ? stand for anything.")] = None,
    cone: Annotated[str | None, typer.Option(help="RA,DEC,RADIUS in degrees.")] = None,
    select: Annotated[
        str | None, typer.Option(help="Selection as in the paths of lists: GMOS-N/20260101/Pass.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAGE)] = 100,
    cursor: Annotated[str | None, typer.Option(help="Where a former page ended.")] = None,
    as_json: JsonOption = False,
    **given: Any,
) -> None:
    """Find frames, newest first."""
    from armillary.archive.query import service as query
    from armillary.archive.query.service import read_selection, terms_of

    days = {one.name for one in CRITERIA if one.type is date}
    wanted = {key: value.date() if value and key in days else value for key, value in given.items()}

    async def action(context: Context) -> Page:
        terms = terms_of(name=name, cone=cone, keywords=keywords, **wanted)
        today, summit = context.clock.now().date(), context.settings.archive.summit
        if select is not None:
            terms += read_selection(only_text(select), today=today, summit=summit).terms
        async with context.database.begin() as connection:
            return await query.search(connection, terms, OPERATOR, today=today, limit=limit, cursor=cursor)

    _print_page(run(data, action), as_json=as_json)


def option_of(one: Criterion) -> Parameter:
    """Return the option of a search that a criterion is."""
    word = f"{one.option}/--no-{one.option}" if one.type is bool else one.option
    text = TEXTS.get(one.name, one.text or None)
    # The library of the command line knows no days, but instants in the form of days.
    kind: Any = datetime if one.type is date else one.type
    formats = ["%Y-%m-%d", "%Y%m%d"] if one.type is date else None
    option = typer.Option(f"--{word}", help=text, formats=formats)
    return Parameter(
        one.name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


with_parameters(search_command, map(option_of, CRITERIA))


def _print_page(page: Page, *, as_json: bool) -> None:
    from armillary.archive.query import service as query

    if as_json:
        print_json({"frames": [query.plain_values(one) for one in page.frames], "cursor": page.cursor})
        return
    _print_frames(page.frames)
    if page.cursor:
        out.print(f"more: --cursor {page.cursor}")


def _print_frames(frames: Sequence[dict[str, Any]]) -> None:
    often = Counter(one["name"] for one in frames)
    shown = [{**one, "name": _named(one)} if often[one["name"]] > 1 else one for one in frames]
    print_table(list(COLUMNS), [[_short(one[column]) for column in COLUMNS.values()] for one in shown])
    out.print(f"{len(frames)} frame{'' if len(frames) == 1 else 's'}")


def _named(one: dict[str, Any]) -> str:
    """Return how to call a file of whose name there are several."""
    return f"{one['path']}/{one['name']}" if one["path"] else str(one["name"])


def _short(value: object) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:g}"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        case date():
            return value.isoformat()
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def show(
    file: FileArgument,
    data: DataOption = DEFAULT_DATA,
    header: Annotated[bool, typer.Option("--header", help="Print the cards of every HDU.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a file: its location, digests, frame and headers."""
    from armillary.archive.catalog import service as catalog
    from armillary.archive.query import service as query
    from armillary.fits.header import Header

    async def action(context: Context) -> tuple[dict[str, Any], tuple[bytes, ...]]:
        async with context.database.begin() as connection:
            version = await catalog.find_version(connection, file)
            frame = await catalog.frame_of_file(connection, version.file_id) or {}
            root = await catalog.root_by_id(connection, version.location.root_id)
            numbers = [one.id for one in await catalog.versions_of(connection, version.file_id)]
        known = {
            "name": version.name,
            "stored": root.shown(version.location.key),
            "version": numbers.index(version.id) + 1,
            "present": version.present,
            "file_size": version.file_size,
            "data_size": version.data_size,
            "file_md5": version.file_md5,
            "data_md5": version.data_md5,
            "data_sha256": version.data_sha256,
            "crc64nvme": f"{version.file_crc:016x}",
            "lastmod": version.lastmod,
            "entrytime": version.entrytime,
            "hdus": [[h.kind, h.name, h.version, h.header_size, h.data_size] for h in version.hdus],
            "frame": {
                k: v for k, v in frame.items() if k not in ("keywords", "file_id", "version_id", "hpx")
            },
        }
        return known, version.headers()

    known, headers = run(data, action)
    if as_json:
        cards = [[[c.keyword, c.value, c.comment] for c in Header(one).cards] for one in headers]
        print_json(
            {**query.plain_values(known), "frame": query.plain_values(known["frame"]), "headers": cards}
        )
        return
    _print_known(known)
    for index, one in enumerate(headers if header else ()):
        out.print(f"[bold]HDU {index}[/]")
        out.print(escape(Header(one).text()), soft_wrap=True)


def _print_known(known: dict[str, Any]) -> None:
    frame, hdus = known.pop("frame"), known.pop("hdus")
    pairs = [(key, "(not known yet)" if value is None else _short(value)) for key, value in known.items()]
    pairs = [(key, size(known[key]) if key.endswith("_size") else text) for key, text in pairs]
    for index, (kind, name, number, header, content) in enumerate(hdus):
        label = f"{kind} {name} {number}" if name else kind
        pairs.append((f"hdu {index}", f"{label}, header {size(header)}, data {size(content)}"))
    details = frame.pop("details", None) or {}
    for key, value in {**frame, **details}.items():
        if value not in (None, [], False):
            pairs.append((key, "; ".join(value) if isinstance(value, list) else _short(value)))
    print_pairs(pairs)


def verify(
    files: Annotated[list[str] | None, typer.Argument(help="Logical names; without, all files.")] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Read stored files and compare every byte with the catalog; exit 1 if any differs."""
    from rich.progress import Progress

    from armillary.archive.intake.service import verify_files

    async def action(context: Context) -> list[Finding]:
        with Progress(console=err, transient=True, disable=as_json or not err.is_terminal) as progress:
            task = progress.add_task("verifying", total=None)
            found = []
            async for one in verify_files(context, files or []):
                found.append(one)
                progress.update(task, completed=len(found))
            return found

    findings = run(data, action)
    bad = [one for one in findings if one.problem]
    if as_json:
        problems = [{"file": one.name, "path": one.path, "problem": one.problem} for one in bad]
        print_json(
            {"verified": len(findings) - len(bad), "bytes": sum(f.size for f in findings), "failed": problems}
        )
    else:
        for one in bad:
            err.print(f"[red]bad[/] {escape(one.path)}: {escape(one.problem)}")
        total = sum(one.size for one in findings)
        out.print(f"{len(findings) - len(bad)} of {len(findings)} files are sound ({size(total)} read)")
    raise typer.Exit(1 if bad else 0)
