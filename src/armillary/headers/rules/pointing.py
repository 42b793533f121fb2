"""Azimuth and elevation against right ascension and declination, and the ranges of all four."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from armillary.headers.rules.hour_angle import Shift, shifts
from armillary.headers.rules.instants import DAY, span_of
from armillary.headers.rules.models import Deviation, Group, Rule, Severity
from armillary.headers.rules.sheet import Sheet
from armillary.headers.rules.target import (
    TURN_PER_SECOND,
    Frame,
    Target,
    angle,
    dec_deg,
    ra_deg,
    target_of,
    wrap,
)
from armillary.sky.apparent import horizontal, refraction_deg
from armillary.sky.coordinates import separation_deg

_LOWEST, _HIGHEST = -5.55, 95.55
_AROUND = 10.0
"""Seconds before and after an exposure in which the cards of a telescope without declared moments are written."""
_PAIRS = (
    ("AZSTART", "ELSTART", "begin"),
    ("AZEND", "ELEND", "end"),
    ("AZIMUTH", "ELEVATIO", "any"),
    ("AZIMUTH", "ALTITUDE", "any"),
    ("TELAZ", "TELALT", "any"),
)
_ELEVATIONS = ("ELSTART", "ELEND", "ELEVATIO", "ALTITUDE", "TELALT")


def directions(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare where the mount pointed with where the target was."""
    span = span_of(sheet)
    if span.begin is None or not sheet.sidereal:
        return
    for azimuth_key, elevation_key, when in _PAIRS:
        azimuth, elevation = angle(sheet, azimuth_key), angle(sheet, elevation_key)
        target = (
            target_of(sheet, end=when == "end") if azimuth is not None and elevation is not None else None
        )
        nominal = span.finish if when == "end" else span.begin.seconds
        if azimuth is None or elevation is None or target is None or nominal is None:
            continue
        if (azimuth == 0.0 == elevation) or not -1 < nominal - span.begin.seconds < DAY / 4:
            continue
        late = nominal - span.begin.seconds
        view = _View(target, late, (azimuth, elevation), tolerance + span.begin.rounding * TURN_PER_SECOND)
        moments = shifts(span, nominal, free=when == "any")
        if one := _deviation(sheet, view, moments, f"{azimuth_key}, {elevation_key}"):
            # Where the card does not say of which moment it is, less is certain.
            yield replace(one, severity=Severity.WARNING) if when == "any" else one


@dataclass(frozen=True, slots=True)
class _View:
    """A direction of the mount beside that of the target ``late`` seconds after the beginning."""

    target: Target
    late: float
    pointed: tuple[float, float]
    limit: float

    def seen(self, frame: Frame) -> tuple[float, float]:
        """Return altitude and azimuth of the target, its place taken in one frame."""
        hour_angle = self.target.sidereal_deg + self.late * TURN_PER_SECOND - frame.ra
        return horizontal(hour_angle, frame.dec, self.target.place.latitude)

    def apart(self, frame: Frame, pointed: tuple[float, float] | None = None) -> float:
        """Return the angle between mount and target; elevations may have been corrected for refraction or not."""
        azimuth, elevation = pointed or self.pointed
        altitude, there = self.seen(frame)
        risen = min(max(elevation - altitude, 0.0), refraction_deg(altitude))
        return separation_deg(azimuth, elevation, there, altitude + risen)

    def shift(self, frame: Frame) -> tuple[float, float]:
        """Return the seconds after which the target comes by closest, and how far off its declination is then.

        Hour angle and declination of the mount follow from its direction alone, so nothing has to be searched.
        """
        elevation = self.pointed[1]
        found = [self._shift(frame, el) for el in (elevation, elevation - refraction_deg(elevation))]
        return min(found, key=lambda one: abs(one[1]))

    def _shift(self, frame: Frame, elevation: float) -> tuple[float, float]:
        # The formulas of the horizon are their own inverse: azimuth takes the place of the hour angle.
        dec, around = horizontal(self.pointed[0], elevation, self.target.place.latitude)
        expected = self.target.sidereal_deg + self.late * TURN_PER_SECOND - frame.ra
        return wrap(around - expected) / TURN_PER_SECOND, dec - frame.dec


