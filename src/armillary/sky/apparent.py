"""From catalogue places to those of date, and what lies around a pointing: the horizon, refraction, the site.

Plain floats in degrees and no ephemeris: a check of a header asks a few of these and has a millisecond for all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from armillary.sky.coordinates import position_of, unit_vector

SIDEREAL_RATE = 360.98564736629 / 360.0
"""Sidereal seconds in a second of UT1 (Aoki et al. 1982, A&A 105, 359)."""
_J2000_MJD = 51544.5
_CENTURY = 36525.0
_ABERRATION = math.radians(20.49552 / 3600.0)
_SUN_DISTANCE_LONGITUDE = 102.93735
"""Longitude of the perihelion of the Earth at J2000, in degrees."""
_A, _F = 6378137.0, 1 / 298.257223563
_E2 = _F * (2 - _F)

Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class _Orientation:
    """The axes of the Earth at an instant: nutation, obliquity, and how the Earth moves."""

    nutation_deg: float
    obliquity: float
    turn: Matrix
    velocity: tuple[float, float, float]


def apparent_place(ra_deg: float, dec_deg: float, tt_mjd: float) -> tuple[float, float]:
    """Return the geocentric place of date (true equator and equinox) of an ICRS direction.

    Precession of IAU 2006 (Capitaine et al. 2003, A&A 412, 567), the four largest terms of nutation, annual
    aberration; no parallax, proper motion or deflection.
    """
    now = _orientation(round(tt_mjd * 24))
    x, y, z = unit_vector(ra_deg, dec_deg)
    x, y, z = x + now.velocity[0], y + now.velocity[1], z + now.velocity[2]
    a, b, c = now.turn
    return position_of(
        (
            a[0] * x + a[1] * y + a[2] * z,
            b[0] * x + b[1] * y + b[2] * z,
            c[0] * x + c[1] * y + c[2] * z,
        )
    )


@lru_cache(maxsize=256)
def _orientation(hour: int) -> _Orientation:
    """Return the orientation at a whole hour since MJD 0; within half an hour it moves by 0.003 arcseconds."""
    t = (hour / 24 - _J2000_MJD) / _CENTURY
    node, sun, moon = (
        math.radians(angle)
        for angle in (125.04452 - 1934.136261 * t, 280.4665 + 36000.7698 * t, 218.3165 + 481267.8813 * t)
    )
    psi = -17.20 * math.sin(node) - 1.32 * math.sin(2 * sun)
    psi += -0.23 * math.sin(2 * moon) + 0.21 * math.sin(2 * node)
    eps = (
        9.20 * math.cos(node)
        + 0.57 * math.cos(2 * sun)
        + 0.10 * math.cos(2 * moon)
        - 0.09 * math.cos(2 * node)
    )
    mean = math.radians((84381.406 - 46.836769 * t) / 3600)
    true = mean + math.radians(eps / 3600)
    nutation = _product(_about_x(-true), _product(_about_z(-math.radians(psi / 3600)), _about_x(mean)))
    return _Orientation(psi / 3600, true, _product(nutation, _precession(t)), _velocity(sun, t, mean))


def _precession(t: float) -> Matrix:
    zeta = 2.650545 + t * (2306.083227 + t * (0.2988499 + t * 0.01801828))
    z = -2.650545 + t * (2306.077181 + t * (1.0927348 + t * 0.01826837))
    theta = t * (2004.191903 - t * (0.4294934 + t * 0.04182264))
    first, tilt, last = (math.radians(angle / 3600) for angle in (-zeta, theta, -z))
    return _product(_about_z(last), _product(_about_y(tilt), _about_z(first)))


def _velocity(sun: float, t: float, obliquity: float) -> tuple[float, float, float]:
    """Return the velocity of the Earth in units of that of light, on the axes of J2000 (Meeus, chapter 23)."""
    anomaly = math.radians(357.5291 + 35999.0503 * t)
    true_sun = sun + math.radians(1.9146 * math.sin(anomaly) + 0.02 * math.sin(2 * anomaly))
    true_sun -= math.radians(1.396971 * t)
    perihelion, eccentricity = math.radians(_SUN_DISTANCE_LONGITUDE), 0.016708634 - 0.000042037 * t
    along = _ABERRATION * (math.sin(true_sun) - eccentricity * math.sin(perihelion))
    across = -_ABERRATION * (math.cos(true_sun) - eccentricity * math.cos(perihelion))
    return along, across * math.cos(obliquity), across * math.sin(obliquity)


def _about_x(angle: float) -> Matrix:
    c, s = math.cos(angle), math.sin(angle)
    return ((1.0, 0.0, 0.0), (0.0, c, s), (0.0, -s, c))


def _about_y(angle: float) -> Matrix:
    c, s = math.cos(angle), math.sin(angle)
    return ((c, 0.0, -s), (0.0, 1.0, 0.0), (s, 0.0, c))


def _about_z(angle: float) -> Matrix:
    c, s = math.cos(angle), math.sin(angle)
    return ((c, s, 0.0), (-s, c, 0.0), (0.0, 0.0, 1.0))


def _product(a: Matrix, b: Matrix) -> Matrix:
    rows = [[sum(a[i][k] * b[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
    return (
        (rows[0][0], rows[0][1], rows[0][2]),
        (rows[1][0], rows[1][1], rows[1][2]),
        (rows[2][0], rows[2][1], rows[2][2]),
    )


def horizontal(hour_angle_deg: float, dec_deg: float, latitude_deg: float) -> tuple[float, float]:
    """Return altitude and azimuth (north through east, 0 to 360) of a place of date, without refraction."""
    h, d, p = math.radians(hour_angle_deg), math.radians(dec_deg), math.radians(latitude_deg)
    north = math.sin(d) * math.cos(p) - math.cos(d) * math.cos(h) * math.sin(p)
    west = math.cos(d) * math.sin(h)
    up = math.sin(p) * math.sin(d) + math.cos(p) * math.cos(d) * math.cos(h)
    azimuth = math.degrees(math.atan2(-west, north)) % 360.0
    return math.degrees(math.atan2(up, math.hypot(north, west))), azimuth


def refraction_deg(altitude_deg: float) -> float:
    """Return how much higher a star at a true altitude is seen at sea level (Saemundsson 1986)."""
    if altitude_deg < -1.0:
        return 0.0
    return 1.02 / 60 / math.tan(math.radians(altitude_deg + 10.3 / (altitude_deg + 5.11)))


def geodetic(x_m: float, y_m: float, z_m: float) -> tuple[float, float, float]:
    """Return latitude, longitude (-180 to 180) and height in metres of a geocentric position (Bowring 1976)."""
    across, b = math.hypot(x_m, y_m), _A * (1 - _F)
    helper = math.atan2(z_m * _A, across * b)
    latitude = math.atan2(
        z_m + _E2 / (1 - _E2) * b * math.sin(helper) ** 3, across - _E2 * _A * math.cos(helper) ** 3
    )
    n = _A / math.sqrt(1 - _E2 * math.sin(latitude) ** 2)
    height = across * math.cos(latitude) + z_m * math.sin(latitude) - _A * _A / n
    return math.degrees(latitude), math.degrees(math.atan2(y_m, x_m)), height
