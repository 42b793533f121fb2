"""Air masses against altitudes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from armillary.headers.rules.hour_angle import hour_angle_readings
from armillary.headers.rules.instants import half_unit, span_of
from armillary.headers.rules.models import Deviation, Group, Rule, Severity
from armillary.headers.rules.places import place_of
from armillary.headers.rules.sheet import Sheet
from armillary.headers.rules.target import TURN_PER_SECOND, angle, dec_deg, target_of
from armillary.sky.apparent import horizontal
from armillary.sky.pointing import airmass

MASSES = ("AMSTART", "AIRMASS", "AMEND")
_ALTITUDES = {
    "AMSTART": ("ELSTART", "ELEVATIO", "TELALT"),
    "AMEND": ("ELEND",),
    "AIRMASS": ("ELEVATIO", "ALTITUDE", "TELALT", "EL", "ALT", "ELSTART"),
}
_ZENITH = ("ZD", "ZDIST")
_LOWEST, _NO_MODEL, _HIGHEST = 20.0, 5.0, 40.0
_DENORMAL = 1e-45


def altitude_for(sheet: Sheet, keyword: str) -> tuple[str, float] | None:
    """Return the altitude in degrees that belongs to an air mass, and its keyword."""
    for one in _ALTITUDES[keyword]:
        if (found := angle(sheet, one)) is not None:
            return one, found
    if keyword == "AIRMASS":
        for one in _ZENITH:
            if (found := angle(sheet, one)) is not None:
                return one, 90.0 - found
    return None


def ranges(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find air masses that no altitude has."""
    for keyword in MASSES:
        number = sheet.number(keyword)
        # What is next to nothing is a placeholder, of which another rule tells.
        if number is None or abs(number) < _DENORMAL or 0.999 <= number <= _HIGHEST:
            continue
        least = min(max(number, 1.0), _HIGHEST)
        yield Deviation(keyword, "1 to 40", number, round(number - least, 6), proposal=f"{keyword}=")