def _deviation(sheet: Sheet, view: _View, moments: list[Shift], keywords: str) -> Deviation | None:
    frames = view.target.frames
    if any(frame.declared and view.apart(frame) <= view.limit for frame in frames):
        return None
    explained = [(frame, *view.shift(frame)) for frame in frames]
    close = [one for one in explained if abs(one[2]) <= view.limit / 2 and abs(one[1]) < 3600.0]
    basis, hypothesis = frames[0], _turned(view)
    if close and hypothesis is None:
        basis, seconds, _ = min(close, key=lambda one: abs(one[2]))
        cause = _cause(seconds, moments, view.limit / TURN_PER_SECOND)
        if cause is not None and cause.innocent and basis.declared:
            return None
        if basis.declared and _during(seconds, moments):
            return None
        when = cause.name if cause else f"fits {abs(seconds):.0f} s {'later' if seconds > 0 else 'earlier'}"
        hypothesis = "; ".join(filter(None, (_named(sheet, basis), when)))
    altitude, azimuth = view.seen(basis)
    return Deviation(
        keywords,
        [round(azimuth, 4), round(altitude, 4)],
        [round(view.pointed[0], 4), round(view.pointed[1], 4)],
        round(separation_deg(view.pointed[0], view.pointed[1], azimuth, altitude), 4),
        hypothesis,
    )


def _named(sheet: Sheet, frame: Frame) -> str:
    if frame.declared:
        return frame.name
    return (
        f"{frame.name}, although the header declares {sheet.word('RADESYS', 'RADECSYS', 'FRAME') or 'J2000'}"
    )


def _cause(seconds: float, moments: list[Shift], limit: float) -> Shift | None:
    """Return the known cause of a shift: close enough to be named, or innocent and within the tolerance."""
    for one in moments:
        if abs(seconds - one.seconds) <= (limit if one.innocent else 1.0):
            return one
    return None


def _during(seconds: float, moments: list[Shift]) -> bool:
    """Tell whether a shift is within the exposure, some seconds more or less, where any moment of it will do."""
    open_ = [one.seconds for one in moments if one.innocent]
    return len(open_) > 1 and min(open_) - _AROUND <= seconds <= max(open_) + _AROUND


def _turned(view: _View) -> str | None:
    azimuth, elevation = view.pointed
    for frame in view.target.frames:
        for name, az, el in (
            ("azimuth from the south", azimuth + 180.0, elevation),
            ("azimuth through the west", -azimuth, elevation),
            ("elevation is a zenith distance", azimuth, 90.0 - elevation),
            ("radians for degrees", math.degrees(azimuth), math.degrees(elevation)),
        ):
            if abs(el) <= 90.0 and view.apart(frame, (az, el)) <= view.limit:
                return f"{name}; {frame.name}"
    return None


