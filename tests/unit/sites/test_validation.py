"""Faults of configurations, by kind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from armillary.sites.differences import differences
from armillary.sites.models import RESERVED, is_site
from armillary.sites.validation import MOST, warnings_of
from tests.support.sites import a_wema, an_observatory
from tests.unit.sites.test_contents import OBJECTS


def test_good_configurations_have_no_faults() -> None:
    assert warnings_of("mrc", a_wema(obsp_ids=["mrc1"]), {"mrc", "mrc1"}) == []
    assert warnings_of("mrc1", an_observatory(), {"mrc", "mrc1"}) == []
    lists = a_wema(
        elevation=[317.0, 1.0], reference_ambient="10", reference_pressure=[980], longitude="-119.7"
    )
    assert warnings_of("mrc", lists, {"mrc"}) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"latitude": 95}, "latitude: 95 is not from -90 to 90 degrees"),
        ({"latitude": "north"}, "latitude: 'north' is no number"),
        ({"latitude": True}, "latitude: True is no number"),
        ({"latitude": [1.0]}, "latitude: a list is no number"),
        ({"latitude": "nan"}, "latitude: 'nan' is not from -90 to 90 degrees"),
        ({"longitude": 10**400}, "is no number"),
        ({"longitude": -181}, "longitude: -181 is not from -180 to 360"),
        ({"elevation": [9999]}, "elevation: a list is not from -500 to 9000 m"),
        ({"elevation": []}, "elevation: a list is no number"),
        ({"TZ_database_name": "Mars/Olympus"}, "TZ_database_name: 'Mars/Olympus' is no name of a time zone"),
        ({"TZ_database_name": "../etc/passwd"}, "is no name of a time zone"),
        ({"TZ_database_name": None}, "TZ_database_name: None is no name"),
        ({"instance_type": "dome"}, "instance_type: 'dome' is neither 'wema' nor 'obs'"),
        ({"instance_type": {}}, "instance_type: a value of several is neither"),
        ({"wema_name": 5}, "wema_name: 5 is no text"),
        ({"wema_name": "other"}, "wema_name: 'other' has no configuration"),
        ({"obsp_ids": "mrc1"}, "obsp_ids: 'mrc1' is no list of texts"),
        ({"obsp_ids": ["gone"]}, "obsp_ids: 'gone' has no configuration"),
        ({"events": 5}, "events: 5 is no object"),
        ({"events": {"Sun\x00": []}}, r"events: 'Sun\x00': a list is neither a number nor a text"),
    ],
)
def test_faults_name_the_key_and_the_value(changes: dict[str, Any], said: str) -> None:
    found = warnings_of("mrc", a_wema(**changes), {"mrc"})
    assert any(said in one for one in found), found
    assert all("\x00" not in one for one in found)


def test_what_a_kind_needs_is_missed() -> None:
    missing = ["wema_name", "latitude", "longitude", "TZ_database_name"]
    assert warnings_of("mrc", {"instance_type": "wema"}, set()) == [f"{key}: is missing" for key in missing]
    assert warnings_of("mrc1", {"instance_type": "obs"}, set()) == [
        "wema_name: is missing",
        "obs_id: is missing",
    ]
    assert warnings_of("other", an_observatory(), {"mrc"}) == ["obs_id: 'mrc1' is another site than 'other'"]


def test_very_many_faults_are_counted() -> None:
    found = warnings_of("mrc", a_wema(obsp_ids=[f"s{n}" for n in range(MOST + 7)]), {"mrc"})
    assert (len(found), found[-1]) == (MOST + 1, "and 7 more")


@given(OBJECTS)
def test_nothing_is_too_strange_to_be_judged(value: dict[str, Any]) -> None:
    for kind in ("wema", "obs"):
        found = warnings_of(
            "mrc", value | {"instance_type": kind, "events": value, "obsp_ids": [value]}, set()
        )
        assert all("\x00" not in one for one in found)


@given(OBJECTS, OBJECTS)
def test_there_are_differences_if_and_only_if_something_differs(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert differences(old, old) == []
    back = [(one.path, one.new, one.old) for one in differences(new, old)]
    assert [(one.path, one.old, one.new) for one in differences(old, new)] == back
    if old != new:
        assert back


def test_reserved_names_are_names() -> None:
    assert all(is_site(name) for name in RESERVED)
    assert not any(is_site(name) for name in ("..", "a/b", "", "ä", "a" * 33))
