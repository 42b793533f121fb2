"""Frames of single cards as instruments and programs write them, each by the reader of headers itself."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.intake.profiles import load_profiles
from armillary.archive.intake.reading import Describer
from tests.support.frames import Frame

SPELLINGS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[2] / "data" / "spellings.toml").read_text("utf-8")
)["spelling"]
OF_KIND = {
    "day alone": ("night", "started_at"),
    "date": ("night", "started_at"),
    "time scale": ("started_at",),
    "equinox": ("ra_deg", "dec_deg"),
    "exposure": ("exposure_s",),
    "altitude": ("elevation_deg",),
    "filter wheels": ("filter",),
    "position": ("ra_deg", "dec_deg"),
    "sexagesimal": ("ra_deg", "dec_deg"),
}
"""What each kind is about: that must be null where nothing else is expected."""
PROFILES = load_profiles()
THOUSANDTH = 0.001


def raw_header(cards: list[str]) -> bytes:
    """Return a header of some cards as bytes, letters outside ASCII in Latin-1, as programs write them."""
    lines = [
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    0",
    ]
    raw = b"".join(line.encode("latin-1").ljust(80) for line in [*lines, *cards, "END"])
    return raw.ljust(-(-len(raw) // 2880) * 2880)


def frame_of(cards: list[str]) -> Frame:
    return Frame(**Describer(PROFILES, "").describe([raw_header(cards)], "x.fits").fields)


@pytest.mark.parametrize("one", SPELLINGS, ids=lambda one: f"{one['kind']}: {one['cards'][0][:40]}")
def test_frame_of_a_spelling(one: dict[str, Any]) -> None:
    frame = frame_of(one["cards"])
    expected = one["frame"]
    for name in {*OF_KIND[one["kind"]], *expected} - {"night"}:
        right = expected.get(name)
        told = getattr(frame, name)
        if name in ("started_at", "ended_at") and right is not None:
            assert told is not None
            assert abs((told - right).total_seconds()) < 2 * THOUSANDTH, (name, told)
        else:
            assert told == (pytest.approx(right, abs=THOUSANDTH) if isinstance(right, float) else right), name
    if "night" in expected or frame.started_at is None:
        assert frame.night == expected.get("night")
    if warning := one.get("warning"):
        assert any(warning in said for said in frame.warnings), frame.warnings
    else:
        assert frame.warnings == ()


def test_every_kind_has_three_sources_and_one_that_cannot_be_known() -> None:
    sources, unknown = defaultdict(set), defaultdict(int)
    for one in SPELLINGS:
        if one["source"] != "reported":
            sources[one["kind"]].add(one["source"])
        unknown[one["kind"]] += "warning" in one
    assert sources.keys() == OF_KIND.keys()
    assert all(len(found) >= 3 for found in sources.values()), sources
    assert all(unknown[kind] for kind in OF_KIND)
