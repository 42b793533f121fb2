"""When Sun and Moon pass altitudes and the meridian of a place: many times at once, from tables of a year.

Altitudes are apparent and topocentric, above the horizon of the geodetic latitude (WGS 84), without refraction:
aberration, light time and deflection are in the tables, parallax and diurnal aberration are added here. Times are
days of TAI as in :mod:`armillary.sky.ephemeris`. The reference is skyfield's own search.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin, sqrt
from typing import Any

import numpy as np

from armillary.sky.ephemeris import MOON, SUN, Floats, SkyTable

AU_M = 149_597_870_700.0
EQUATOR_M, FLATTENING = 6_378_137.0, 1 / 298.257223563
_ROTATION_RAD_S = 7.292115146706979e-5
_LIGHT_M_S = 299_792_458.0
_TURN = 2.0 * np.pi
_RATE_RAD_DAY = np.array([_TURN, _TURN / 1.0350501])
"""Mean rates of the hour angles of Sun and Moon."""
_LAST_RAD = (1e-6, 1e-9)
"""What a round may correct to be the last: of that it leaves 0.03 (Sun) or some percent (Moon)."""
_SHARP, _SHARP_DAY = 2e-10, 1e-9
"""When a search ends: within 40 microarcseconds in altitude, or 0.1 ms."""
_ROUNDS = 60
_FOUR = np.arange(4)[:, None]
_GRAZE = 1e-3
"""How wrong the parabola through three samples may be of a culmination: a level that is so near is looked at."""


@dataclass(frozen=True, slots=True)
class Target:
    """A body, and how far above its centre the point lies whose altitude is meant."""

    body: int
    radius_au: float = 0.0


SUN_CENTRE, MOON_CENTRE = Target(SUN), Target(MOON)
SUN_LIMB, MOON_LIMB = Target(SUN, 695_700e3 / AU_M), Target(MOON, 1_737.4e3 / AU_M)
"""Upper limbs: radii of IAU 2015 resolution B3 and of the IAU working group's mean Moon."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place on the Earth: degrees, east positive, and metres above the ellipsoid."""

    latitude_deg: float
    longitude_deg: float
    elevation_m: float = 0.0

    @property
    def axis_au(self) -> float:
        """Distance from the axis of the Earth."""
        return (self._curvature() + self.elevation_m) * cos(radians(self.latitude_deg)) / AU_M

    @property
    def plane_au(self) -> float:
        """Distance from the plane of the equator."""
        narrow = (1.0 - FLATTENING) ** 2
        return (self._curvature() * narrow + self.elevation_m) * sin(radians(self.latitude_deg)) / AU_M

    def _curvature(self) -> float:
        squared = FLATTENING * (2.0 - FLATTENING)
        return EQUATOR_M / sqrt(1.0 - squared * sin(radians(self.latitude_deg)) ** 2)


@dataclass(frozen=True, slots=True)
class Crossings:
    """Passages through altitudes, by row, then level, then time: arrays of one length."""

    row: Any
    level: Any
    rising: Any
    tai_day: Floats


