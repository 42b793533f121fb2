"""Short words for what a frame is, in the manner of Gemini's AstroData tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TELESCOPES = {"Gemini-North": ("GEMINI", "NORTH"), "Gemini-South": ("GEMINI", "SOUTH")}
_CALIBRATIONS = {"BIAS", "DARK", "FLAT", "ARC", "FRINGE", "PINHOLE", "RONCHI", "SLITILLUM"}


def tags_of(frame: Mapping[str, Any]) -> list[str]:
    """Return the words that the values of a frame speak for, sorted; what is not known has none."""
    instrument = frame.get("instrument") or ""
    kind = (frame.get("observation_type") or "").upper()
    reduction = frame.get("reduction") or ""
    spectroscopy = frame.get("spectroscopy")
    tags = {*_TELESCOPES.get(frame.get("telescope") or "", ()), instrument.upper()}
    if instrument.startswith("GMOS"):
        tags.add("GMOS")
    if kind in _CALIBRATIONS:
        tags |= {kind, "CAL"}
    if spectroscopy is not None:
        tags.add("SPECT" if spectroscopy else "IMAGE")
    if (mode := frame.get("mode")) in ("LS", "MOS", "IFS"):
        tags.add(mode)
    tags |= {"RAW", "UNPREPARED"} if reduction == "RAW" else {reduction.partition("_")[0]}
    if frame.get("engineering"):
        tags.add("ENGINEERING")
    return sorted(tags - {""})
