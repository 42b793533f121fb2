"""Where a site is, read from its configuration and from that of its WEMA, as clients write them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from armillary.sites.almanac.errors import BadPosition, PlaceMissing, UnknownZone
from armillary.sites.almanac.models import Adjustments, SitePlace
from armillary.sites.zones import zone_of

Configuration = Mapping[str, Any]
_OPTIONAL = {
    "elevation_m": ("elevation", -500.0, 9000.0),
    "ambient_c": ("reference_ambient", -100.0, 100.0),
    "cool_down_open_min": ("eve_cool_down_open", -1440.0, 1440.0),
    "close_and_park_min": ("morn_close_and_park", -1440.0, 1440.0),
}
"""What may be told besides: the key, and between what a value makes sense; others count as not told."""


def place_of(site: str, own: Configuration, wema: Configuration | None = None) -> SitePlace:
    """Return the place of a site; what its configuration lacks is taken from that of its WEMA.

    Numbers may be written as numbers, as text, or as a list, whose first item counts.

    Raises
    ------
    PlaceMissing
        If latitude, longitude or zone is nowhere told, or is no number that it can be.
    UnknownZone
        If there is no such time zone.
    """

    def told(key: str) -> Any:
        value = first_of(own.get(key))
        return first_of((wema or {}).get(key)) if value in (None, "") else value

    zone = told("TZ_database_name")
    if zone in (None, ""):
        raise PlaceMissing
    try:
        latitude, longitude = check_position(number_of(told("latitude")), number_of(told("longitude")))
    except BadPosition as error:
        raise PlaceMissing from error
    optional = {name: _within(told(key), low, high) for name, (key, low, high) in _OPTIONAL.items()}
    given = {name: value for name, value in optional.items() if value is not None}
    adjustments = _adjustments(told("almanac"))
    return SitePlace(site, latitude, longitude, check_zone(zone), adjustments=adjustments, **given)


def check_position(latitude_deg: float | None, longitude_deg: float | None) -> tuple[float, float]:
    """Return latitude and longitude if they are a position.

    Raises
    ------
    BadPosition
    """
    if latitude_deg is None or longitude_deg is None:
        raise BadPosition
    if not -90.0 <= latitude_deg <= 90.0 or not -180.0 <= longitude_deg <= 360.0:
        raise BadPosition
    return latitude_deg, longitude_deg


def check_zone(zone: Any) -> str:
    """Return the name of a time zone if there is one.

    Raises
    ------
    UnknownZone
        With the name, as far as it can be shown.
    """
    if found := zone_of(zone):
        return found.key
    shown = str(zone)[:100]
    raise UnknownZone(f"'{shown}' is no time zone; use a name such as 'America/Santiago'.", zone=shown)


def first_of(value: Any) -> Any:
    """Return the first item of a list, else the value."""
    if isinstance(value, list | tuple):
        return value[0] if value else None
    return value


def number_of(value: Any) -> float | None:
    """Return a finite number that is written as a number or as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def _adjustments(value: Any) -> Adjustments:
    """Return what `almanac` in a configuration says: `sun_deg`, `moon_deg`, `dip`."""
    if not isinstance(value, Mapping):
        return Adjustments()
    angles = {name: _within(value.get(name), -20.0, 20.0) for name in ("sun_deg", "moon_deg")}
    given = {name: angle for name, angle in angles.items() if angle is not None}
    return Adjustments(dip=value.get("dip") is True, **given)


def _within(value: Any, low: float, high: float) -> float | None:
    found = number_of(first_of(value))
    return found if found is not None and low <= found <= high else None
