"""How pages say values: times, sizes, counts, spans, angles, and texts that came from outside."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from armillary.base.text import has_controls

NONE = "–"
_UNITS = ("kB", "MB", "GB", "TB", "PB")
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_HARMLESS = "\n\t"


def harmless(text: str) -> str:
    """Return a text in which characters that nobody sees are shown by their numbers.

    Control characters, marks of direction and their kin change what is shown around them; headers, names and
    lines of logs come from anybody.
    """
    if not has_controls(text):
        return text
    return "".join(one if one in _HARMLESS or not has_controls(one) else f"⟨{ord(one):04X}⟩" for one in text)


def finalize(value: Any) -> Any:
    """Return a value as templates print it: every text harmless, and nothing for None."""
    if value is None:
        return ""
    # What is markup already was made from texts that came through here.
    return harmless(value) if type(value) is str else value


def instant(value: datetime | None, precision: str = "seconds") -> str:
    """Return a moment in UTC as `2026-01-01 05:00:00`."""
    return value.replace(tzinfo=None).isoformat(" ", precision) if value else NONE


def machine(value: datetime | date | None) -> str:
    """Return a moment or day for the attribute `datetime`."""
    return value.isoformat() if value else ""


def size(value: int | float | None) -> str:
    """Return a number of bytes as `8.41 MB`, in powers of 1000."""
    if value is None:
        return NONE
    if value < 1000:
        return f"{value:.0f} B"
    thousands = min(int(math.log10(value) // 3), len(_UNITS))
    text = f"{value / 1000**thousands:.3g}"
    if float(text) >= 1000 and thousands < len(_UNITS):
        # 999.6 kB are 1 MB.
        thousands, text = thousands + 1, "1"
    return f"{text} {_UNITS[thousands - 1]}"


def count(value: int | float | None) -> str:
    """Return a number with its thousands apart by narrow spaces."""
    return NONE if value is None else f"{value:,.0f}".replace(",", "\u202f")


def short(value: int) -> str:
    """Return a number in at most four signs, as `12k`, for places without room."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.2g}{unit}" if value < 10 * limit else f"{value / limit:.0f}{unit}"
    return str(value)


def number(value: float | None, digits: int = 6) -> str:
    """Return a number with as many significant digits as are of use."""
    return NONE if value is None else f"{value:.{digits}g}"


def span(value: float | timedelta | None) -> str:
    """Return seconds as `3 h 20 min`: the two largest units."""
    if value is None:
        return NONE
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if abs(seconds) < 60:
        return f"{seconds:.3g} s"
    for place, (length, unit) in enumerate(_SPANS):
        if seconds >= length:
            whole, rest = divmod(round(seconds), length)
            below, name = _SPANS[place + 1] if place + 1 < len(_SPANS) else (1, "s")
            return f"{whole} {unit} {rest // below} {name}" if rest // below else f"{whole} {unit}"
    return f"{seconds:.0f} s"


def hours(ra_deg: float | None) -> str:
    """Return a right ascension in degrees as `12:34:56.78`, in hours."""
    return NONE if ra_deg is None else _sexagesimal(ra_deg % 360 / 15, 2, 24)


def degrees(dec_deg: float | None) -> str:
    """Return a declination in degrees as `+12:34:56.7`."""
    if dec_deg is None:
        return NONE
    return ("-" if dec_deg < 0 else "+") + _sexagesimal(abs(dec_deg), 1, None)


def _sexagesimal(value: float, digits: int, turn: int | None) -> str:
    units = round(value * 3600 * 10**digits)
    minutes, seconds = divmod(units, 60 * 10**digits)
    whole, minute = divmod(minutes, 60)
    whole = whole % turn if turn else whole
    return f"{whole:02d}:{minute:02d}:{seconds / 10**digits:0{3 + digits}.{digits}f}"


def path(value: str) -> str:
    """Return a name or path as a part of a URL; its slashes stay."""
    return quote(value, safe="/")


def address(frame: Mapping[str, Any]) -> str:
    """Return what a frame is asked for by: the directory of its file and its name, which is one file's alone."""
    return f"{frame['path']}/{frame['name']}" if frame.get("path") else str(frame["name"])


def coded(text: str) -> Markup:
    """Return a text of documentation in which words between backticks are code."""
    return Markup(re.sub(r"(`{1,2})([^`]+)\1", r"<code>\2</code>", str(escape(harmless(text)))))  # noqa: S704  # escaped


def pretty(value: Any) -> str:
    """Return a value as JSON in lines, for people."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def slug(value: str) -> str:
    """Return a text as a part of the id of an element."""
    return re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")


def cell(value: Any, kind: str) -> Any:
    """Return a value of a frame as a table shows it; its kind is that of its column."""
    if value is None:
        return ""
    match kind:
        case "instant" | "size" | "ra" | "dec":
            return _CELLS[kind](value)
        case "number":
            return number(value)
        case "flag":
            return "yes" if value else "no"
    return value


_CELLS: Mapping[str, Callable[[Any], str]] = {"instant": instant, "size": size, "ra": hours, "dec": degrees}


_LOOKS = {
    "good": "Completed completed changed reverted done PUBLISHED ENABLED present sent",
    "wait": "Queued stopping stopped waiting queued requested STANDBY DISABLED kept delayed",
    "run": "Started applying reverting OPEN INTEGRATING READOUT TELEMETRY_DONE RENDERED",
    "bad": "Failed failed refused FAULT FAILED dead",
}
_LOOK_OF = {word: look for look, words in _LOOKS.items() for word in words.split()}


def look(word: str) -> str:
    """Return how a state is shown: `good`, `wait`, `run`, `bad`, or `plain`."""
    return _LOOK_OF.get(word, "plain")


FILTERS = {
    "address": address,
    "coded": coded,
    "cell": cell,
    "count": count,
    "degrees": degrees,
    "harmless": harmless,
    "hours": hours,
    "instant": instant,
    "look": look,
    "machine": machine,
    "number": number,
    "path": path,
    "pretty": pretty,
    "short": short,
    "size": size,
    "slug": slug,
    "span": span,
}
"""The functions that templates call."""
