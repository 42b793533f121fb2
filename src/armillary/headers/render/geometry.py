"""Where the pixels of an amplifier lie on its detector, of the two vendors whose readout is known.

A segment has the code XY: X is 0 in the upper row and 1 in the lower, Y is 0 to 7. Sections are those of FITS,
from pixel 1; a falling one says that the amplifier is read from that side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

SEGMENTS = tuple(f"{x}{y}" for x in (1, 0) for y in (range(8) if x else range(7, -1, -1)))
"""10 to 17, then 07 to 00."""


@dataclass(frozen=True, slots=True)
class Readout:
    """How the amplifiers of a detector are read: imaging columns and rows, and columns before them."""

    vendor: str
    cols: int
    rows: int
    prescan: int


DEFAULTS = {"ITL": Readout("ITL", 509, 2000, 3), "E2V": Readout("E2V", 512, 2002, 10)}


def readout(
    vendor: str, *, cols: int | None = None, rows: int | None = None, prescan: int | None = None
) -> Readout | None:
    """Return the readout of a detector, with the defaults of its vendor; None if it is unknown or impossible."""
    usual = DEFAULTS.get(vendor.strip().upper())
    if usual is None:
        return None
    found = Readout(
        usual.vendor,
        usual.cols if cols is None else cols,
        usual.rows if rows is None else rows,
        usual.prescan if prescan is None else prescan,
    )
    return found if found.cols > 0 and found.rows > 0 and found.prescan >= 0 else None


@lru_cache(maxsize=64)
def detector_cards(one: Readout) -> Mapping[str, str]:
    """Return the cards of geometry that are the same for all segments of a detector."""
    return {
        "DETSIZE": f"[1:{8 * one.cols},1:{2 * one.rows}]",
        "DATASEC": f"[{one.prescan + 1}:{one.prescan + one.cols},1:{one.rows}]",
    }


@lru_cache(maxsize=1024)
def segment_cards(one: Readout, segment: str) -> Mapping[str, str | int] | None:
    """Return the cards of geometry of a segment; None if there is no such segment.

    ``DTM * pixel + DTV`` brings the pixels of DATASEC to those of DETSEC.
    """
    if segment not in SEGMENTS:
        return None
    x, y = int(segment[0]), int(segment[1])
    h, v, p = one.cols, one.rows, one.prescan
    rising = one.vendor == "E2V" and x == 0
    columns = f"{y * h + 1}:{(y + 1) * h}" if rising else f"{(y + 1) * h}:{y * h + 1}"
    lines = f"1:{v}" if x else f"{2 * v}:{v + 1}"
    return {
        **detector_cards(one),
        "DETSEC": f"[{columns},{lines}]",
        "DTV1": y * h - p if rising else (y + 1) * h + 1 + p,
        "DTV2": (2 * v + 1) * (1 - x),
        "DTM1_1": 1 if rising else -1,
        "DTM2_2": 2 * x - 1,
        "DTM1_2": 0,
        "DTM2_1": 0,
    }
