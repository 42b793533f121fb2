"""Short words for what a frame is, in the manner of Gemini's AstroData tags."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_TELESCOPES = {"Gemini-North": ("GEMINI", "NORTH"), "Gemini-South": ("GEMINI", "SOUTH")}
_CALIBRATIONS = {"BIAS", "DARK", "FLAT", "ARC", "FRINGE", "PINHOLE", "RONCHI", "SLITILLUM"}

_SPEAKING = (
    "telescope",
    "instrument",
    "observation_type",
    "reduction",
    "mode",
    "spectroscopy",
    "engineering",
)


def tags_of(frame: Mapping[str, Any]) -> list[str]:
    """Return the words that the values of a frame speak for, sorted; what is not known has none."""
    return list(_tags(*map(frame.get, _SPEAKING)))


# An archive holds few combinations of these, and lists of thousands of frames ask for each.
@lru_cache(maxsize=4096)
def _tags(
    telescope: str | None,
    instrument: str | None,
    kind: str | None,
    reduction: str | None,
    mode: str | None,
    spectroscopy: bool | None,
    engineering: bool | None,
) -> tuple[str, ...]:
    instrument, kind, reduction = instrument or "", (kind or "").upper(), reduction or ""
    tags = {*_TELESCOPES.get(telescope or "", ()), instrument.upper()}
    if instrument.startswith("GMOS"):
        tags.add("GMOS")
    if kind in _CALIBRATIONS:
        tags |= {kind, "CAL"}
    if spectroscopy is not None:
        tags.add("SPECT" if spectroscopy else "IMAGE")
    if mode in ("LS", "MOS", "IFS"):
        tags.add(mode)
    tags |= {"RAW", "UNPREPARED"} if reduction == "RAW" else {reduction.partition("_")[0]}
    if engineering:
        tags.add("ENGINEERING")
    return tuple(sorted(tags - {""}))
