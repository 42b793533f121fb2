"""The command that checks headers against the rules: files, directories, or frames of the archive."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from armillary.commands.tables import print_table
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    err,
    escape,
    fail,
    guarded,
    only_text,
    out,
    print_json,
)
from armillary.errors import ArmillaryError, BadRequest

if TYPE_CHECKING:
    from armillary.headers.rules.service import Finding, Place, Report, Sheet

_ENDINGS = (".fits", ".fit", ".fts", ".fz", ".json", ".yaml", ".yml", ".header", ".hdr", ".head")
_PACKED = (".gz", ".bz2")
_COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}
MAX_TEXT = 256 << 20
MAX_UNPACKED = 16 << 30


def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH...", help="FITS files, texts of cards, JSON, YAML; directories of them."
        ),
    ] = None,
    site: Annotated[
        str | None,
        typer.Option(
            "--site", metavar="LAT,LON,HEIGHT", help="Degrees north and east, metres; for all headers."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", help="Check archived frames of a selection, as GMOS-N/20221215; findings are stored."
        ),
    ] = None,
    keyword: Annotated[
        list[str] | None, typer.Option("--keyword", help="Only frames of which EXPTIME>10 or the like holds.")
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option("--tolerance", metavar="RULE=NUMBER", help="Another tolerance of a rule."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Check headers for what cannot be true; exit 1 if there is an error or a warning.

    Nothing is changed: a finding may propose an edit.
    """
    place = guarded(lambda: _site_of(site)) if site else None
    tolerances = guarded(lambda: parse_tolerances(tolerance or ()))
    if where or keyword:
        if paths:
            fail("name files or a selection, not both", status=2)
        from armillary.commands.checked_frames import check_frames

        report = check_frames(data, where or (), keyword or (), place, tolerances)
    elif paths:
        report = guarded(lambda: _check_files(paths, place, tolerances))
    else:
        fail("name files, or frames of the archive by --where", status=2)
    print_report(report, as_json=as_json)
    raise typer.Exit(0 if report.clean else 1)


def _site_of(text: str) -> Place:
    from armillary.headers.rules.service import parse_site

    return parse_site(only_text(text))


def parse_tolerances(settings: Sequence[str]) -> dict[str, float]:
    """Read ``RULE=NUMBER``.

    Raises
    ------
    BadRequest
        If a rule is unknown or the number is none.
    """
    from armillary.headers.rules.service import rules_told

    known = {rule.id for rule in rules_told()}
    found = {}
    for text in settings:
        name, mark, number = text.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            mark = ""
        if not mark:
            raise BadRequest(f"'{text}' is no tolerance: write RULE=NUMBER.")
    if unknown := sorted(set(found) - known):
        raise BadRequest(f"There is no rule '{unknown[0]}'; there are: {', '.join(sorted(known))}.")
    return found


def _check_files(paths: Sequence[Path], site: Place | None, tolerances: dict[str, float]) -> Report:
    from armillary.headers.rules.service import check as judge
    from armillary.headers.rules.service import check_set, report_on, slim

    found: list[Finding] = []
    kept: list[Sheet] = []
    for path, name in headers_below(paths):
        for sheet in read_sheets(path, name, site):
            found += judge(sheet, tolerances=tolerances)
            kept.append(slim(sheet))
    if not kept:
        fail(f"there are no headers in {', '.join(map(str, paths))}", status=2)
    return report_on([*found, *check_set(kept, tolerances)], len(kept))


def headers_below(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Yield files and what to call them: those that are named, and of directories those with a known ending."""
    for path in paths:
        if not path.is_dir():
            yield path, str(path) if len(paths) > 1 else path.name
            continue
        for directory, below, names in os.walk(path):
            below.sort()
            for name in sorted(names):
                bare = name.lower()
                for packed in _PACKED:
                    bare = bare.removesuffix(packed)
                if bare.endswith(_ENDINGS):
                    file = Path(directory, name)
                    yield file, str(file.relative_to(path))


def read_sheets(path: Path, name: str, site: Place | None = None) -> list[Sheet]:
    """Return the headers of a file; of one that cannot be read, a sheet that says why.

    Of FITS files only headers are read. A compressed file is unpacked into a temporary one, which has no name.
    """
    from armillary.fits.containers import Container, container_named
    from armillary.headers.rules.service import trouble

    try:
        with path.open("rb") as file:
            if container_named(path.name) is Container.PLAIN:
                return _read_open(file, name, site)
            with tempfile.TemporaryFile() as unpacked:
                _unpack(file, path.name, unpacked)
                return _read_open(unpacked, name, site)
    except ArmillaryError as error:
        return [trouble(name, error.message)]
    except OSError as error:
        return [trouble(name, f"{name}: {error.strerror or error}")]


def _unpack(file: IO[bytes], name: str, unpacked: IO[bytes]) -> None:
    from armillary.fits.containers import container_of, expand

    number = file.fileno()
    container = container_of(name, os.pread(number, 8, 0))
    for piece in expand(lambda at, size: os.pread(number, size, at), container, limit=MAX_UNPACKED):
        unpacked.write(piece)
    unpacked.flush()


def _read_open(file: IO[bytes], name: str, site: Place | None) -> list[Sheet]:
    from armillary.headers.rules.service import is_fits, scanned_sheet, sheets_of

    number, size = file.fileno(), os.fstat(file.fileno()).st_size
    head = os.pread(number, 2880, 0)
    if is_fits(head):
        return [scanned_sheet(lambda at, length: os.pread(number, length, at), size, name, site)]
    if size > MAX_TEXT:
        raise BadRequest(f"{name} is neither FITS nor a header in text: it has {size} bytes.")
    return sheets_of(os.pread(number, size, 0), name, site)


def print_report(report: Report, *, as_json: bool) -> None:
    """Print findings, one a line, and what those of each rule have in common; or all of it as JSON."""
    from armillary.headers.rules.service import report_to_json

    if as_json:
        print_json(report_to_json(report))
        return
    for one in report.findings:
        colour = _COLOURS[one.severity]
        why = f" ({one.hypothesis})" if one.hypothesis else ""
        off = f" residual {one.residual:g} {one.unit}".rstrip() if one.residual is not None else ""
        text = f"{one.file}: {one.rule}: {one.keyword}: {one.text}{off}{why}"
        out.print(f"[{colour}]{one.severity:<7}[/] {escape(text)}")
    if report.rules:
        rows = [
            (
                one.rule,
                str(one.files),
                "" if one.median is None else f"{one.median:.6g} {one.unit}".rstrip(),
                "" if one.spread is None else f"{one.spread:.3g}",
                one.cause or "",
            )
            for one in report.rules
        ]
        print_table(("rule", "files", "median", "spread", "likely cause"), rows)
    err.print(f"{report.files} headers, {len(report.findings)} findings")
