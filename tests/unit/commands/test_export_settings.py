"""Destinations are checked when the settings are read; secrets are named in them and never kept."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from armillary.exports.models import Cargo, date_of, path_there
from armillary.settings import DestinationSettings, ExportSettings, Settings

GOOD = {"name": "archive", "url": "https://archive.example.org"}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"name": "Archive"}, "name"),
        ({"name": "a:b"}, "name"),
        ({"url": "ftp://archive.example.org"}, "url"),
        ({"url": "https://user:word@archive.example.org"}, "url"),
        ({"url": "https://archive.example.org?x=1"}, "url"),
        ({"path": "{night}"}, "path"),
        ({"path": "{date"}, "path"),
        ({"path": "{}"}, "path"),
        ({"upload_secret": "the secret itself"}, "upload_secret"),
        ({"edit_secret": "file:"}, "edit_secret"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_bad_destination_is_refused(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as error:
        DestinationSettings.model_validate(GOOD | changes)
    assert [one["loc"] for one in error.value.errors()] == [(where,)]


def test_names_of_destinations_are_unique() -> None:
    with pytest.raises(ValidationError, match="two destinations are named 'archive'; give each its own name"):
        ExportSettings.model_validate({"destinations": [GOOD, GOOD]})


def test_destinations_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARMILLARY_EXPORTS__DESTINATIONS", json.dumps([GOOD]))
    monkeypatch.setenv("ARMILLARY_EXPORTS__AWAY_S", "7")
    exports = Settings().exports
    assert [one.name for one in exports.destinations] == ["archive"]
    assert (exports.away_s, exports.look_s, exports.pending_s) == (7.0, 10.0, 40.0)


@pytest.mark.parametrize(
    ("template", "cargo", "path"),
    [
        ("{path}", Cargo("a.fits", ""), ""),
        ("{path}", Cargo("a.fits", "raw/x"), "raw/x"),
        ("", Cargo("a.fits", "raw"), ""),
        ("/from/{path}/", Cargo("a.fits", ""), "from"),
        ("{date:%Y%m%d}/{path}", Cargo("N20260102S0001.fits", "raw"), "20260102/raw"),
        ("{date:%Y}", Cargo("a.fits", ""), "2025"),
    ],
)
def test_a_path_there_follows_its_template(template: str, cargo: Cargo, path: str) -> None:
    destination = DestinationSettings.model_validate(GOOD | {"path": template})
    assert path_there(destination, cargo, date(2025, 3, 4)) == path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("N20260102S0001.fits", date(2026, 1, 2)),
        ("SDCH_20260102_0001.fits", date(2026, 1, 2)),
        ("99999999_20260102.fits", date(2026, 1, 2)),
        ("120260102.fits", None),
        ("a.fits", None),
    ],
)
def test_dates_are_found_in_names(name: str, found: date | None) -> None:
    assert date_of(name) == found


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [("*", True), ("raw/*", True), ("N2026*", False), ("*/N2026*", True), ("raw/n*", False), ("raw", False)],
)
def test_a_pattern_is_about_path_and_name(pattern: str, fits: bool) -> None:
    assert Cargo("N20260102S0001.fits", "raw").fits(pattern) is fits
