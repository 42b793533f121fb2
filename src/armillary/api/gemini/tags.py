"""Short words for what a frame is, in the manner of Gemini's AstroData tags."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_TELESCOPES = {"Gemini-North": ("GEMINI", "NORTH"), "Gemini-South": ("GEMINI", "SOUTH")}
_CALIBRATIONS = {"BIAS", "DARK", "FLAT", "ARC", "FRINGE", "PINHOLE", "RONCHI", "SLITILLUM"}
_MODES = {"LS": "LS", "MOS": "MOS", "IFS": "IFU"}
_STATES = {"RAW": ("RAW", "UNPREPARED"), "PROCESSED": ("PREPARED", "PROCESSED")}

SPEAKING = (
    "telescope",
    "instrument",
    "observation_type",
    "reduction",
    "mode",
    "spectroscopy",
    "engineering",
)
"""The values of a frame that `tags` takes."""


def tags_of(frame: Mapping[str, Any]) -> str:
    """Return the words that the values of a frame speak for; what is not known has none."""
    return tags(*map(frame.get, SPEAKING))


# An archive holds few combinations of these, and lists of thousands of frames ask for each.
@lru_cache(maxsize=4096)
def tags(
    telescope: str | None,
    instrument: str | None,
    kind: str | None,
    reduction: str | None,
    mode: str | None,
    spectroscopy: bool | None,
    engineering: bool | None,
) -> str:
    """Return the words that these values speak for, sorted, as Python writes a set of them.

    That is how the archive of Gemini shows them; clients put the text into one cell of a table.
    """
    kind, state = (kind or "").upper(), (reduction or "").partition("_")[0]
    name = "GMOS" if (instrument or "").startswith("GMOS") else (instrument or "").upper()
    words = {*_TELESCOPES.get(telescope or "", ()), name}
    if kind in _CALIBRATIONS:
        words |= {kind, "CAL"}
    if spectroscopy is not None and kind != "BIAS":
        words.add("SPECT" if spectroscopy else "IMAGE")
    words |= {_MODES.get(mode or "", ""), *_STATES.get(state, (state,))}
    if engineering:
        words.add("ENGINEERING")
    listed = ", ".join(map(repr, sorted(words - {""})))
    return f"{{{listed}}}" if listed else "set()"
