"""The keys of ``key=value`` segments, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from armillary.archive.query.errors import Malformed
from armillary.archive.query.grammar import identifiers, numbers, times
from armillary.archive.query.grammar.words import spelt
from armillary.archive.query.models import (
    Among,
    Component,
    Differs,
    Flag,
    InHeader,
    Like,
    Starts,
    TaggedOrRaw,
    Term,
    literally,
)

Terms = tuple[Term, ...]
Reader = Callable[[str, date], Terms]
MAX_WORDS = 20

# The catalog has no table of proposals; these are the keywords in which headers speak of them.
PI_KEYWORDS = ("PINAME", "PI-NAME", "PI_NAME", "PI", "PI-COI")
PROGRAM_KEYWORDS = ("PROGTITL", "PROPTITL", "PROGNAME", "PROPNAME", "PROPOSAL")
PUBLICATION_KEYWORDS = ("REFERENC", "BIBCODE")
CAMERAS = {"GnirsLong": ("LongRed", "LongBlue"), "GnirsShort": ("ShortRed", "ShortBlue")}


def default_terms() -> Terms:
    """Return what ``defaults`` adds where nothing else is said of the same field.

    Which processing tags are the default ones is not recorded, so every tag is.
    """
    return (Flag("engineering", False), Flag("site_monitoring", False), Differs("qa_state", "Fail"))


def _filled(value: str) -> str:
    if not value.strip():
        raise Malformed("there is no value after the '='")
    return value


def _equal(field: str) -> Reader:
    return lambda value, today: (Among(field, (_filled(value).strip(),)),)


def _setting(field: str) -> Reader:
    return lambda value, today: (Among(field, spelt(_filled(value))),)


def _program(value: str, today: date) -> Terms:
    # Clients put observation ids and data labels after progid= as well.
    name = _filled(value).strip()
    return (Among(identifiers.kind_of_id(name) or "program", (name,)),)


def _object(value: str, today: date) -> Terms:
    name = _filled(value).replace("=slash=", "/")
    open_start, open_end = name.startswith("*"), name.endswith("*")
    text = literally(name.removeprefix("*").removesuffix("*"))
    return (Like("object", f"{'%' * open_start}{text}{'%' * open_end}", folded=True),)


def _path(value: str, today: date) -> Terms:
    return (Among("path", (value.replace("=slash=", "/").strip("/"),)),)


def _words(keywords: tuple[str, ...]) -> Reader:
    def read(value: str, today: date) -> Terms:
        words = tuple(_filled(value).split())
        if len(words) > MAX_WORDS:
            raise Malformed(f"there are more than {MAX_WORDS} words")
        return (InHeader(keywords, words),)

    return read


def _day(value: str, today: date) -> Terms:
    day = times.read_day(value, today)
    return (times.utc_days(day, day),)


def _night(value: str, today: date) -> Terms:
    night = times.read_day(value, today)
    return (times.nights(night, night),)


def _night_range(value: str, today: date) -> Terms:
    span = times.read_span(value, today)
    if not span.days:
        raise Malformed("nights are named by days; write YYYYMMDD-YYYYMMDD")
    return (times.nights(span.first.date(), span.last.date()),)


def _recorded(field: str) -> Reader:
    return lambda value, today: (times.recorded(field, times.read_span(value, today)),)


def _conditions() -> dict[str, Reader]:
    def reader(field: str) -> Reader:
        return lambda value, today: (numbers.condition(field, value),)

    return {name: reader(name) for name in ("raw_iq", "raw_cc", "raw_bg", "raw_wv")}


def _tag(value: str, today: date) -> Terms:
    return () if value == "default" else (TaggedOrRaw(_filled(value)),)


def _azimuth(value: str, today: date) -> Terms:
    return (numbers.turning("azimuth_deg", value),)


def _elevation(value: str, today: date) -> Terms:
    return (numbers.near("elevation_deg", value, numbers.HALF_DEGREE, ends="[)"),)


def _rotator(value: str, today: date) -> Terms:
    return (numbers.near("rotator_deg", value, numbers.HALF_DEGREE, ends="[)"),)


_PLAIN: dict[str, Reader] = {
    "filename": lambda value, today: (identifiers.file_name(_filled(value)),),
    "filepre": lambda value, today: (Starts("name", (_filled(value),)),),
    "path": _path,
    "progid": _program,
    "obsid": _equal("observation_id"),
    "datalabel": _equal("data_label"),
    "date": _day,
    "daterange": lambda value, today: (times.taken(times.read_span(value, today)),),
    "night": _night,
    "nightrange": _night_range,
    "entrytimedaterange": _recorded("entrytime"),
    "lastmoddaterange": _recorded("lastmod"),
    "az": _azimuth,
    "el": _elevation,
    "crpa": _rotator,
    "cenwlen": lambda value, today: (
        numbers.near("central_wavelength_um", value, numbers.TENTH_MICRON, ends="()"),
    ),
    "exposure_time": lambda value, today: (
        numbers.near("exposure_s", value, numbers.HALF_SECOND, ends="[]", lowest=0.0),
    ),
    "coadds": lambda value, today: (numbers.whole("coadds", value),),
    "object": _object,
    "PIname": _words(PI_KEYWORDS),
    "ProgramText": _words(PROGRAM_KEYWORDS),
    "publication": _words(PUBLICATION_KEYWORDS),
    "filter": _equal("filter"),
    "disperser": lambda value, today: (Component("disperser", _filled(value)),),
    "camera": lambda value, today: (Among("camera", CAMERAS.get(value, (_filled(value),))),),
    "mask": _equal("focal_plane_mask"),
    "pupil_mask": _equal("pupil_mask"),
    "gain": _setting("gain_setting"),
    "readspeed": _setting("readspeed_setting"),
    "readmode": _setting("readmode_setting"),
    "welldepth": _setting("welldepth_setting"),
    "processing_tag": _tag,
    **_conditions(),
}

_ALIASES = {
    "Az": "az",
    "azimuth": "az",
    "Azimuth": "az",
    "El": "el",
    "elevation": "el",
    "Elevation": "el",
    "CRPA": "crpa",
    "Filter": "filter",
    "Object": "object",
}

KEYS: dict[str, Reader] = {**_PLAIN, **{alias: _PLAIN[key] for alias, key in _ALIASES.items()}}
"""Reader of the value of every key but ``ra``, ``dec``, ``sr`` (which belong together) and ``cols``."""

COORDINATES = {"ra": "ra", "RA": "ra", "dec": "dec", "Dec": "dec", "sr": "sr", "SR": "sr"}
