"""The almanac of sites by the native routes: a night, a year, a schedule."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest

from armillary.sites.service import put_config
from tests.support.command import Commands
from tests.support.running import Running
from tests.support.sites import a_wema, an_observatory, sent
from tests.unit.sites.almanac.test_events import EXAMPLE

SITES: dict[str, dict[str, Any]] = {
    "al-wema": a_wema(wema_name="al-wema", latitude=34, longitude=-119),
    "al-obs": an_observatory(wema_name="al-wema", almanac={"sun_deg": -0.25}),
    "al-north": a_wema(latitude=78.22, longitude=15.65, TZ_database_name="Arctic/Longyearbyen"),
    "al-lost": an_observatory(wema_name="nobody"),
    "al-zone": a_wema(TZ_database_name="Nowhere"),
}


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[httpx.Client]:
    """Return a client of a server that knows these sites; it holds answers against their documentation."""
    for name, config in SITES.items():
        server.act(
            lambda context, name=name, config=config: put_config(context, name, sent(config), actor="test")
        )
    with server.client() as one:
        yield one


def test_a_night_has_events_in_three_forms_of_time(client: httpx.Client) -> None:
    found = client.get("/v1/events", params={"site": "al-wema", "when": 1596308460}).json()
    assert (found["site"], found["night"]) == ("al-wema", "2020-08-01")
    assert (found["start"], found["end"]) == ("2020-08-01T19:00:00Z", "2020-08-02T19:00:00Z")
    assert [one["name"] for one in found["events"]] == list(EXAMPLE)
    for one in found["events"]:
        assert one["tai_jd"] - 2459063 == pytest.approx(EXAMPLE[one["name"]], abs=1e-7)
        assert (one["tai_jd"] - 2440587.5) * 86_400 - 37 == pytest.approx(one["unix"], abs=1e-3)
        assert datetime.fromisoformat(one["utc"]).timestamp() == pytest.approx(one["unix"], abs=6e-4)
        assert one["reason"] is None
    assert found["almanac"]["sun"]["set"] == "2020-08-02T02:56:11.941Z"
    by_date = client.get("/v1/events", params={"site": "al-wema", "night": "2020-08-01"}).json()
    assert by_date == found


def test_a_site_may_set_the_angles_of_its_almanac(client: httpx.Client) -> None:
    found = client.get("/v1/events", params={"site": "al-obs", "night": "2020-08-01"}).json()
    sunset = next(one["utc"] for one in found["events"] if one["name"] == "Sun Set")
    assert found["almanac"]["sun"]["set"] == sunset
    assert found["almanac"]["sun"]["altitude_deg"] == -0.25


def test_events_that_do_not_occur_have_reasons(client: httpx.Client) -> None:
    found = client.get("/v1/events", params={"site": "al-north", "night": "2025-06-21"}).json()
    sunset = next(one for one in found["events"] if one["name"] == "Sun Set")
    assert sunset == {
        "name": "Sun Set",
        "tai_jd": None,
        "utc": None,
        "unix": None,
        "reason": "sun-stays-above",
    }
    assert found["almanac"]["sun"]["missing"]["set"] == "sun-stays-above"


def test_a_year_is_a_table_of_its_nights(client: httpx.Client) -> None:
    asked = {"site": "al-wema", "year": 2025}
    found = client.get("/v1/events/year", params=asked).json()
    nights = found["nights"]
    assert (found["zone"], len(nights)) == ("America/Los_Angeles", 365)
    hours = [
        (datetime.fromisoformat(one["end"]) - datetime.fromisoformat(one["start"])) / timedelta(hours=1)
        for one in nights
    ]
    assert (hours.count(23), hours.count(25), hours.count(24)) == (1, 1, 363)
    first = date.fromisoformat(nights[0]["night"])
    assert [one["night"] for one in nights] == [str(first + timedelta(days=k)) for k in range(365)]
    one = client.get("/v1/events", params={"site": "al-wema", "night": "2025-03-08"}).json()
    (row,) = (night for night in nights if night["night"] == "2025-03-08")
    for event in one["events"]:
        there, here = (datetime.fromisoformat(text) for text in (event["utc"], row["events"][event["name"]]))
        assert abs(there - here) <= timedelta(milliseconds=2)


def test_the_table_of_a_year_as_csv(client: httpx.Client) -> None:
    asked = {"site": "al-north", "year": 2025}
    reply = client.get("/v1/events/year", params=asked | {"format": "csv"})
    assert reply.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    nights = client.get("/v1/events/year", params=asked).json()["nights"]
    assert [row["night"] for row in rows] == [one["night"] for one in nights]
    for row, one in zip(rows, nights, strict=True):
        assert {name: row[name] or None for name in one["events"]} == one["events"]
        assert set(one["missing"]) <= {name for name, value in one["events"].items() if value is None}


def test_this_year_is_the_default(client: httpx.Client) -> None:
    found = client.get("/v1/events/year", params={"site": "al-wema"}).json()
    assert len(found["nights"]) in (365, 366)


def test_a_schedule_names_its_scale(client: httpx.Client) -> None:
    found = client.get("/v1/al-wema/site-schedule").json()
    assert found["scale"] == "UTC Dublin Julian Day (JD - 2415020)"
    assert len(found["schedule"]["day_directory"]) == 8
    assert isinstance(found["schedule"]["Sun Set"], float)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/events", 422, "invalid_parameter"),
        ("/v1/events?site=nowhere", 404, "unknown_site"),
        ("/v1/events?site=..", 400, "bad_site_name"),
        ("/v1/events?site=al-lost", 422, "place_missing"),
        ("/v1/events?site=al-zone", 422, "unknown_zone"),
        ("/v1/events?site=al-wema&when=noon", 400, "bad_instant"),
        ("/v1/events?site=al-wema&when=-1e11", 400, "outside_ephemeris"),
        ("/v1/events?site=al-wema&night=2053-10-02", 400, "outside_ephemeris"),
        ("/v1/events?site=al-wema&night=2025-01-01&when=0", 400, "bad_request"),
        ("/v1/events/year?site=al-wema&year=1899", 400, "outside_ephemeris"),
        ("/v1/events/year?site=al-wema&year=99999999999999999999", 400, "outside_ephemeris"),
        ("/v1/events/year?site=al-wema&format=xml", 422, "invalid_parameter"),
        ("/v1/nowhere/site-schedule", 404, "unknown_site"),
        ("/v1/a%00b/site-schedule", 400, "bad_site_name"),
    ],
)
def test_what_cannot_be_told_says_why(client: httpx.Client, path: str, status: int, code: str) -> None:
    reply = client.get(path)
    assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_the_command_prints_a_night_and_a_year(server: Running, client: httpx.Client) -> None:
    armillary = Commands(server.settings.data)
    night = client.get("/v1/events", params={"site": "al-wema", "night": "2020-08-01"}).json()
    asked = ("sites", "events", "al-wema", "--night", "2020-08-01")
    assert armillary.run(*asked, "--json").json() == night
    lines = armillary.run(*asked).out.splitlines()[1:]
    assert [line.split("  ")[0] for line in lines] == list(EXAMPLE)
    assert all(one["utc"] in line for one, line in zip(night["events"], lines, strict=True))
    table = client.get("/v1/events/year", params={"site": "al-wema", "year": 2025, "format": "csv"}).text
    assert armillary.run("sites", "events", "al-wema", "--year", "2025").out == table
    lost = armillary.run("sites", "events", "al-lost", code=1)
    assert "TZ_database_name" in lost.err
