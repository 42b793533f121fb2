"""Exposures in order of time, as far as checks of many headers need them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from armillary.headers.rules.instants import span_of
from armillary.headers.rules.models import Deviation, SetRule
from armillary.headers.rules.sheet import Page, Sheet, parts_of

_KEPT = frozenset(
    {
        *("INSTRUME", "TELESCOP", "FILTER", "GRATING"),
        *("PRESSURE", "HUMIDITY", "FOCUSZ", "SEEING", "WINDSPD", "AIRTEMP"),
        "OBSID",
        "CONTRLLR",
        "TIMESYS",
        "TRACKSYS",
        "TELSTAT",
        "TEL_STAT",
        "IMGTYPE",
        "OBSTYPE",
    }
    | {
        "IMAGETYP",
        "RADESYS",
        "RADECSYS",
        "FRAME",
        "EQUINOX",
        "TSTAND",
        "OBSERVAT",
        "DATE",
        "DATE-BEG",
        "DATE-OBS",
        "DATEOBS",
    }
    | {
        "UTC-OBS",
        "TIME-OBS",
        "UT",
        "UTIME",
        "UTSTART",
        "UTSHUT",
        "UTC",
        "TIME",
        "MJD-BEG",
        "MJD-OBS",
        "MJD_OBS",
        "MJDATE",
    }
    | {
        "DATE-END",
        "DATEEND",
        "UTC-END",
        "UTCEND",
        "UTSTOP",
        "UTEND",
        "MJD-END",
        "MJDEND",
        "RA",
        "DEC",
        "RATEL",
        "DECTEL",
    }
    | {
        "RASTART",
        "DECSTART",
        "AZSTART",
        "ELSTART",
        "HASTART",
        "AMSTART",
        "ROTSTART",
        "ROTPA",
        "ROTCOORD",
        "ROTTELPOS",
    }
    | {
        "OBS-LAT",
        "OBS-LONG",
        "OBS-ELEV",
        "LATITUDE",
        "LONGITUD",
        "HEIGHT",
        "SITELAT",
        "SITELONG",
        "SITEELEV",
        "ROTATOR",
    }
    | {"OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z", "OBSGEO-B", "OBSGEO-L", "OBSGEO-H"}
)


@dataclass(frozen=True, slots=True)
class Shot:
    """One exposure: the sheet of its first file, its id, when it began and ended (UTC seconds)."""

    sheet: Sheet
    id: str
    camera: str
    begin: float
    end: float


SetJudge = Callable[[Sequence[Shot], float], Iterator[tuple[str, Deviation]]]
SetCheck = tuple[SetRule, SetJudge]
"""A rule of many headers with what judges it: exposures and tolerance in, files and deviations out."""


def shots_of(sheets: Sequence[Sheet]) -> list[Shot]:
    """Return the exposures in order of time; of the files of one exposure, the first stands for it."""
    found: dict[str, Shot] = {}
    for sheet in sheets:
        span, parts = span_of(sheet), parts_of(sheet)
        if span.begin is None or span.begin.rounding > 1.0:
            continue
        begin = span.to_utc(span.begin.seconds)
        finish = span.finish
        end = begin if finish is None else max(begin, span.to_utc(finish))
        name = sheet.text("OBSID") if parts else sheet.file
        camera = f"{sheet.text('INSTRUME')} {parts[1] if parts else ''}"
        found.setdefault(f"{camera} {name}", Shot(sheet, name or sheet.file, camera, begin, end))
    return sorted(found.values(), key=lambda one: one.begin)


def by_camera(shots: Sequence[Shot]) -> list[list[Shot]]:
    groups: dict[str, list[Shot]] = defaultdict(list)
    for one in shots:
        groups[one.camera].append(one)
    return list(groups.values())


def slim(sheet: Sheet) -> Sheet:
    """Return of a header what checks of many need: a thousandth of the memory where it has many detectors."""
    cells = tuple(cell for key, cell in sheet.cells.items() if key in _KEPT)
    detectors = tuple(Page(page.name, ()) for page in sheet.pages[1:] if page.name)
    return Sheet((Page("PRIMARY", cells), *detectors), sheet.file, sheet.given_site)
