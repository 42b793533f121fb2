"""Frames of headers typed by hand after those of real instruments, so that every clone tests every profile.

That they parse as astropy parses them is tested with the other headers, in the corpus of `fits`.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.fields import UNTOLD
from armillary.archive.intake.profiles import load_profiles
from tests.support.frames import frame_from, headers_of_text, raw_of_text
from tests.support.realdata import TYPED_HEADERS, typed_headers

EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((TYPED_HEADERS / "expected.toml").read_text())
SOURCE = re.compile(r"^\| `(\w+)` \|(?: *\S[^|]*\|){3}$", re.MULTILINE)
"""A row of the table of sources, none of its cells empty."""
ALWAYS = (
    "profile",
    "site",
    "telescope",
    "instrument",
    "night",
    "started_at",
    "exposure_s",
    "filter",
    "object",
    "program",
    "observation_id",
    "data_label",
    "observation_type",
    "qa_state",
    "release",
    "warnings",
)
"""Compared even where nothing is expected: then the frame must not tell them, either."""
MILLIARCSECOND = 1 / 3_600_000
ABOUT = ("exposure_s", "central_wavelength_um")
PROFILES = load_profiles()


@pytest.mark.parametrize("path", typed_headers(), ids=lambda path: path.stem)
def test_frame_of_a_typed_header(path: Path) -> None:
    expected = dict(EXPECTED[path.stem])
    frame = frame_from(
        *headers_of_text(path),
        filename=expected.pop("file", path.stem + ".fits"),
        profiles=PROFILES,
        raw=raw_of_text(path),
    )
    tolerance = expected.pop("within_arcsec", 0) / 3600 or MILLIARCSECOND
    for name in ("ra_deg", "dec_deg"):
        position = expected.pop(name, None)
        assert getattr(frame, name) == (position and pytest.approx(position, abs=tolerance))
    told = {name: getattr(frame, name) for name in {*ALWAYS, *expected}}
    right = {name: UNTOLD[name] for name in ALWAYS} | expected
    right["warnings"] = tuple(right["warnings"])
    assert told == {name: pytest.approx(v) if v and name in ABOUT else v for name, v in right.items()}


def test_every_typed_header_has_an_expectation_and_a_source() -> None:
    names = [path.stem for path in typed_headers()]
    assert sorted(EXPECTED) == names
    assert sorted(SOURCE.findall((TYPED_HEADERS / "SOURCES.md").read_text())) == names


def test_every_packaged_profile_has_a_typed_header() -> None:
    assert {profile.name for profile in PROFILES.ordered} == {one["profile"] for one in EXPECTED.values()}


@pytest.mark.parametrize("path", typed_headers(), ids=lambda path: path.stem)
def test_lines_are_cards(path: Path) -> None:
    lines = path.read_text("ascii").splitlines()
    assert lines[0] == "SIMPLE  =                    T"
    assert all(0 < len(line) <= 80 and line == line.rstrip() for line in lines)