def by_altitude(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare each air mass with the secant of the zenith distance."""
    for keyword in MASSES:
        number, found = sheet.number(keyword), altitude_for(sheet, keyword)
        if number is None or found is None or not 0.999 <= number <= _HIGHEST:
            continue
        name, altitude = found
        if keyword == "AIRMASS" and _between_ends(sheet, number):
            continue
        if not _NO_MODEL < altitude <= 90.0:
            continue
        # Below, models differ by more than the tolerance.
        limit = (
            tolerance * (1.0 if altitude > _LOWEST else 10.0)
            + half_unit(number) / number
            + _drift(sheet, keyword, altitude)
        )
        expected = airmass(altitude)
        if abs(number / expected - 1) <= limit or abs(number / airmass(altitude, "pickering") - 1) <= limit:
            continue
        yield Deviation(
            keyword,
            round(expected, 6),
            number,
            round(number / expected - 1, 6),
            _why(sheet, number, altitude, limit),
            text=f"{keyword} is not the air mass at {name}; the residual is relative.",
        )


def _between_ends(sheet: Sheet, number: float) -> bool:
    """Tell whether it may be the mean of both ends, which are judged by themselves."""
    ends = [one for keyword in ("AMSTART", "AMEND") if (one := sheet.number(keyword)) is not None]
    return len(ends) == 2 and min(ends) * 0.99 <= number <= max(ends) * 1.01


def _drift(sheet: Sheet, keyword: str, altitude: float) -> float:
    """Return by how much an air mass may change, relatively, within an exposure of which it is not said when."""
    length = span_of(sheet).exposure
    if keyword != "AIRMASS" or not length:
        return 0.0
    return min(1.0, math.radians(length * TURN_PER_SECOND) / math.tan(math.radians(altitude)))


def _why(sheet: Sheet, number: float, altitude: float, limit: float) -> str | None:
    for other, name in (
        (90.0 - altitude, "the altitude is a zenith distance"),
        (math.degrees(altitude), "the altitude is in radians"),
    ):
        if 0 < other <= 90.0 and abs(number / airmass(other) - 1) <= limit:
            return name
    for keyword in ("ELEND", "ELSTART"):
        other_altitude = angle(sheet, keyword)
        if other_altitude is None or not 0 < other_altitude <= 90 or other_altitude == altitude:
            continue
        if abs(number / airmass(other_altitude) - 1) <= limit:
            return f"computed for {keyword}"
    if altitude < 89.0 and abs(number / (90.0 - altitude) - 1) <= limit:
        return "it is the zenith distance in degrees"
    return None


def _altitude_by_hour_angle(sheet: Sheet, keyword: str) -> float | None:
    """Return the altitude that hour angle and declination tell, in whichever unit it is above the horizon."""
    names = ("HAEND",) if keyword == "AMEND" else ("HASTART", "HA")
    place, dec = place_of(sheet), dec_deg(sheet, "DEC")
    readings = next((found for name in names if (found := hour_angle_readings(sheet, name))), [])
    bare = {value for value, unit in readings if not unit}
    if place is None or dec is None or len(bare) != 1:
        return _altitude_by_sky(sheet, keyword)
    (value,) = bare
    return horizontal(value, dec, place.latitude)[0]


def _altitude_by_sky(sheet: Sheet, keyword: str) -> float | None:
    """Return the altitude of the target at the beginning or the end, from the time alone."""
    target, span = target_of(sheet, end=keyword == "AMEND"), span_of(sheet)
    if target is None or span.begin is None or not sheet.sidereal:
        return None
    frame = target.frames[0]
    late = span.finish - span.begin.seconds if keyword == "AMEND" and span.finish is not None else 0.0
    turned = target.sidereal_deg + late * TURN_PER_SECOND - frame.ra
    return horizontal(turned, frame.dec, target.place.latitude)[0]


def by_sky(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare air masses with the altitude of the target where the header tells no altitude."""
    for keyword in MASSES:
        number = sheet.number(keyword)
        if number is None or altitude_for(sheet, keyword) or not 0.999 <= number <= _HIGHEST:
            continue
        altitude = _altitude_by_sky(sheet, keyword)
        if altitude is None or altitude < _LOWEST:
            continue
        expected = airmass(altitude)
        limit = tolerance + half_unit(number) / number + _drift(sheet, keyword, altitude)
        if abs(number / expected - 1) > limit and abs(number / airmass(altitude, "pickering") - 1) > limit:
            yield Deviation(keyword, round(expected, 6), number, round(number / expected - 1, 6))


def trend(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare the change of the air mass with that of the altitude."""
    first, last = sheet.number("AMSTART"), sheet.number("AMEND")
    if first is None or last is None or not sheet.sidereal or min(first, last) < 0.999:
        return
    altitudes = [_told_or_sky(sheet, "AMSTART"), _told_or_sky(sheet, "AMEND")]
    if altitudes[0] is None or altitudes[1] is None or min(a or 0.0 for a in altitudes) < 10.0:
        return
    if max(altitudes[0], altitudes[1]) > 90.0:
        return
    expected = airmass(altitudes[1]) - airmass(altitudes[0])
    actual = last - first
    rounding = half_unit(first) + half_unit(last)
    if abs(expected) <= tolerance + rounding or abs(actual - expected) <= tolerance + rounding + 0.3 * abs(
        expected
    ):
        return
    if actual == 0:
        hypothesis: str | None = "the same value twice"
    elif abs(actual + expected) <= tolerance + rounding + 0.3 * abs(expected):
        hypothesis = "beginning and end exchanged"
    elif actual * expected > 0 and abs(actual) < 3 * abs(expected):
        return
    else:
        hypothesis = None
    yield Deviation(
        "AMSTART, AMEND", round(expected, 7), round(actual, 7), round(actual - expected, 7), hypothesis
    )


def _told_or_sky(sheet: Sheet, keyword: str) -> float | None:
    """Return the altitudes of the same source for both ends: those that are told, else those of the sky."""
    told = [angle(sheet, one) for one in ("ELSTART", "ELEND")]
    if told[0] is not None and told[1] is not None and told[0] != told[1]:
        return told[keyword == "AMEND"]
    return _altitude_by_hour_angle(sheet, keyword)


RULES = (
    Rule(
        "airmass-range",
        Group.AIRMASS,
        Severity.ERROR,
        "AMSTART, AMEND, AIRMASS",
        "1 <= AIRMASS <= 40",
        "No altitude has such an air mass.",
        ranges,
    ),
    Rule(
        "airmass-altitude",
        Group.AIRMASS,
        Severity.ERROR,
        "AMSTART, AMEND, AIRMASS, ELSTART, ELEND, ZD",
        "AIRMASS = 1 / sin(EL) above 20 deg",
        "The air mass is not that of the altitude.",
        by_altitude,
        tolerance=0.01,
        unit="",
        hypotheses=("zenith distance", "radians", "the other end of the exposure"),
    ),
    Rule(
        "airmass-sky",
        Group.AIRMASS,
        Severity.WARNING,
        "AMSTART, AMEND, AIRMASS, RA, DEC, DATE-BEG, site",
        "AIRMASS = 1 / sin(altitude of the target) above 20 deg",
        "The air mass is not that of the target at that time; the residual is relative.",
        by_sky,
        tolerance=0.01,
    ),
    Rule(
        "airmass-trend",
        Group.AIRMASS,
        Severity.WARNING,
        "AMSTART, AMEND, ELSTART, ELEND, HASTART, HAEND, DEC",
        "AMEND - AMSTART follows the altitude",
        "The air mass did not change as the altitude did.",
        trend,
        tolerance=5e-5,
        unit="",
        hypotheses=("the same value twice", "beginning and end exchanged"),
    ),
)
