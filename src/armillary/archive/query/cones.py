"""Circles on the sky, and the clause that finds the frames in one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import sqlalchemy as sa

from armillary.archive.catalog.tables import frame
from armillary.errors import BadRequest

WIDE_DEG = 15.0
"""Radius of circles so wide, a sixtieth of the sky, that a walk through the newest frames fills a page sooner."""
SLACK_RAD = 1e-12
"""Added to every radius, 0.2 microarcseconds: sines of two libraries may differ in their last digit."""


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


def in_cone(cone: Cone) -> sa.ColumnElement[bool]:
    """Return the condition under which a frame lies in the circle.

    Whoever uses it also asks for ``embargo.coordinates_visible``.
    """
    if cone.radius_deg > WIDE_DEG:
        return _within(frame, cone)
    # The frames of a circle are few, and no statistics can know how few: they are found first and become an
    # array of ids, which every plan takes for a short one.
    near = frame.alias("near")
    cells = _cells(cone)
    below = (
        sa.select(near.c.file_id, near.c.ra_deg, near.c.dec_deg)
        .where(near.c.hpx >= cells.c.low, near.c.hpx < cells.c.high)
        .offset(sa.literal_column("0"))
        .lateral("below")
    )
    found = sa.select(below.c.file_id).select_from(cells.join(below, sa.true())).where(_within(below, cone))
    return frame.c.file_id == sa.any_(sa.func.array(found.scalar_subquery()))


def _cells(cone: Cone) -> sa.TableValuedAlias:
    """Return the ranges of the index that cover the circle, as a table."""
    # Only here: most searches have no cone, and need none of the libraries.
    from armillary.sky.healpix import cone_ranges

    ranges = cone_ranges(cone.ra_deg, cone.dec_deg, cone.radius_deg)
    # As subqueries, so that the planner expects as many ranges for these as for any to come: prepared once, the
    # statement is then not planned again for each cone.
    lows, highs = (
        sa.select(sa.cast([one[side] for one in ranges], sa.ARRAY(sa.BigInteger))).scalar_subquery()
        for side in (0, 1)
    )
    return sa.func.unnest(lows, highs).table_valued("low", "high").render_derived("cell")


def _within(table: sa.FromClause, cone: Cone) -> sa.ColumnElement[bool]:
    """Return the exact condition, by the squared chord: right at the poles, across RA 0, and at small radii."""
    ra, dec = sa.func.radians(table.c.ra_deg), sa.func.radians(table.c.dec_deg)
    lon, lat = math.radians(cone.ra_deg), math.radians(cone.dec_deg)
    x = sa.func.cos(dec) * sa.func.cos(ra) - math.cos(lat) * math.cos(lon)
    y = sa.func.cos(dec) * sa.func.sin(ra) - math.cos(lat) * math.sin(lon)
    z = sa.func.sin(dec) - math.sin(lat)
    chord = 2 * math.sin(min(math.pi, math.radians(cone.radius_deg) + SLACK_RAD) / 2) + SLACK_RAD
    return x * x + y * y + z * z <= chord * chord
