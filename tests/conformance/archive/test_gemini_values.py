"""Values of Gemini's instruments that clients select by, and the selectors that find them."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.intake.profiles import load_profiles
from armillary.archive.query.grammar import parse
from armillary.archive.query.models import Among, Component
from tests.support.frames import frame_from

VALUES: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[2] / "data" / "gemini_values.toml").read_text()
)["value"]
SELECTORS = {
    "readspeed_setting": "{}",
    "readmode_setting": "{}",
    "welldepth_setting": "{}",
    "camera": "camera={}",
    "disperser": "disperser={}",
    "focal_plane_mask": "mask={}",
}
PROFILES = load_profiles()
SHARED = {"TELESCOP": "Gemini-South", "OBSTYPE": "OBJECT"}


@pytest.mark.parametrize("one", VALUES, ids=lambda one: one["source"][:60])
def test_values_are_those_of_the_archive_at_gemini(one: dict[str, Any]) -> None:
    headers = [SHARED | one["cards"], one.get("table", {})]
    frame = frame_from(*headers, profiles=PROFILES)
    for name, value in one["frame"].items():
        assert getattr(frame, name) == (pytest.approx(value) if isinstance(value, float) else value), name
    assert [name for name in one.get("none", ()) if getattr(frame, name) is not None] == []


@pytest.mark.parametrize(
    ("field", "value"),
    sorted(
        {(f, v) for one in VALUES for f, v in one["frame"].items() if f in SELECTORS and "/" not in str(v)}
    ),
)
def test_every_such_value_has_a_selector_that_finds_it(field: str, value: str) -> None:
    (term,) = parse([SELECTORS[field].format(value)], today=date(2026, 1, 1), summit=False).terms
    match term:
        case Among(name, values):
            assert (name, value in values) == (field, True)
        case Component(name, part):
            assert (name, part) == (field, value)
        case _:
            pytest.fail(f"another term: {term}")
