"""Circles on the sky, and the clause that finds the frames in one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from armillary.archive.tables import frame
from armillary.errors import BadRequest
from armillary.sky.healpix import cone_ranges


@dataclass(frozen=True, slots=True)
class Cone:
    """A circle on the sky; centre and radius in degrees, ICRS."""

    ra_deg: float
    dec_deg: float
    radius_deg: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ra_deg) and -90 <= self.dec_deg <= 90 and 0 <= self.radius_deg <= 180):
            raise BadRequest(
                "A cone needs RA in degrees, Dec from -90 to 90 and a radius from 0 to 180 degrees."
            )

    @classmethod
    def parse(cls, text: str) -> Cone:
        """Read ``RA,DEC,RADIUS`` in degrees."""
        try:
            ra, dec, radius = map(float, text.split(","))
        except ValueError:
            raise BadRequest(f"'{text}' is no cone: write RA,DEC,RADIUS in degrees.") from None
        return cls(ra, dec, radius)


def in_cone(cone: Cone) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions under which a frame lies in the circle: by index first, then exactly.

    Whoever uses them also asks for ``embargo.coordinates_visible``.
    """
    ranges = cone_ranges(cone.ra_deg, cone.dec_deg, cone.radius_deg)
    yield sa.or_(*(sa.and_(frame.c.hpx >= low, frame.c.hpx < high) for low, high in ranges))
    # Squared chord between unit vectors: exact at the poles, across RA 0, and at small radii.
    ra, dec = sa.func.radians(frame.c.ra_deg), sa.func.radians(frame.c.dec_deg)
    lon, lat = math.radians(cone.ra_deg), math.radians(cone.dec_deg)
    x = sa.func.cos(dec) * sa.func.cos(ra) - math.cos(lat) * math.cos(lon)
    y = sa.func.cos(dec) * sa.func.sin(ra) - math.cos(lat) * math.sin(lon)
    z = sa.func.sin(dec) - math.sin(lat)
    chord = 2 * math.sin(math.radians(cone.radius_deg) / 2)
    yield x * x + y * y + z * z <= chord * chord
