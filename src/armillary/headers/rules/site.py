"""Where the telescope stands, told twice."""

from __future__ import annotations

import math
from collections.abc import Iterator

from armillary.headers.rules.models import Deviation, Group, Rule, Severity
from armillary.headers.rules.places import named_place, told_place
from armillary.headers.rules.sheet import Sheet
from armillary.sky.coordinates import separation_deg
from armillary.sky.pointing import geocentric_m as geocentric

_AXES = ("OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z")


def geocentric_position(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare OBSGEO-X, -Y, -Z with latitude, longitude and height."""
    place = told_place(sheet)
    stated = [sheet.number(one) for one in _AXES]
    if place is None or place.known_by in ("OBSGEO-X", "OBSGEO-B") or None in stated:
        return
    x, y, z = (one or 0.0 for one in stated)
    expected = geocentric(place.latitude, place.longitude, place.height)
    off = math.dist((x, y, z), expected)
    if off <= tolerance:
        return
    yield Deviation(
        "OBSGEO-X, OBSGEO-Y, OBSGEO-Z",
        [round(one, 2) for one in expected],
        [x, y, z],
        round(off, 2),
        _why((x, y, z), (place.latitude, place.longitude, place.height), tolerance),
    )


def _why(
    stated: tuple[float, float, float], place: tuple[float, float, float], tolerance: float
) -> str | None:
    latitude, longitude, height = place
    expected = geocentric(latitude, longitude, height)
    tried = (
        ("sign of the longitude", geocentric(latitude, -longitude, height)),
        ("sign of Z", (expected[0], expected[1], -expected[2])),
        ("sign of the latitude", geocentric(-latitude, longitude, height)),
        ("height left out", geocentric(latitude, longitude, 0.0)),
        ("kilometres for metres", (expected[0] / 1000, expected[1] / 1000, expected[2] / 1000)),
        ("X and Y exchanged", (expected[1], expected[0], expected[2])),
        ("latitude and longitude exchanged", geocentric(min(max(longitude, -90.0), 90.0), latitude, height)),
        ("a sphere instead of the ellipsoid", _on_sphere(latitude, longitude, height)),
    )
    return next((name for name, other in tried if math.dist(stated, other) <= tolerance), None)


def _on_sphere(latitude: float, longitude: float, height: float) -> tuple[float, float, float]:
    p, lon, r = math.radians(latitude), math.radians(longitude), 6378137.0 + height
    return r * math.cos(p) * math.cos(lon), r * math.cos(p) * math.sin(lon), r * math.sin(p)


def hemisphere(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find positions on the wrong side of the equator or off the Earth."""
    stated = [sheet.number(one) for one in _AXES]
    if None in stated or not any(stated):
        return
    x, y, z = (one or 0.0 for one in stated)
    radius = math.hypot(x, y, z)
    if not 6.30e6 <= radius <= 6.40e6:
        hypothesis = "kilometres for metres" if 6.30e3 <= radius <= 6.40e3 else None
        yield Deviation(
            "OBSGEO-X, OBSGEO-Y, OBSGEO-Z",
            "6300 to 6400 km from the centre",
            round(radius, 1),
            None,
            hypothesis,
        )
        return
    place = told_place(sheet) or named_place(sheet)
    latitude = place.latitude if place and place.known_by != "OBSGEO-X" else None
    if place and place.known_by == "OBSGEO-X" and (named := named_place(sheet)):
        latitude = named.latitude
    if latitude is not None and abs(z) > 1e4 and (z > 0) != (latitude > 0):
        yield Deviation(
            "OBSGEO-Z", "positive" if latitude > 0 else "negative", z, round(2 * z, 2), "sign of Z", unit="m"
        )


def known_site(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare the site with that of the telescope, where its name is known."""
    told, named = told_place(sheet), named_place(sheet)
    if told is None or named is None:
        return
    off = separation_deg(told.longitude, told.latitude, named.longitude, named.latitude)
    if off <= tolerance:
        return
    west = separation_deg(-told.longitude, told.latitude, named.longitude, named.latitude) <= tolerance
    south = separation_deg(told.longitude, -told.latitude, named.longitude, named.latitude) <= tolerance
    hypothesis = "longitude counted to the west" if west else "sign of the latitude" if south else None
    yield Deviation(
        told.known_by,
        [named.latitude, named.longitude],
        [told.latitude, told.longitude],
        round(off, 4),
        hypothesis,
        text=f"The site is not that of {named.known_by}; expected and actual are latitude and longitude.",
    )


RULES = (
    Rule(
        "site-geocentric",
        Group.SITE,
        Severity.ERROR,
        "OBSGEO-X, -Y, -Z, OBS-LAT, OBS-LONG, OBS-ELEV",
        "OBSGEO = WGS84 of latitude, longitude and height",
        "The geocentric position is not that of latitude, longitude and height.",
        geocentric_position,
        tolerance=10.0,
        unit="m",
        hypotheses=("signs", "height left out", "kilometres", "axes exchanged", "a sphere"),
    ),
    Rule(
        "site-hemisphere",
        Group.SITE,
        Severity.ERROR,
        "OBSGEO-X, -Y, -Z, OBS-LAT, TELESCOP",
        "sign of Z = sign of the latitude; on the Earth",
        "The geocentric position is not where the telescope is.",
        hemisphere,
        tolerance=0.0,
        unit="m",
        hypotheses=("sign of Z", "kilometres for metres"),
    ),
    Rule(
        "site-known",
        Group.SITE,
        Severity.WARNING,
        "TELESCOP, OBS-LAT, OBS-LONG, LATITUDE, LONGITUD, OBSGEO-X",
        "the site is that of the telescope named",
        "The site is not that of the telescope.",
        known_site,
        tolerance=0.05,
        unit="deg",
        hypotheses=("longitude counted to the west", "sign of the latitude"),
    ),
)
