"""Where the telescope of a header stands: as it says itself, or as its name tells."""

from __future__ import annotations

import re

from armillary.errors import BadRequest
from armillary.headers.rules.sheet import Place, Sheet
from armillary.sky.apparent import geodetic

_COORDINATES = (
    ("OBS-LAT", "OBS-LONG", "OBS-ELEV"),
    ("LATITUDE", "LONGITUD", "HEIGHT"),
    ("SITELAT", "SITELONG", "SITEELEV"),
    ("OBSGEO-B", "OBSGEO-L", "OBSGEO-H"),
)
_TELESCOPES = (
    (r"simonyi survey telescope", Place(-30.244639, -70.749417, 2663.0, "Simonyi Survey Telescope")),
    (r"lsst auxtelescope|rubin auxiliary telescope", Place(-30.244789, -70.747686, 2647.0, "AuxTel")),
    (r"gemini[- ]north", Place(19.82380, -155.46905, 4213.0, "Gemini North")),
    (r"gemini[- ]south", Place(-30.24075, -70.73669, 2722.0, "Gemini South")),
    (r"cfht( 3\.6m)?", Place(19.825252, -155.468876, 4204.0, "CFHT")),
    (r"subaru", Place(19.825504, -155.476019, 4139.0, "Subaru")),
    (r"ctio 4\.0-m telescope|blanco.*", Place(-30.169661, -70.806525, 2207.0, "Blanco")),
)
"""Positions as their observatories publish them."""
_DAO = Place(48.5197, -123.4169, 229.0, "Dominion Astrophysical Observatory")


def place_of(sheet: Sheet) -> Place | None:
    """Return the site of a header, None if it is not known; computed once."""
    if "place" not in sheet.cache:
        sheet.cache["place"] = sheet.given_site or told_place(sheet) or named_place(sheet)
    found: Place | None = sheet.cache["place"]
    return found


def told_place(sheet: Sheet) -> Place | None:
    """Return the site that the header itself tells in coordinates."""
    for keywords in _COORDINATES:
        latitude, longitude, height = (sheet.number(one) for one in keywords)
        if latitude is not None and longitude is not None and abs(latitude) <= 90 and (latitude or longitude):
            return Place(latitude, longitude, height or 0.0, keywords[0])
    x, y, z = (sheet.number(f"OBSGEO-{axis}") for axis in "XYZ")
    if x is None or y is None or z is None or x * x + y * y + z * z < 1e13:
        return None
    return Place(*geodetic(x, y, z), known_by="OBSGEO-X")


def named_place(sheet: Sheet) -> Place | None:
    """Return the site of a telescope that is known by its name; test stands have none."""
    name = (sheet.text("TELESCOP") or "").lower()
    if not name or sheet.text("TSTAND"):
        return None
    if sheet.word("OBSERVAT") == "DAO":
        return _DAO
    return next((place for pattern, place in _TELESCOPES if re.fullmatch(pattern, name)), None)


def parse_site(text: str) -> Place:
    """Read ``LAT,LON,HEIGHT``, degrees north and east and metres; the height may be left out.

    Raises
    ------
    BadRequest
        If it is none.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or not (abs(numbers[0]) <= 90 and abs(numbers[1]) <= 360):
        raise BadRequest(f"'{text}' is no site: write LAT,LON,HEIGHT, as -30.2446,-70.7494,2663.")
    latitude, longitude, height = (*numbers, 0.0)[:3]
    if not abs(height) < 1e7:
        raise BadRequest(f"'{text}' is no site: the height is in metres.")
    return Place(latitude, longitude, height, "as given")
