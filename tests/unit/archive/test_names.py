"""How much the name of a file is worth a hurry: newest science first."""

from __future__ import annotations

import pytest

from armillary.archive.catalog.priorities import LOWEST_INGEST, science_priority
from armillary.base.text import has_controls

IN_ORDER = [
    "S20260102S0001.fits",
    "N20260101S0120.fits.bz2",
    "SDCH_20260101_0119.fits",
    "N20260101S0118_bias.fits",
    "S20251231S9999.fits",
    "img_20260105_12h04m.fits",
    "img_20260105_05h10m.fits",
    "img_20260104_23h.fits",
    "20260109_GS-2026A-Q-1_obslog.txt",
    "20260108_GS-2026A-Q-1_obslog.txt",
    "mrc-kf01-20260110-0001.fits.fz",
]


def test_newest_science_goes_first_and_other_names_come_last():
    found = [science_priority(name) for name in IN_ORDER]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", [*IN_ORDER, "N99991231S99999999999.fits", "N20269999S0001.fits", "x", ""])
def test_every_priority_is_an_integer_of_postgresql_below_those_of_edits(name):
    assert LOWEST_INGEST <= science_priority(name) < 0


def test_a_name_with_an_impossible_date_still_counts_as_science():
    assert science_priority("N20261345S0001.fits") > science_priority("img_20260105_12h.fits")


def test_lower_case_and_foreign_letters_are_no_science():
    for name in ("n20260101S0001.fits", "X20260101S0001.fits", "N2026S0001.fits", "SDCX_20260101_1.fits"):
        assert science_priority(name) == LOWEST_INGEST


@pytest.mark.parametrize(
    "first", [0x00, 0x1F, 0x7F, 0x80, 0x9F, 0xAD, 0x61C, 0x200B, 0x2028, 0x2029, 0x202E, 0x2066]
)
def test_characters_that_are_not_seen_are_controls(first):
    assert has_controls(chr(first))
    assert has_controls(f"N2026{chr(first)}S0001.fits")


@pytest.mark.parametrize(
    "name", ["", "N20260101S0001.fits", "ünï côdé ☄.fits", "星.fits", "a b~!.fits", "\xa0"]
)
def test_characters_that_are_seen_are_none(name):
    assert not has_controls(name)
