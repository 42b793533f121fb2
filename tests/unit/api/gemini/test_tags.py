"""Words for what a frame is, as the archive of Gemini showed them for such frames since it writes them as a set.

Words that no value of a frame tells (SIDEREAL, AT_ZENITH, how a lamp was) are left out on both sides.
"""

from __future__ import annotations

import ast

import pytest

from armillary.api.gemini.tags import tags_of

FRAMES = [
    (
        "N20220915S0113, an arc through a long slit",
        {"instrument": "GMOS-N", "observation_type": "ARC", "mode": "LS", "spectroscopy": True},
        {"GMOS", "GEMINI", "UNPREPARED", "CAL", "SPECT", "LS", "NORTH", "ARC", "RAW"},
    ),
    (
        "N20200103S0434, an arc of NIFS",
        {"instrument": "NIFS", "observation_type": "ARC", "mode": "IFS", "spectroscopy": True},
        {"CAL", "RAW", "IFU", "SPECT", "NIFS", "ARC", "UNPREPARED", "GEMINI", "NORTH"},
    ),
    (
        "N20200210S0077, a bias",
        {"instrument": "GMOS-N", "observation_type": "BIAS", "mode": "imaging", "spectroscopy": False},
        {"GEMINI", "UNPREPARED", "RAW", "BIAS", "GMOS", "NORTH", "CAL"},
    ),
    (
        "N20200210S0077_bias, made of it",
        {"instrument": "GMOS-N", "observation_type": "BIAS", "mode": "imaging", "spectroscopy": False}
        | {"reduction": "PROCESSED_BIAS"},
        {"PROCESSED", "CAL", "PREPARED", "GMOS", "GEMINI", "NORTH", "BIAS"},
    ),
    (
        "N20030325S0098, an image",
        {"instrument": "NIRI", "observation_type": "OBJECT", "mode": "imaging", "spectroscopy": False},
        {"UNPREPARED", "RAW", "NIRI", "IMAGE", "GEMINI", "NORTH"},
    ),
]


@pytest.mark.parametrize(("name", "values", "words"), FRAMES, ids=[name for name, *_ in FRAMES])
def test_words_are_those_of_the_archive_at_gemini(
    name: str, values: dict[str, object], words: set[str]
) -> None:
    frame = {"telescope": "Gemini-North", "reduction": "RAW"} | values
    assert ast.literal_eval(tags_of(frame)) == words
