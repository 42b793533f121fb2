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
_SHARP_DAY = 1e-9
_ROUNDS = 60
_GRAZE = 1e-5
"""A level may be crossed unseen only if it is nearer than this to a culmination (two arcseconds in altitude)."""


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
        # Mean rates are right to some percent, so each round leaves some percent of what was missing.
        for _ in range(_ROUNDS):
            missing = (hour_angle - self.hour_angle(body, tai_day) + np.pi) % _TURN - np.pi
            tai_day += missing / _RATE_RAD_DAY[body]
            if (np.abs(missing) < _SHARP_DAY).all():
                break
        return tai_day

    def next_transits(self, body: int, after: Floats, hour_angle: float = 0.0) -> Floats:
        """Return the first times after given ones at which a body has an hour angle."""
        ahead = (hour_angle - self.hour_angle(body, after)) % _TURN
        return self.transits(body, after + ahead / _RATE_RAD_DAY[body], hour_angle)

    def _seen(self, body: Any, tai_day: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the topocentric direction: towards the meridian, east, north, and the distance in au."""
        found = self.table.at(body, tai_day)
        x, y, z = found[..., 0], found[..., 1], found[..., 2]
        angle = found[..., 3] + self._east
        turned_cos, turned_sin = np.cos(angle), np.sin(angle)
        south = x * turned_cos + y * turned_sin - self._axis_au
        east = y * turned_cos - x * turned_sin
        north = z - self._plane_au
        return south, east, north, np.sqrt(south * south + east * east + north * north)

    def crossings(self, targets: list[Target], tai_day: Floats, levels_deg: Floats) -> Crossings:
        """Return all passages through levels between the first and the last of each row of times.

        Parameters
        ----------
        targets
            One for each row of times.
        tai_day
            Times in steps of about half an hour, within which an altitude has one culmination at most.
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
        times = self._solve(
            body[row],
            radius[row],
            wanted,
            (tai_day[row, step], tai_day[row, step + 1]),
            (heights[row, step] - wanted, heights[row, step + 1] - wanted),
        )
        return Crossings(row, level, above[row, level, step + 1], times)

    def _show_grazes(
        self, body: Floats, radius: Floats, tai_day: Floats, heights: Floats, levels: Floats
    ) -> None:
        """Move samples beside a culmination onto it, in place, where a level may lie between them and it."""
        before, middle, after = heights[:, :-2], heights[:, 1:-1], heights[:, 2:]
        bend = before - 2.0 * middle + after
        slope = (after - before) / 2.0
        turns = (middle - before) * (middle - after) > 0.0
        top = middle - np.divide(slope * slope, 2.0 * bend, out=np.zeros_like(bend), where=turns)
        low, high = np.minimum(middle, top) - _GRAZE, np.maximum(middle, top) + _GRAZE
        between = (levels[:, :, None] > low[:, None, :]) & (levels[:, :, None] < high[:, None, :])
        row, sample = np.nonzero(turns & between.any(axis=1))
        if not len(row):
            return
        sample += 1
        step = tai_day[row, sample + 1] - tai_day[row, sample]
        centre = tai_day[row, sample] - step * slope[row, sample - 1] / bend[row, sample - 1]
        # Twice: from half an hour to two minutes, then to a tenth of a second, which no altitude shows.
        for narrow in (step / 15.0, step / 15.0):
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
    ) -> Floats:
        """Return the zeros between pairs of ends by the secant method, kept between the ends (Illinois)."""
        (old, new), (old_value, new_value) = ends, values
        found = new
        for _ in range(_ROUNDS):
            slope = new_value - old_value
            # Where both are zero, the end is the answer already.
            found = new - np.divide(new_value * (new - old), slope, out=np.zeros_like(new), where=slope != 0)
            value = self.sin_altitude(body, radius, found) - levels
            opposite = value * new_value < 0.0
            # Where the zero is still between the old end and the new, the old end counts for half: it must move.
            old_value = np.where(opposite, new_value, old_value * 0.5)
            moved = np.abs(found - new)
            old = np.where(opposite, new, old)
            new, new_value = found, value
            if not len(found) or (np.minimum(moved, np.abs(new - old)) < _SHARP_DAY).all():
                break
        return found


def illumination(table: SkyTable, tai_day: Floats) -> Floats:
    """Return the lit fraction of the Moon, 0 to 1, as seen from the centre of the Earth."""
    sun, moon = table.at(SUN, tai_day)[..., :3], table.at(MOON, tai_day)[..., :3]
    towards = sun - moon
    lengths = np.linalg.norm(towards, axis=-1) * np.linalg.norm(moon, axis=-1)
    found: Floats = (1.0 - (towards * moon).sum(axis=-1) / lengths) / 2.0
    return found


def moon_phase_deg(table: SkyTable, tai_day: Floats) -> Floats:
    """Return how far the Moon is ahead of the Sun in ecliptic longitude: 0 at new moon, 180 at full moon."""
    sun, moon = _longitude(table.at(SUN, tai_day), tai_day), _longitude(table.at(MOON, tai_day), tai_day)
    found: Floats = np.degrees(moon - sun) % 360.0
    return found


def _longitude(places: Floats, tai_day: Floats) -> Floats:
    """Return ecliptic longitudes of date; the mean obliquity is that of IAU 2006, to the first order."""
    obliquity = np.radians((84381.406 - 46.836769 * tai_day / 36525.0) / 3600.0)
    x, y, z = places[..., 0], places[..., 1], places[..., 2]
    found: Floats = np.arctan2(y * np.cos(obliquity) + z * np.sin(obliquity), x)
    return found
