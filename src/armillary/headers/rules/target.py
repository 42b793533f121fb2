"""What a header says of the pointing, and what the sky says of it: the numbers that several rules share."""

from __future__ import annotations

import re
from dataclasses import dataclass

from armillary.headers.rules.instants import DAY, span_of, tai_minus_utc
from armillary.headers.rules.places import place_of
from armillary.headers.rules.sheet import Place, Sheet, sexagesimal, sexagesimal_degrees
from armillary.sky.apparent import SIDEREAL_RATE, apparent_place

TURN_PER_SECOND = 15.0 * SIDEREAL_RATE / 3600.0
"""Degrees that the sky turns in a second of time."""
_RA = ("RASTART", "RATEL", "RA")
_DEC = ("DECSTART", "DECTEL", "DEC")
_J2000 = ("ICRS", "FK5", "APPT2000")


@dataclass(frozen=True, slots=True)
class Frame:
    """A direction in one frame: its right ascension and declination of date, and the name of the hypothesis."""

    name: str
    ra: float
    dec: float
    declared: bool
    """Whether the header says so, or says nothing and it may be taken so."""


@dataclass(frozen=True, slots=True)
class Target:
    """A direction as each frame that is plausible has it of date, the sidereal time at the beginning, the site."""

    frames: tuple[Frame, ...]
    sidereal_deg: float
    place: Place
    keywords: str


def wrap(angle_deg: float) -> float:
    """Return an angle between -180 and 180."""
    return (angle_deg + 180.0) % 360.0 - 180.0


def target_of(sheet: Sheet, *, end: bool = False) -> Target | None:
    """Return the direction at the beginning (or the end) of an exposure; None if too little is told.

    The sidereal time is that of the beginning in either case.
    """
    key = "target at end" if end else "target"
    if key not in sheet.cache:
        sheet.cache[key] = _target(sheet, end)
    found: Target | None = sheet.cache[key]
    return found


def _target(sheet: Sheet, end: bool) -> Target | None:
    span, place = span_of(sheet), place_of(sheet)
    ra_keys, dec_keys = (("RAEND", *_RA), ("DECEND", *_DEC)) if end else (_RA, _DEC)
    ra = next(((key, one) for key in ra_keys if (one := ra_deg(sheet, key)) is not None), None)
    dec = next(((key, one) for key in dec_keys if (one := dec_deg(sheet, key)) is not None), None)
    if not (ra and dec and place and span.begin) or span.begin.rounding > 30.0:
        return None
    if ra[1] == 0.0 == dec[1]:
        # A placeholder, of which another rule tells.
        return None
    utc = span.to_utc(span.begin.seconds)
    sidereal = span.local_sidereal_deg(place.longitude)
    tt = (utc + tai_minus_utc(int(utc // DAY)) + 32.184) / DAY
    frames = tuple(_frames(sheet, ra[1], dec[1], tt))
    return Target(frames, sidereal, place, f"{ra[0]}, {dec[0]}")


def _frames(sheet: Sheet, ra: float, dec: float, tt: float) -> list[Frame]:
    """Return the direction of date under each hypothesis; what is declared comes first."""
    system = sheet.word("RADESYS", "RADECSYS", "FRAME")
    equinox = sheet.number("EQUINOX")
    as_it_stands = Frame(
        "RA of date (as it stands)", ra, dec, system in ("GAPPT", "APPT", "") or not _fixed(system, equinox)
    )
    fixed = Frame(
        f"RA of J2000{f' ({system})' if system in _J2000 else ''}",
        *apparent_place(ra, dec, tt),
        system in _J2000 or (not system and (equinox is None or equinox == 2000.0)),
    )
    return [fixed, as_it_stands] if _fixed(system, equinox) else [as_it_stands, fixed]


def _fixed(system: str, equinox: float | None) -> bool:
    """Tell whether the header declares a frame that does not move with the date."""
    return system in _J2000 or equinox == 2000.0


def ra_deg(sheet: Sheet, keyword: str) -> float | None:
    """Return a right ascension in degrees: hours in sexagesimal text, degrees as a number."""
    found = sexagesimal(sheet.value(keyword))
    if found is not None:
        return found
    number = sheet.number(keyword)
    if number is None:
        return None
    unit = sheet.unit(keyword).lower()
    factor = (
        15.0 if unit in ("h", "hours", "hr") else 57.29577951308232 if unit in ("rad", "radians") else 1.0
    )
    return number * factor


def dec_deg(sheet: Sheet, keyword: str) -> float | None:
    """Return a declination in degrees."""
    found = sexagesimal_degrees(sheet.value(keyword))
    if found is None:
        found = sheet.number(keyword)
        if found is not None and sheet.unit(keyword).lower() in ("rad", "radians"):
            found *= 57.29577951308232
    return found if found is not None and abs(found) <= 90.0 else None


def angle(sheet: Sheet, keyword: str) -> float | None:
    """Return an angle in degrees that is not a right ascension nor an hour angle."""
    found = sexagesimal_degrees(sheet.value(keyword))
    if found is not None:
        return found
    number = sheet.number(keyword)
    if number is not None and sheet.unit(keyword).lower() in ("rad", "radians"):
        return number * 57.29577951308232
    return number


def at_end(comment: str) -> bool:
    """Tell whether a comment says that a value is of the end of the exposure."""
    return re.search(r"\bend\b", comment, re.IGNORECASE) is not None
