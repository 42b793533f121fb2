"""The plate solution that a pointing alone tells: a tangent plane without distortion, good for a first look."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin


@dataclass(frozen=True, slots=True)
class Plate:
    """A detector on the sky: pixel of the boresight, scale, and which way its axes run.

    ``east_left`` is whether east is left of north seen on the pixels with north up; ``position_angle_deg`` is
    that of the y axis, from north through east.
    """

    boresight: tuple[float, float]
    scale_deg: float
    east_left: bool = True


def plate_solution(
    plate: Plate, ra_deg: float, dec_deg: float, position_angle_deg: float
) -> dict[str, str | float]:
    """Return the cards of a TAN solution (FITS WCS paper II): CRVAL, CRPIX, CD and the kind of the axes."""
    t, s, p = radians(position_angle_deg), plate.scale_deg, -1.0 if plate.east_left else 1.0
    return {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CRVAL1": ra_deg,
        "CRVAL2": dec_deg,
        "CRPIX1": plate.boresight[0],
        "CRPIX2": plate.boresight[1],
        "CD1_1": s * p * cos(t),
        "CD1_2": s * sin(t),
        "CD2_1": -s * p * sin(t),
        "CD2_2": s * cos(t),
    }
