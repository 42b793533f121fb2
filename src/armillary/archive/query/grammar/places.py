"""Places on the sky as people write them: positions in several notations, radii with units, names of objects."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog.tables import few, frame
from armillary.archive.query.conditions import conditions
from armillary.archive.query.cones import Cone
from armillary.archive.query.errors import Malformed
from armillary.archive.query.grammar.numbers import read_dec, read_ra
from armillary.archive.query.models import Like, literally
from armillary.errors import BadRequest

MOST_LOOKED_AT = 200
"""So many frames of an object, the newest, say where it is."""
SPREAD_DEG = 0.5
"""Frames of one object lie no further from their middle than offsets, dithers and wide cameras take them."""
_RADIUS = re.compile(r"(\d{1,9}(?:\.\d{0,12})?|\.\d{1,12})\s*([a-z°'\"′″]*)", re.IGNORECASE)
_UNITS = {
    1.0: ("", "d", "deg", "degree", "degrees", "°"),
    1 / 60: ("'", "′", "arcmin", "arcmins", "m"),
    1 / 3600: ('"', "″", "''", "arcsec", "arcsecs", "s"),
}
_FACTORS = {word: factor for factor, words in _UNITS.items() for word in words}
_NUMERIC = re.compile(r"[+-]?[\d.:hdms°'\"′″]*\d[\d.:hdms°'\"′″]*", re.IGNORECASE)
_SIGNS = str.maketrans({"°": "d", "'": "m", "′": "m", '"': "s", "″": "s"})


def read_place(text: str) -> tuple[float, float] | None:
    """Return the position that a text is, in degrees; None if it has not the form of one, as a name has not.

    ``12.5 -30.2`` are degrees, ``12:34:56 -12:34:56`` and ``12h34m56s -12d34m56s`` hours and degrees, and so are
    six numbers with blanks between.

    Raises
    ------
    BadRequest
        If it has the form of a position, but is none.
    """
    words = text.replace(",", " ").split()
    if not words or not all(_NUMERIC.fullmatch(one) for one in words):
        return None
    if len(words) == 6:
        words = [":".join(words[:3]), ":".join(words[3:])]
    if len(words) != 2:
        # A number alone may be the name of something, as of an asteroid.
        return None
    ra, dec = (one.translate(_SIGNS) for one in words)
    try:
        return read_ra(ra), read_dec(dec)
    except Malformed as error:
        raise BadRequest(f"{error}.") from None


def read_extent(text: str) -> float:
    """Return a radius in degrees: ``0.1``, ``6'``, ``30 arcsec``.

    Raises
    ------
    BadRequest
        If it is none.
    """
    found = _RADIUS.fullmatch(text.strip())
    factor = _FACTORS.get(found[2].lower()) if found else None
    if found is None or factor is None or float(found[1]) * factor > 180:
        raise BadRequest(f"'{text}' is no radius: write degrees up to 180, 6' or 30 arcsec.")
    return float(found[1]) * factor


async def cone_of_object(
    connection: AsyncConnection, name: str, radius_deg: float, viewer: Principal, *, today: date
) -> Cone:
    """Return a circle around an object of the archive: where its frames point, as far as the viewer may know.

    Raises
    ------
    BadRequest
        If no frame of that object has a position that may be known, or they are in several places.
    """
    wanted = conditions([Like("object", literally(name), folded=True)], viewer, today)
    newest = (
        sa.select(frame.c.ra_deg, frame.c.dec_deg)
        .where(*wanted, frame.c.hpx.is_not(None))
        .order_by(frame.c.started_at.desc().nulls_last(), frame.c.file_id.desc())
        .limit(few(MOST_LOOKED_AT))
    )
    places = [(row.ra_deg, row.dec_deg) for row in await connection.execute(newest)]
    if not places:
        raise BadRequest(
            f"'{name}' is no position, and no frame of an object of that name has one that you may know;"
            " write RA and Dec in degrees, or as hh:mm:ss dd:mm:ss."
        )
    ra, dec, spread = middle_of(places)
    if spread > SPREAD_DEG:
        raise BadRequest(
            f"Frames of '{name}' lie up to {spread:.3g} degrees from each other's middle, so that it is no place;"
            f" search for object={name}, or write the position."
        )
    return Cone(ra, dec, radius_deg)


def middle_of(places: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Return the middle of positions, and how far the furthest of them is from it; all in degrees."""
    vectors = [_vector(ra, dec) for ra, dec in places]
    x, y, z = (sum(one[axis] for one in vectors) for axis in range(3))
    length = math.sqrt(x * x + y * y + z * z)
    if length < 1e-9 * len(vectors):
        return (*places[0], 180.0)
    ra, dec = math.degrees(math.atan2(y, x)) % 360, math.degrees(math.asin(z / length))
    middle = _vector(ra, dec)
    # By the chord: the arc cosine knows no small angles.
    furthest = max(math.dist(middle, one) for one in vectors)
    return ra, dec, math.degrees(2 * math.asin(min(1.0, furthest / 2)))


def _vector(ra_deg: float, dec_deg: float) -> tuple[float, float, float]:
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    return math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)