def elevations(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Find elevations that no mount reaches."""
    for keyword in _ELEVATIONS:
        number = angle(sheet, keyword)
        if number is not None and not _LOWEST - tolerance <= number <= _HIGHEST + tolerance:
            least = min(max(number, _LOWEST), _HIGHEST)
            hypothesis = (
                "in radians per degree"
                if abs(math.radians(number)) < _HIGHEST and abs(number) > 360
                else None
            )
            yield Deviation(keyword, "-5.55 to 95.55", number, round(number - least, 4), hypothesis)


def coordinates(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find right ascensions and declinations that are not on the sky."""
    for keyword in ("RA", "RASTART", "RAEND"):
        number = ra_deg(sheet, keyword)
        if number is not None and not 0.0 <= number <= 360.0 and not -180.0 <= number < 0.0:
            yield Deviation(keyword, "0 to 360", number, round(number - (360.0 if number > 0 else 0.0), 6))
    for keyword in ("DEC", "DECSTART", "DECEND"):
        number = sheet.number(keyword)
        if number is not None and abs(number) > 90.0:
            yield Deviation(keyword, "-90 to 90", number, round(number - math.copysign(90.0, number), 6))


def tracked(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare where the telescope pointed at the beginning with what was asked for."""
    if not sheet.sidereal:
        return
    asked = ra_deg(sheet, "RA"), dec_deg(sheet, "DEC")
    target = target_of(sheet)
    for ra_key, dec_key in (("RASTART", "DECSTART"), ("RAEND", "DECEND")):
        ra, dec = ra_deg(sheet, ra_key), dec_deg(sheet, dec_key)
        if ra is None or dec is None or asked[0] is None or asked[1] is None or asked[0] == 0.0 == asked[1]:
            continue
        off = separation_deg(ra, dec, asked[0], asked[1])
        # Encoders tell places of date, targets are told in their own frame.
        moved = _precessed(sheet, target)
        if off <= tolerance + moved:
            continue
        yield Deviation(
            f"{ra_key}, {dec_key}",
            [round(asked[0], 5), round(asked[1], 5)],
            [round(ra, 5), round(dec, 5)],
            round(off, 4),
            _unit_of(ra, dec, (asked[0], asked[1]), tolerance + moved),
        )


def _precessed(sheet: Sheet, target: Target | None) -> float:
    if target is None or len(target.frames) < 2:
        return 0.0
    a, b = target.frames[:2]
    return separation_deg(a.ra, a.dec, b.ra, b.dec)


def _unit_of(ra: float, dec: float, asked: tuple[float, float], limit: float) -> str | None:
    for name, a, b in (
        ("hours for degrees", ra * 15.0, dec),
        ("radians for degrees", math.degrees(ra), math.degrees(dec)),
        ("degrees taken as hours", ra / 15.0, dec),
        ("sign of the declination", ra, -dec),
        ("half a turn", ra + 180.0, dec),
    ):
        if abs(b) <= 90.0 and separation_deg(wrap(a), b, *asked) <= limit:
            return name
    return None


RULES = (
    Rule(
        "pointing-horizon",
        Group.POINTING,
        Severity.ERROR,
        "AZSTART, ELSTART, AZEND, ELEND, AZIMUTH, ELEVATIO, ALTITUDE, RA, DEC, DATE-BEG, site",
        "Az/El of the mount = Az/El of RA/Dec at that time, with or without refraction",
        "The mount did not point at the target; expected and actual are azimuth and elevation.",
        directions,
        tolerance=0.02,
        unit="deg",
        hypotheses=(
            "RA of date, or of J2000",
            "TAI-UTC lost, or not taken off",
            "another moment",
            "azimuth from the south",
            "zenith distance",
            "radians",
        ),
    ),
    Rule(
        "pointing-elevation",
        Group.POINTING,
        Severity.ERROR,
        "ELSTART, ELEND, ELEVATIO, ALTITUDE",
        "-5.55 <= EL <= 95.55",
        "No mount reaches that elevation.",
        elevations,
        tolerance=0.0,
        unit="deg",
    ),
    Rule(
        "pointing-range",
        Group.POINTING,
        Severity.ERROR,
        "RA, DEC, RASTART, DECSTART, RAEND, DECEND",
        "0 <= RA <= 360, -90 <= DEC <= 90",
        "The position is not on the sky.",
        coordinates,
        tolerance=0.0,
        unit="deg",
    ),
    Rule(
        "pointing-track",
        Group.POINTING,
        Severity.WARNING,
        "RASTART, DECSTART, RAEND, DECEND, RA, DEC",
        "the telescope points at the target while it tracks",
        "The telescope was not at its target.",
        tracked,
        tolerance=0.1,
        unit="deg",
        hypotheses=("hours or radians for degrees", "sign", "half a turn"),
    ),
)
