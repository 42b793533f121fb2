"""Where a telescope points, seen from its site: hour angle, altitude, azimuth, parallactic angle, airmass.

Degrees throughout. Directions are of date and without refraction: those of the formulas on the sphere.
"""

from __future__ import annotations

from math import asin, atan2, cos, degrees, radians, sin, tan
from typing import Final

from armillary.sky.sidereal import greenwich_deg

AIRMASS_MODELS = ("secant", "pickering")
_EQUATOR_M: Final = 6_378_137.0
_FLATTENING: Final = 1 / 298.257223563


def hour_angle_deg(tai_ns: int, longitude_deg: float, ra_deg: float) -> float:
    """Return local apparent sidereal time less right ascension, from -180 up to 180.

    Parameters
    ----------
    longitude_deg
        East positive.
    ra_deg
        Of date, true equator and equinox: it is taken as it stands.
    """
    return (greenwich_deg(tai_ns) + longitude_deg - ra_deg + 180.0) % 360.0 - 180.0


def altitude_deg(hour_angle: float, declination: float, latitude: float) -> float:
    """Return the altitude above the horizon of a latitude; all in degrees."""
    h, d, p = radians(hour_angle), radians(declination), radians(latitude)
    return degrees(asin(max(-1.0, min(1.0, sin(p) * sin(d) + cos(p) * cos(d) * cos(h)))))


def azimuth_deg(hour_angle: float, declination: float, latitude: float) -> float:
    """Return the azimuth from north through east, 0 up to 360; all in degrees."""
    h, d, p = radians(hour_angle), radians(declination), radians(latitude)
    found = degrees(atan2(-cos(d) * sin(h), sin(d) * cos(p) - cos(d) * cos(h) * sin(p))) % 360.0
    return 0.0 if found == 360.0 else found


def parallactic_deg(hour_angle: float, declination: float, latitude: float) -> float:
    """Return the angle at an object from the pole to the zenith, -180 to 180; all in degrees."""
    h, d, p = radians(hour_angle), radians(declination), radians(latitude)
    return degrees(atan2(sin(h), tan(p) * cos(d) - sin(d) * cos(h)))


def airmass(altitude: float, model: str = "secant") -> float:
    """Return the airmass at an altitude in degrees.

    `secant` is that of a plane atmosphere, `pickering` follows the observations down to the horizon
    (Pickering 2002, DIO 12, 1, footnote 39).

    Raises
    ------
    ValueError
        If the altitude is not above 0 and at most 90, or the model is unknown.
    """
    if not 0.0 < altitude <= 90.0:
        raise ValueError(f"no airmass at an altitude of {altitude!r} degrees")
    match model:
        case "secant":
            return 1.0 / sin(radians(altitude))
        case "pickering":
            return 1.0 / sin(radians(altitude + 244.0 / (165.0 + 47.0 * altitude**1.1)))
    raise ValueError(f"unknown model of airmass {model!r}; known are {', '.join(AIRMASS_MODELS)}")


def geocentric_m(latitude: float, longitude: float, height_m: float) -> tuple[float, float, float]:
    """Return the cartesian coordinates of a site in metres (WGS 84), as OBSGEO-X, -Y, -Z have them."""
    p, east = radians(latitude), radians(longitude)
    squared = _FLATTENING * (2.0 - _FLATTENING)
    curvature = _EQUATOR_M / (1.0 - squared * sin(p) ** 2) ** 0.5
    axis = (curvature + height_m) * cos(p)
    return axis * cos(east), axis * sin(east), (curvature * (1.0 - squared) + height_m) * sin(p)
