"""Frames of typed headers beside what astro_metadata_translator makes of them.

The package ships no headers, so those of its instruments are our own. Every difference is explained in
``tests/data/translator.toml``, and an explanation without a difference is wrong.
"""

from __future__ import annotations

import logging
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.intake.profiles import load_profiles
from armillary.fits.models import Value
from tests.support.frames import Frame, frame_from, headers_of_text, raw_of_text
from tests.support.realdata import TYPED_HEADERS

DATA = Path(__file__).parents[2] / "data" / "translator.toml"
TABLE: dict[str, Any] = tomllib.loads(DATA.read_text())
PROPERTIES = {
    "started_at": "datetime_begin",
    "ended_at": "datetime_end",
    "exposure_s": "exposure_time",
    "filter": "physical_filter",
    "object": "object",
    "ra_deg": "tracking_radec",
    "dec_deg": "tracking_radec",
    "airmass": "boresight_airmass",
    "azimuth_deg": "altaz_begin",
    "elevation_deg": "altaz_begin",
    "observation_type": "observation_type",
    "program": "science_program",
    "telescope": "telescope",
    "instrument": "instrument",
    "night": "observing_day",
}
"""Fields of frames, and what the translator calls them."""
NEAR = {"ra_deg": 1 / 3600, "dec_deg": 1 / 3600, "exposure_s": 1e-6, "airmass": 1e-6}
PROFILES = load_profiles()


def translated(headers: list[dict[str, Value]], filename: str) -> dict[str, Any]:
    """Return what the translator says, in our words and units."""
    merged: dict[str, Value] = {}
    for header in headers:
        for keyword, value in header.items():
            if value is not None:
                merged.setdefault(keyword, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from astro_metadata_translator import ObservationInfo

        info = ObservationInfo(
            merged, filename=filename, pedantic=False, subset=set(PROPERTIES.values()), quiet=True
        )
        return {field: _plain(field, getattr(info, name)) for field, name in PROPERTIES.items()}


def _plain(field: str, value: Any) -> Any:
    if value is None:
        return None
    match field:
        case "started_at" | "ended_at":
            return value.utc.to_datetime()
        case "exposure_s":
            return value.to_value("s")
        case "ra_deg":
            return value.icrs.ra.deg
        case "dec_deg":
            return value.icrs.dec.deg
        case "azimuth_deg":
            return value.az.deg
        case "elevation_deg":
            return value.alt.deg
        case "night":
            return f"{value // 10000}-{value // 100 % 100:02d}-{value % 100:02d}"
    return value


def differences(ours: Frame, theirs: dict[str, Any]) -> Iterator[str]:
    for field, value in theirs.items():
        told = getattr(ours, field)
        if field in ("started_at", "ended_at") and told is not None and value is not None:
            if abs((told.replace(tzinfo=None) - value).total_seconds()) > 0.001:
                yield field
        elif isinstance(value, float) and isinstance(told, float):
            if told != pytest.approx(value, abs=NEAR.get(field, 1e-4)):
                yield field
        elif (str(told) if field == "night" else told) != value:
            yield field


@pytest.mark.peer
@pytest.mark.parametrize("name", TABLE["compared"])
def test_every_difference_from_the_translator_is_explained(name: str) -> None:
    logging.getLogger("astro_metadata_translator").setLevel(logging.ERROR)
    path = TYPED_HEADERS / f"{name}.header"
    headers = headers_of_text(path)
    frame = frame_from(*headers, filename=path.name, profiles=PROFILES, raw=raw_of_text(path))
    explained = {one["field"] for one in TABLE["difference"] if one["header"] == name}
    assert set(differences(frame, translated(headers, path.name))) == explained


def test_every_explanation_has_a_header_a_field_and_a_reason() -> None:
    assert all(one["header"] in TABLE["compared"] for one in TABLE["difference"])
    assert all(one["field"] in PROPERTIES and len(one["reason"]) > 20 for one in TABLE["difference"])
