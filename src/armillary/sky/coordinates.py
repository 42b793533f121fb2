"""Directions on the sky: reading them, comparing them, bringing them to one frame. Degrees throughout."""

from __future__ import annotations

import math
import re

# Readers of headers make "?" of every byte outside ASCII, so of a degree sign one or two of them.
_SEXAGESIMAL = re.compile(
    r"\s*(?P<sign>[+-]?)\s*(?P<whole>\d{1,3})(?:\s*(?P<mark>[:hd°*^?]{1,2}|deg|\s)\s*(?P<minute>\d{1,2}(?:\.\d*)?))"
    r"(?:\s*(?:[:m'\u2032?]{1,3}|\s)\s*(?P<second>\d{1,2}(?:\.\d*)?)(?:s(?P<part>\.\d+))?)?"
    r"\s*(?:(?P<unit>deg|[hd])|[sm]|''|[\"'\u2033?]{1,3})?\s*",
    re.IGNORECASE | re.ASCII,
)
_WITH_UNIT = re.compile(
    r"\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*(h|hours?|hrs?|d|deg|degrees?|rad|radians?|[°*])\s*",
    re.IGNORECASE | re.ASCII,
)
_HOURS, _RADIANS = 15.0, math.degrees(1.0)

Vector = tuple[float, float, float]


def parse_angle(text: str, factor: float) -> float:
    """Return the degrees of an angle in words: sexagesimal text, or a number with its unit behind it.

    Parameters
    ----------
    factor
        Degrees in a unit of the first part, where the text itself names none: 15 for hours, 1 for degrees.

    Raises
    ------
    ValueError
        If the text has another form, or tells 24 hours or more.
    """
    if found := _WITH_UNIT.fullmatch(text):
        number, unit = float(found[1]), found[2].lower()
        told = _HOURS if unit[0] == "h" else _RADIANS if unit[0] == "r" else 1.0
    else:
        number, unit = _sexagesimal(text)
        told = _HOURS if unit == "h" else 1.0 if unit else factor
    if told == _HOURS and abs(number) > 24.0:
        raise ValueError(f"hours end at 24: {text!r}")
    return number * told


def _sexagesimal(text: str) -> tuple[float, str]:
    """Return a number in units of its first part, and that unit (h or d) if the text names it.

    Colons, blanks, signs or the letters ``h m s``, ``d m s`` separate; seconds may be missing; ``-00:30`` is
    negative. Minutes and seconds end at 60, and 60.0 seconds are a common rounding and accepted.
    """
    found = _SEXAGESIMAL.fullmatch(text)
    if not found or ("." in found["minute"] and found["second"]):
        raise ValueError(f"not a sexagesimal angle: {text!r}")
    minute, second = float(found["minute"]), float(found["second"] or 0) + float(found["part"] or 0)
    if minute >= 60 or second > 60:
        raise ValueError(f"minutes and seconds end at 60: {text!r}")
    unit = (found["mark"] + (found["unit"] or "")).lower().strip(": ?")
    number = int(found["whole"]) + minute / 60 + second / 3600
    return (-number if found["sign"] == "-" else number), "h" if unit[:1] == "h" else unit and "d"


def galactic_to_j2000(longitude_deg: float, latitude_deg: float) -> tuple[float, float]:
    """Return right ascension and declination of a galactic position.

    The pole and the node are those of J2000 in the Hipparcos catalogue (ESA SP-1200, volume 1, section 1.5.3).
    """
    pole_ra, pole_dec, node = 192.85948, math.radians(27.12825), math.radians(122.93192 - longitude_deg)
    b = math.radians(latitude_deg)
    ra, dec = position_of(
        (
            math.cos(pole_dec) * math.sin(b) - math.sin(pole_dec) * math.cos(b) * math.cos(node),
            math.cos(b) * math.sin(node),
            math.sin(pole_dec) * math.sin(b) + math.cos(pole_dec) * math.cos(b) * math.cos(node),
        )
    )
    return (ra + pole_ra) % 360.0, dec


def unit_vector(ra_deg: float, dec_deg: float) -> Vector:
    """Return the Cartesian direction of a position, of length one."""
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    return math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)


def position_of(vector: Vector) -> tuple[float, float]:
    """Return right ascension (0 to 360) and declination of a direction."""
    x, y, z = vector
    ra = math.degrees(math.atan2(y, x)) % 360.0
    return (0.0 if ra == 360.0 else ra), math.degrees(math.atan2(z, math.hypot(x, y)))


def separation_deg(ra1_deg: float, dec1_deg: float, ra2_deg: float, dec2_deg: float) -> float:
    """Return the angle between two positions, exact for tiny and for opposite ones (Vincenty's form)."""
    dec1, dec2, ra = math.radians(dec1_deg), math.radians(dec2_deg), math.radians(ra2_deg - ra1_deg)
    cross = math.hypot(
        math.cos(dec2) * math.sin(ra),
        math.cos(dec1) * math.sin(dec2) - math.sin(dec1) * math.cos(dec2) * math.cos(ra),
    )
    dot = math.sin(dec1) * math.sin(dec2) + math.cos(dec1) * math.cos(dec2) * math.cos(ra)
    return math.degrees(math.atan2(cross, dot))


def squared_chord(radius_deg: float) -> float:
    """Return the squared straight distance that belongs to an angle, for tests on unit vectors in SQL."""
    return 4.0 * math.sin(math.radians(min(radius_deg, 180.0)) / 2) ** 2


def in_cone(
    ra_deg: float, dec_deg: float, centre_ra_deg: float, centre_dec_deg: float, radius_deg: float
) -> bool:
    """Tell whether a position lies within a true cone, its edge included; right at poles and across RA 0."""
    return separation_deg(ra_deg, dec_deg, centre_ra_deg, centre_dec_deg) <= radius_deg


def precess_to_j2000(ra_deg: float, dec_deg: float, equinox_year: float) -> tuple[float, float]:
    """Bring a mean position of another equinox to that of J2000.

    IAU 1976 precession (Lieske et al. 1977, A&A 58, 1), good to 0.5 arcseconds within a century of 2000.
    Proper motion, aberration and the FK4 E-terms are left out: a catalog search needs no more.
    """
    t = (2000.0 - equinox_year) / 100.0
    t0 = (equinox_year - 2000.0) / 100.0
    rate = 2306.2181 + 1.39656 * t0 - 0.000139 * t0 * t0
    zeta = rate * t + (0.30188 - 0.000344 * t0) * t * t + 0.017998 * t**3
    z = rate * t + (1.09468 + 0.000066 * t0) * t * t + 0.018203 * t**3
    theta = (
        (2004.3109 - 0.85330 * t0 - 0.000217 * t0 * t0) * t
        - (0.42665 + 0.000217 * t0) * t * t
        - 0.041833 * t**3
    )
    return _rotate(ra_deg, dec_deg, zeta / 3600, z / 3600, theta / 3600)


def _rotate(ra_deg: float, dec_deg: float, zeta: float, z: float, theta: float) -> tuple[float, float]:
    ra, dec, tilt = math.radians(ra_deg + zeta), math.radians(dec_deg), math.radians(theta)
    a = math.cos(dec) * math.sin(ra)
    b = math.cos(tilt) * math.cos(dec) * math.cos(ra) - math.sin(tilt) * math.sin(dec)
    c = math.sin(tilt) * math.cos(dec) * math.cos(ra) + math.cos(tilt) * math.sin(dec)
    rotated, declination = position_of((b, a, c))
    return (rotated + z) % 360.0, declination
