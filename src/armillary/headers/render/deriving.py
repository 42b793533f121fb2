"""The functions of derived cards. What is undefined, or has no result, is ``derive_failed``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from armillary.headers.models import Reason
from armillary.headers.recipes.models import Site
from armillary.headers.render.extraction import Undefined
from armillary.sky.instants import iso_ms, mjd, ns_of, observing_day, tai_of_iso
from armillary.sky.pointing import (
    airmass,
    altitude_deg,
    azimuth_deg,
    geocentric_m,
    hour_angle_deg,
    parallactic_deg,
)

HOURS = frozenset({"h", "hour", "hourangle"})
"""Units that make an hour angle hours instead of degrees."""
_DEGREES = {"h": 15.0, "hour": 15.0, "hourangle": 15.0, "rad": 57.29577951308232}
_EXACT = 9
"""Decimals of what trigonometry gives: the last bits of sines differ from one machine to another."""


def in_degrees(value: Any, unit: str | None) -> Any:
    """Return an angle in degrees, whatever unit its card has; anything else as it is."""
    factor = _DEGREES.get(unit or "")
    if factor is None or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return value * factor


def functions(timesys: str, site: Site | None, at: int | None) -> Mapping[str, Callable[..., Any]]:
    """Return the functions of expressions for an instrument and an instant (TAI ns)."""

    def tai(value: Any) -> int:
        if isinstance(value, str):
            return tai_of_iso(value, timesys)
        return ns_of(_number(value))

    def exposure_id(day: Any, number: Any) -> int:
        return int(day) * 100_000 + int(number)

    def hour_angle(ra: Any) -> float:
        return round(hour_angle_deg(_known(at), _known(site).lon, _number(ra)), _EXACT)

    def geocentric(axis: int) -> Callable[[], float]:
        def coordinate() -> float:
            here = _known(site)
            return round(geocentric_m(here.lat, here.lon, here.height)[axis], 4)

        return coordinate

    def on_sphere(formula: Callable[[float, float, float], float]) -> Callable[[Any, Any], float]:
        return lambda ha, dec: round(formula(_number(ha), _number(dec), _known(site).lat), _EXACT)

    table: dict[str, Callable[..., Any]] = {
        "mjd": lambda value: mjd(tai(value), timesys),
        "nite": lambda value: str(observing_day(tai(value))),
        "dayobs": lambda value: observing_day(tai(value)),
        "exposure_id": exposure_id,
        "obsgeo_x": geocentric(0),
        "obsgeo_y": geocentric(1),
        "obsgeo_z": geocentric(2),
        "hour_angle": hour_angle,
        "altitude": on_sphere(altitude_deg),
        "azimuth": on_sphere(azimuth_deg),
        "parallactic_angle": on_sphere(parallactic_deg),
        "airmass": lambda el, model="secant": round(airmass(_number(el), model), _EXACT),
    }
    return {name: _guarded(function) for name, function in table.items()}


def date_card(created: int, timesys: str) -> str:
    """Return the creation date of a header."""
    return iso_ms(created, timesys)


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        if any(one is None for one in arguments):
            raise Undefined(Reason.DERIVE_FAILED)
        try:
            return function(*arguments)
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            raise Undefined(Reason.DERIVE_FAILED, list(arguments)) from None

    return call


def _known(value: Any) -> Any:
    if value is None:
        raise Undefined(Reason.DERIVE_FAILED)
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Undefined(Reason.DERIVE_FAILED)
    return value
