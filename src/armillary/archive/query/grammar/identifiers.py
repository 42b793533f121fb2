"""The forms of names: programs, observations, data labels, files, masks.

Two families of programs exist: the classic ones (``GN-2022A-Q-101``, ``GS-CAL20230518``) and those of the newer
program platform (``G-2026B-0123-Q``, ``G-2026B-ENG-GMOSN-01``).
"""

from __future__ import annotations

import re

from armillary.archive.query.models import Among, Component, Starts, Term
from armillary.fits.containers import logical_name

_SEMESTER = r"20\d\d[A-Z]"
# The parts of an instrument's name begin with a letter, so that the numbers after it are none of them.
_INSTRUMENT = r"[A-Za-z][A-Za-z0-9_+]*(?:-[A-Za-z][A-Za-z0-9_+]*)*"
_PROGRAM = "|".join(
    (
        rf"G[NS]-{_SEMESTER}-(?:Q|C|SV|QS|DD|LP|FT|DS|CAL|ENG)-\d+",
        r"G[NS]-(?:CAL|ENG)20\d{6}",
        r"(?:CAL|ENG)20\d{6}",
        rf"G-{_SEMESTER}-\d+-[A-Z]",
        rf"G-{_SEMESTER}-(?:CAL|ENG|COM|MON)-{_INSTRUMENT}-\d+",
    )
)
_FORMS = (
    ("data_label", re.compile(rf"(?:{_PROGRAM})-\d+-\d+(?:-[A-Za-z]\w*)?", re.ASCII)),
    ("observation_id", re.compile(rf"(?:{_PROGRAM})-\d+", re.ASCII)),
    ("program", re.compile(_PROGRAM, re.ASCII)),
)
SPECIFIC = tuple(field for field, _ in _FORMS)
"""The fields of ids, the most specific first; it wins over the others."""

_SITE_FILE = re.compile(r"[NS]20\d{6}[A-Z]\d{4}[\d-]*\w*|SDC[SHK]_20\d{6}_\d+\w*", re.ASCII)
_OLD_FILE = re.compile(r"(?:20)?\d\d(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\d\d_\d+", re.ASCII)
_SUFFIXED = re.compile(r".+\.fits(?:\.fz)?", re.DOTALL)
_PREFIX = re.compile(r"[NS]2\d{0,7}|[NS]2\d{7}[A-Z]\d{0,3}", re.ASCII)
_MASK = re.compile(r"G[NS]?20\d\d[A-Z]\w\d{3}-\d\d|G20\d\d[AB]\d{4}[A-Z]-\d\d", re.ASCII)
_BINNING = re.compile(r"[1248]x[1248]")
_GRATING = re.compile(r"MIRROR|[BR]\d{3,4}", re.ASCII)


def kind_of_id(text: str) -> str | None:
    """Return which field an id belongs to by its form, or None if it has no known one."""
    return next((field for field, form in _FORMS if form.fullmatch(text)), None)


def read_name(segment: str) -> tuple[Term, ...] | None:
    """Return what a segment selects that has the form of a name, or None if it has none."""
    if field := kind_of_id(segment.strip()):
        return (Among(field, (segment.strip(),)),)
    if _BINNING.fullmatch(segment):
        return (Among("binning", (segment,)),)
    if _GRATING.fullmatch(segment):
        return (Component("disperser", segment),)
    if _MASK.fullmatch(segment):
        return (Among("focal_plane_mask", (segment,)),)
    return _read_file(segment)


def _read_file(segment: str) -> tuple[Term, ...] | None:
    name = logical_name(segment)
    if _SUFFIXED.fullmatch(name):
        return (Among("name", (name,)),)
    if _SITE_FILE.fullmatch(name) or _OLD_FILE.fullmatch(name):
        return (Among("name", (f"{name}.fits",)),)
    if _PREFIX.fullmatch(segment):
        return (Starts("name", (segment,)),)
    return None


def file_name(text: str) -> Term:
    """Return what ``filename=`` selects: a logical name, ``.fits`` understood where there is no suffix."""
    name = logical_name(text)
    return Among("name", (name,) if "." in name else (name, f"{name}.fits"))
