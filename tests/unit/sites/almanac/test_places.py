"""Where a site is, however its configuration and that of its WEMA write it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.sites.almanac.errors import PlaceMissing, UnknownZone
from armillary.sites.almanac.models import Adjustments, SitePlace
from armillary.sites.almanac.places import place_of

PLAIN: dict[str, Any] = {"latitude": 34.5, "longitude": -119.25, "TZ_database_name": "America/Los_Angeles"}
PLACE = SitePlace("saf", 34.5, -119.25, "America/Los_Angeles")


@pytest.mark.parametrize(
    "own",
    [
        PLAIN,
        {"latitude": "34.5", "longitude": " -119.25 ", "TZ_database_name": "America/Los_Angeles"},
        {"latitude": [34.5, 1], "longitude": ["-119.25"], "TZ_database_name": ["America/Los_Angeles"]},
        PLAIN | {"elevation": None, "reference_ambient": [], "reference_pressure": "high"},
        PLAIN | {"elevation": 1e300, "almanac": [1]},
    ],
)
def test_numbers_texts_and_lists_are_alike(own: dict[str, Any]) -> None:
    assert place_of("saf", own) == PLACE


@pytest.mark.parametrize("lacking", [*PLAIN])
@pytest.mark.parametrize("how", ["absent", "null", "empty"])
def test_what_is_lacking_comes_from_the_wema(lacking: str, how: str) -> None:
    values = {"absent": {}, "null": {lacking: None}, "empty": {lacking: ""}}
    own = {key: value for key, value in PLAIN.items() if key != lacking} | values[how]
    wema = PLAIN | {key: [1, "UTC"] for key in PLAIN if key != lacking} | {"elevation": ["2200.5"]}
    found = place_of("saf", own, wema)
    assert (found.latitude_deg, found.longitude_deg, found.zone) == (34.5, -119.25, "America/Los_Angeles")
    assert found.elevation_m == 2200.5
    with pytest.raises(PlaceMissing):
        place_of("saf", own)


@pytest.mark.parametrize(
    "wrong",
    [
        {"latitude": "north"},
        {"latitude": 90.001},
        {"latitude": float("nan")},
        {"latitude": True},
        {"latitude": {}},
        {"latitude": 10**400},
        {"longitude": -181},
        {"longitude": [[1]]},
    ],
)
def test_what_is_no_position_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(PlaceMissing):
        place_of("saf", PLAIN | wrong)


@pytest.mark.parametrize(
    "zone",
    ["Mars/Olympus", "America", "../etc/passwd", "a\0b", "/etc/localtime", 5, {"a": 1}, "\ud800", "x" * 9999],
)
def test_what_is_no_zone_is_named(zone: Any) -> None:
    with pytest.raises(UnknownZone) as caught:
        place_of("saf", PLAIN | {"TZ_database_name": zone})
    assert caught.value.zone == str(zone)[:100]


def test_angles_may_be_set() -> None:
    own = PLAIN | {"almanac": {"sun_deg": "-0.9", "moon_deg": 99, "dip": True, "other": 1}}
    assert place_of("saf", own).adjustments == Adjustments(sun_deg=-0.9, dip=True)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
keys = st.sampled_from([*PLAIN, "elevation", "reference_ambient", "eve_cool_down_open", "almanac"])


@given(st.dictionaries(keys, values), st.none() | st.dictionaries(keys, values))
def test_any_configuration_gives_a_place_or_one_of_two_errors(
    own: dict[str, Any], wema: dict[str, Any]
) -> None:
    try:
        found = place_of("saf", PLAIN | own, wema)
    except (PlaceMissing, UnknownZone):
        return
    assert -90 <= found.latitude_deg <= 90
    assert -500 <= found.elevation_m <= 9000
