"""Where a frame lies on the sky: pairs of keywords or world coordinates, brought to ICRS."""

from __future__ import annotations

from dataclasses import dataclass

from armillary.archive.intake.profiles.plan import PositionRule
from armillary.archive.intake.profiles.reading import Reading
from armillary.archive.intake.profiles.units import UNITS, factor_of, stated_unit, unit_named
from armillary.archive.intake.profiles.values import read_angle, read_equinox
from armillary.fits.models import Value
from armillary.sky.coordinates import galactic_to_j2000, precess_to_j2000

MAX_AXES = 7
"""Axes of world coordinates that are looked at."""
_EQUATORIAL, _GALACTIC = ("RA", "DEC"), ("GLON", "GLAT")
_FK4_YEAR = 1950.0


@dataclass(frozen=True, slots=True)
class _Pair:
    """Keywords of two coordinates, and factors to degrees; those of numbers may be stated in comments."""

    longitude: str
    latitude: str
    factors: tuple[float, float]
    stated: bool = True
    galactic: bool = False


def position_on_sky(reading: Reading) -> tuple[float, float] | None:
    """Return right ascension and declination in degrees by the first rule of the profile that gives them."""
    for rule in reading.profile.positions:
        if not all(test(reading.lookup) for test in rule.when):
            continue
        pair = _pair(rule, reading)
        if pair and (found := _coordinates(pair, rule.position.equinox, reading)):
            return found
    return None


def _pair(rule: PositionRule, reading: Reading) -> _Pair | None:
    if rule.position.world:
        return _world_axes(reading)
    # A unit that a profile names is known better than what comments say.
    stated = (rule.ra_factor, rule.dec_factor) == (1.0, 1.0)
    return _Pair(rule.position.ra, rule.position.dec, (rule.ra_factor, rule.dec_factor), stated)


def _world_axes(reading: Reading) -> _Pair | None:
    """Return the axes on which the celestial coordinates are (FITS 4.0, section 8.3)."""
    axes: dict[str, int] = {}
    for axis in range(1, MAX_AXES + 1):
        kind = reading.lookup.get(f"CTYPE{axis}")
        if isinstance(kind, str):
            axes.setdefault(kind.strip().upper().partition("-")[0], axis)
    names = next((pair for pair in (_EQUATORIAL, _GALACTIC) if axes.keys() >= set(pair)), None)
    if names is None:
        return None
    numbers = [axes[name] for name in names]
    factors = [_unit_of_axis(axis, reading) for axis in numbers]
    if None in factors:
        return None
    first, second = (f"CRVAL{axis}" for axis in numbers)
    return _Pair(first, second, (factors[0] or 1.0, factors[1] or 1.0), False, names is _GALACTIC)


def _unit_of_axis(axis: int, reading: Reading) -> float | None:
    keyword = f"CUNIT{axis}"
    word = reading.defined(keyword)
    try:
        factor = factor_of(str(word), base="deg") if word is not None else 1.0
        if factor is None:
            raise ValueError("no unit of angles")
    except ValueError as error:
        reading.warn(keyword, word, error)
        return None
    return factor


def _coordinates(pair: _Pair, equinox: tuple[str, ...], reading: Reading) -> tuple[float, float] | None:
    ra_value, dec_value = reading.defined(pair.longitude), reading.defined(pair.latitude)
    if ra_value is None or dec_value is None:
        return None
    keyword, value = pair.longitude, ra_value
    try:
        text_factor = 1.0 if pair.galactic else 15.0
        ra_factor = _stated_factor(keyword, ra_value, pair, 0, reading)
        ra = read_angle(ra_value, ra_factor, sexagesimal_factor=text_factor)
        if ra_factor == UNITS["hour"] and abs(ra) > 360.0:
            raise ValueError("hours end at 24")
        keyword, value = pair.latitude, dec_value
        dec = read_angle(dec_value, _stated_factor(keyword, dec_value, pair, 1, reading))
        if not (-360.0 <= ra <= 720.0 and -90.0 <= dec <= 90.0):
            raise ValueError("not on the sky")
    except ValueError as error:
        reading.warn(keyword, value, error)
        return None
    return galactic_to_j2000(ra, dec) if pair.galactic else _to_j2000(ra % 360.0, dec, equinox, reading)


def _stated_factor(keyword: str, value: Value, pair: _Pair, index: int, reading: Reading) -> float:
    """Return the factor of a number: that of the unit in the comment of its card, if it is one of angles."""
    # Text names its unit itself, and most comments repeat its form.
    if (
        pair.stated
        and not isinstance(value, str)
        and (word := stated_unit(reading.lookup.comment(keyword)))
        and unit_named(word)
    ):
        return factor_of(word, base="deg") or pair.factors[index]
    return pair.factors[index]


def _to_j2000(
    ra: float, dec: float, keywords: tuple[str, ...], reading: Reading
) -> tuple[float, float] | None:
    """Precess a position of another equinox; positions of J2000 and ICRS agree within 0.1 arcseconds.

    An equinox has no meaning for ICRS; the system FK4 without one is that of B1950 (FITS 4.0, section 8.3).
    """
    system = str(reading.lookup.get("RADESYS") or reading.lookup.get("RADECSYS") or "").strip().upper()
    if system == "ICRS" or not keywords:
        return ra, dec
    keyword = next((one for one in keywords if reading.defined(one) is not None), None)
    value = reading.defined(keyword) if keyword else None
    try:
        year = read_equinox(value) if value is not None else None
    except ValueError as error:
        reading.warn(keyword or "", value, error)
        return None
    if year is None and system == "GAPPT":
        reading.warn("RADESYS", system, "the date of apparent places is not told")
        return None
    if year is None and system.startswith("FK4"):
        year = _FK4_YEAR
    if year is None or abs(year - 2000.0) < 0.01:
        return ra, dec
    return precess_to_j2000(ra, dec, year)