class Horizon:
    """What is seen of a table from a place."""

    def __init__(self, table: SkyTable, place: Place) -> None:
        self.table = table
        self._east = radians(place.longitude_deg)
        self._up = sin(radians(place.latitude_deg)), cos(radians(place.latitude_deg))
        self._axis_au, self._plane_au = place.axis_au, place.plane_au
        self._speed = place.axis_au * AU_M * _ROTATION_RAD_S / _LIGHT_M_S

    def sin_altitude(self, body: Any, radius_au: Any, tai_day: Floats) -> Floats:
        """Return the sines of altitudes, of points ``radius_au`` above the centres of bodies."""
        south, east, north, distance = self._seen(body, tai_day)
        up_sin, up_cos = self._up
        # The site moves eastwards, level with the horizon, so aberration makes directions longer and not higher.
        found: Floats = (south * up_cos + north * up_sin) / (distance + self._speed * east)
        if not np.any(radius_au):
            return found
        size = radius_au / distance
        raised: Floats = (
            found * np.sqrt(1.0 - size * size) + np.sqrt(np.maximum(1.0 - found * found, 0.0)) * size
        )
        return raised

    def hour_angle(self, body: Any, tai_day: Floats) -> Floats:
        """Return hour angles in radians, from -pi to pi, positive west of the meridian."""
        south, east, _, distance = self._seen(body, tai_day)
        found: Floats = -np.arctan2(east + self._speed * distance, south)
        return found

    def transits(self, body: int, near: Floats, hour_angle: float = 0.0) -> Floats:
        """Return the times nearest to given ones at which a body has an hour angle.

        It is 0 at a transit, and pi at an antitransit.
        """
        tai_day = np.array(near, dtype=np.float64)
        for _ in range(_ROUNDS):
            missing = (hour_angle - self.hour_angle(body, tai_day) + np.pi) % _TURN - np.pi
            tai_day += missing / _RATE_RAD_DAY[body]
            if (np.abs(missing) < _LAST_RAD[body]).all():
                break
        return tai_day

    def next_transits(self, body: int, after: Floats, hour_angle: float = 0.0) -> Floats:
        """Return the first times after given ones at which a body has an hour angle."""
        ahead = (hour_angle - self.hour_angle(body, after)) % _TURN
        return self.transits(body, after + ahead / _RATE_RAD_DAY[body], hour_angle)

    def _seen(self, body: Any, tai_day: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the topocentric direction: towards the meridian, east, north, and the distance in au."""
        angle, axial, height = self.table.at(body, tai_day)
        angle += self._east
        south = np.cos(angle)
        south *= axial
        south -= self._axis_au
        east = np.sin(angle)
        east *= -axial
        height -= self._plane_au
        return south, east, height, np.sqrt(south * south + east * east + height * height)

    def crossings(self, targets: list[Target], tai_day: Floats, levels_deg: Floats) -> Crossings:
        """Return all passages through levels between the first and the last of each row of times.

        Parameters
        ----------
        targets
            One for each row of times.
        tai_day
            Times in steps of about an hour, within which an altitude has one culmination at most.
        levels_deg
            Altitudes for each row; those that are not a number are not looked for.
        """
        body = np.array([target.body for target in targets])
        radius = np.array([target.radius_au for target in targets])
        levels = np.sin(np.radians(levels_deg))
        tai_day = np.array(tai_day)
        heights = self.sin_altitude(body[:, None], radius[:, None], tai_day)
        self._show_grazes(body, radius, tai_day, heights, levels)
        above = heights[:, None, :] > levels[:, :, None]
        row, level, step = np.nonzero((above[..., 1:] != above[..., :-1]) & ~np.isnan(levels)[..., None])
        wanted = levels[row, level]
        ends = tai_day[row, step], tai_day[row, step + 1]
        values = heights[row, step] - wanted, heights[row, step + 1] - wanted
        near = np.clip(step - 1, 0, max(tai_day.shape[1] - 4, 0)) + _FOUR % tai_day.shape[1]
        guess = _interpolated(tai_day[row, near], heights[row, near] - wanted)
        times = self._solve(body[row], radius[row], wanted, ends, values, guess)
        return Crossings(row, level, above[row, level, step + 1], times)

    def _show_grazes(
        self, body: Floats, radius: Floats, tai_day: Floats, heights: Floats, levels: Floats
    ) -> None:
        """Move samples beside a culmination onto it, in place, where a level may lie between them and it."""
        before, middle, after = heights[:, :-2], heights[:, 1:-1], heights[:, 2:]
        row, sample = np.nonzero((middle - before) * (middle - after) > 0.0)
        sample += 1
        before, middle, after = (heights[row, sample + k] for k in (-1, 0, 1))
        bend, slope = before - 2.0 * middle + after, (after - before) / 2.0
        top = middle - slope * slope / (2.0 * bend)
        low, high = np.minimum(middle, top) - _GRAZE, np.maximum(middle, top) + _GRAZE
        near = ((levels[row] > low[:, None]) & (levels[row] < high[:, None])).any(axis=1)
        if not near.any():
            return
        row, sample, bend, slope = row[near], sample[near], bend[near], slope[near]
        step = tai_day[row, sample + 1] - tai_day[row, sample]
        centre = tai_day[row, sample] - step * slope / bend
        # Three times: from an hour to minutes, to seconds, and to less, which no altitude shows.
        for narrow in (step / 8.0, step / 30.0, step / 30.0):
            at = centre[:, None] + narrow[:, None] * np.array([-1.0, 0.0, 1.0])
            seen = self.sin_altitude(body[row, None], radius[row, None], at)
            curve = seen[:, 0] - 2.0 * seen[:, 1] + seen[:, 2]
            centre = centre - narrow * (seen[:, 2] - seen[:, 0]) / (2.0 * curve)
        tai_day[row, sample] = centre
        heights[row, sample] = self.sin_altitude(body[row], radius[row], centre)

    def _solve(
        self,
        body: Floats,
        radius: Floats,
        levels: Floats,
        ends: tuple[Floats, Floats],
        values: tuple[Floats, Floats],
        guess: Floats,
    ) -> Floats:
        """Return the zeros between pairs of ends by the secant method, halving where that leads out of them."""
        (low, high), (low_value, high_value) = ends, values
        below = low_value < 0.0
        last, last_value = high, high_value
        guess = np.where((guess > low) & (guess < high), guess, (low + high) * 0.5)
        with np.errstate(divide="ignore", invalid="ignore"):
            for _ in range(_ROUNDS):
                value = self.sin_altitude(body, radius, guess) - levels
                left = (value < 0.0) == below
                low, high = np.where(left, guess, low), np.where(left, high, guess)
                done = (np.abs(value) < _SHARP) | (high - low < _SHARP_DAY)
                if done.all():
                    break
                following = guess - value * (guess - last) / (value - last_value)
                following = np.where((following > low) & (following < high), following, (low + high) * 0.5)
                last, last_value, guess = guess, value, np.where(done, guess, following)
        return guess


def _interpolated(times: Floats, values: Floats) -> Floats:
    """Return where cubics through four values each, as functions of these, have the value zero.

    Where two of the values are equal there is none, and the answer is not a number.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = values[:, None] / (values[:, None] - values)
    shares[_FOUR[:, 0], _FOUR[:, 0]] = 1.0
    found: Floats = (times * shares.prod(axis=0)).sum(axis=0)
    return found


def illumination(table: SkyTable, tai_day: Floats) -> Floats:
    """Return the lit fraction of the Moon, 0 to 1, as seen from the centre of the Earth."""
    sun, moon = _vectors(table, SUN, tai_day), _vectors(table, MOON, tai_day)
    towards = sun - moon
    lengths = np.linalg.norm(towards, axis=0) * np.linalg.norm(moon, axis=0)
    found: Floats = (1.0 - (towards * moon).sum(axis=0) / lengths) / 2.0
    return found


def moon_phase_deg(table: SkyTable, tai_day: Floats) -> Floats:
    """Return how far the Moon is ahead of the Sun in ecliptic longitude: 0 at new moon, 180 at full moon."""
    ahead = _longitude(table, MOON, tai_day) - _longitude(table, SUN, tai_day)
    found: Floats = np.degrees(ahead) % 360.0
    return found


def _vectors(table: SkyTable, body: int, tai_day: Floats) -> Floats:
    """Return geocentric places in au, towards equinox, east of it, and north."""
    ascension = table.right_ascension(body, tai_day)
    _, axial, height = table.at(body, tai_day)
    return np.stack([axial * np.cos(ascension), axial * np.sin(ascension), height])


def _longitude(table: SkyTable, body: int, tai_day: Floats) -> Floats:
    """Return ecliptic longitudes of date; the mean obliquity is that of IAU 2006, to the first order."""
    obliquity = np.radians((84381.406 - 46.836769 * tai_day / 36525.0) / 3600.0)
    x, y, z = _vectors(table, body, tai_day)
    found: Floats = np.arctan2(y * np.cos(obliquity) + z * np.sin(obliquity), x)
    return found
