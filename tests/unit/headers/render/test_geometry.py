"""Geometry of amplifiers: the table of the specification, and what holds of any readout."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.headers.render.geometry import DEFAULTS, SEGMENTS, Readout, readout, segment_cards

READOUTS = st.builds(
    Readout, st.sampled_from(["ITL", "E2V"]), st.integers(1, 20), st.integers(1, 20), st.integers(0, 12)
)


def section(text: object) -> tuple[int, int, int, int]:
    found = re.fullmatch(r"\[(\d+):(\d+),(\d+):(\d+)\]", str(text))
    assert found is not None
    first, last, bottom, top = (int(one) for one in found.groups())
    return first, last, bottom, top


@pytest.mark.parametrize(
    ("segment", "detsec", "dtv1", "dtm2_2", "dtv2"),
    [
        ("00", "[509:1,4000:2001]", 513, -1, 4001),
        ("07", "[4072:3564,4000:2001]", 4076, -1, 4001),
        ("10", "[509:1,1:2000]", 513, 1, 0),
        ("17", "[4072:3564,1:2000]", 4076, 1, 0),
    ],
)
def test_the_table_of_itl(segment: str, detsec: str, dtv1: int, dtm2_2: int, dtv2: int) -> None:
    cards = segment_cards(DEFAULTS["ITL"], segment)
    assert cards == {
        "DETSIZE": "[1:4072,1:4000]",
        "DATASEC": "[4:512,1:2000]",
        "DETSEC": detsec,
        "DTM1_1": -1,
        "DTM1_2": 0,
        "DTM2_1": 0,
        "DTM2_2": dtm2_2,
        "DTV1": dtv1,
        "DTV2": dtv2,
    }


def test_the_upper_row_of_e2v_is_read_the_other_way() -> None:
    cards = segment_cards(DEFAULTS["E2V"], "01")
    assert cards is not None
    assert (cards["DETSEC"], cards["DTM1_1"], cards["DTV1"]) == ("[513:1024,4004:2003]", 1, 502)
    cards = segment_cards(DEFAULTS["E2V"], "11")
    assert cards is not None
    assert (cards["DETSEC"], cards["DTM1_1"], cards["DTV1"]) == ("[1024:513,1:2002]", -1, 1035)


@given(READOUTS, st.sampled_from(SEGMENTS))
def test_the_transformation_maps_the_ends_of_the_data_to_those_of_the_section(
    one: Readout, segment: str
) -> None:
    cards = segment_cards(one, segment)
    assert cards is not None
    x1, x2, y1, y2 = section(cards["DATASEC"])
    ends = [
        int(cards["DTM1_1"]) * x1 + int(cards["DTV1"]),
        int(cards["DTM1_1"]) * x2 + int(cards["DTV1"]),
        int(cards["DTM2_2"]) * y1 + int(cards["DTV2"]),
        int(cards["DTM2_2"]) * y2 + int(cards["DTV2"]),
    ]
    assert tuple(ends) == section(cards["DETSEC"])


@given(READOUTS)
def test_the_segments_tile_the_detector_exactly_once(one: Readout) -> None:
    pixels: list[tuple[int, int]] = []
    for segment in SEGMENTS:
        cards = segment_cards(one, segment)
        assert cards is not None
        x1, x2, y1, y2 = section(cards["DETSEC"])
        columns, lines = range(min(x1, x2), max(x1, x2) + 1), range(min(y1, y2), max(y1, y2) + 1)
        pixels += [(x, y) for x in columns for y in lines]
    _, width, _, height = section(cards["DETSIZE"])
    assert len(pixels) == len(set(pixels)) == width * height
    assert max(pixels) == (width, height)
    assert min(pixels) == (1, 1)


def test_what_the_readout_says_replaces_the_defaults() -> None:
    assert readout("itl", prescan=0) == Readout("ITL", 509, 2000, 0)
    assert readout("E2V", cols=576, rows=2048) == Readout("E2V", 576, 2048, 10)
    assert readout("ACME") is None
    assert readout("ITL", cols=0) is None
    assert segment_cards(DEFAULTS["ITL"], "18") is None
