"""Events of nights and of the Moon as clients of Photon Ranch ask for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from armillary.sites.service import put_config
from tests.support.running import Running
from tests.support.sites import a_wema, an_observatory, sent
from tests.unit.sites.almanac.test_events import EXAMPLE, SUN_NAMES

NULLS = "X-Armillary-Events-Null"
NO_SITE = {"error": "Missing 'site' query string request parameter."}
UNKNOWN = {"error": "The specified sitecode did not match any config file."}
NO_PLACE = {
    "error": "Site config missing required parameters. Please ensure it includes latitude, longitude, elevation, "
    "reference_ambient, reference_pressure, and TZ_database_name."
}
BAD_MOMENTS = "Error with format of start/end times. Format should be like: '2020-12-31T01:00:00Z. "
MOON = {"lat": "34", "lng": "-119", "start": "2020-10-02T02:00:00Z", "end": "2020-10-02T15:00:00Z"}
WHEN = 1596308460
SITES: dict[str, dict[str, Any]] = {
    "ev-wema": a_wema(wema_name="ev-wema", latitude=34, longitude=-119),
    "ev-text": a_wema(latitude="34.0", longitude="-119", elevation="317.75", reference_ambient="10"),
    "ev-list": a_wema(latitude=[34], longitude=["-119"], elevation=[317], reference_pressure=[980.0]),
    "ev-obs": an_observatory(wema_name="ev-wema"),
    "ev-orphan": an_observatory(wema_name="ev-nobody"),
    "ev-self": an_observatory(wema_name="ev-self"),
    "ev-zone": a_wema(TZ_database_name="Mars/Olympus"),
    "ev-north": a_wema(latitude=78.22, longitude=15.65, TZ_database_name="Arctic/Longyearbyen"),
    "ev-pole": a_wema(latitude=-90, longitude=0, TZ_database_name="Antarctica/South_Pole"),
    "ev-nowhere": a_wema(latitude=91),
}


@pytest.fixture(scope="module")
def ranch(server: Running) -> Iterator[httpx.Client]:
    """Return a client of a server that knows these sites."""
    for name, config in SITES.items():
        server.act(
            lambda context, name=name, config=config: put_config(context, name, sent(config), actor="test")
        )
    with server.client() as client:
        yield client


def ask(client: httpx.Client, **parameters: Any) -> httpx.Response:
    return client.get("/api/events", params=parameters)


def test_the_worked_example(ranch: httpx.Client) -> None:
    reply = ask(ranch, site="ev-wema", when=WHEN)
    found = reply.json()
    assert reply.status_code == 200
    assert list(found) == list(EXAMPLE)
    assert {name: value - 2459063 for name, value in found.items()} == pytest.approx(EXAMPLE, abs=1e-7)
    assert NULLS not in reply.headers
    assert reply.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("site", ["ev-text", "ev-list", "ev-obs"])
def test_scalars_texts_lists_and_inherited_values_are_alike(ranch: httpx.Client, site: str) -> None:
    assert ask(ranch, site=site, when=WHEN).json() == ask(ranch, site="ev-wema", when=WHEN).json()


@pytest.mark.parametrize("path", ["/events", "/api/events/", "//dev//events"])
def test_parameters_come_in_the_query_or_a_body_of_json(ranch: httpx.Client, path: str) -> None:
    asked = {"site": "ev-wema", "when": "2020-08-01T19:01:00Z"}
    body = json.dumps(asked | {"when": 0}).encode()
    whole = ask(ranch, **asked).json()
    assert ranch.get(f"{ranch.base_url}{path}", params=asked).json() == whole
    mixed = ranch.request("GET", f"{ranch.base_url}{path}", params={"when": WHEN}, content=body)
    assert mixed.json() == whole


def test_now_is_the_default(ranch: httpx.Client) -> None:
    assert "Sun Set" in ask(ranch, site="ev-wema").json()


def test_a_site_must_be_named(ranch: httpx.Client) -> None:
    for reply in (ask(ranch), ask(ranch, site=""), ranch.request("GET", "/events", content=b"{broken")):
        assert (reply.status_code, reply.json()) == (400, NO_SITE)


@pytest.mark.parametrize(
    ("site", "text"),
    [
        ("ev-unknown", UNKNOWN),
        ("..", UNKNOWN),
        ("a/b", UNKNOWN),
        ("ev-orphan", NO_PLACE),
        ("ev-self", NO_PLACE),
        ("ev-nowhere", NO_PLACE),
        ("ev-zone", {"error": "Invalid timezone name from site config: 'Mars/Olympus'"}),
    ],
)
def test_errors_of_configurations_are_told_as_ever(
    ranch: httpx.Client, site: str, text: dict[str, str]
) -> None:
    reply = ask(ranch, site=site)
    assert (reply.status_code, reply.json()) == (500, text)


@pytest.mark.parametrize("when", ["noon", "nan", "1e300", "1899-12-31", "2053-12-01", "-1e18", "2020-02-30"])
def test_a_bad_time_is_400(ranch: httpx.Client, when: str) -> None:
    reply = ask(ranch, site="ev-wema", when=when)
    assert reply.status_code == 400
    assert list(reply.json()) == ["error"]


def test_what_does_not_occur_is_null_and_the_header_says_why(ranch: httpx.Client) -> None:
    reply = ask(ranch, site="ev-north", when="2025-06-21")
    found = reply.json()
    assert [name for name in found if not name.startswith("Moon")] == SUN_NAMES
    told = dict(part.strip().split("=") for part in reply.headers[NULLS].split(","))
    assert {unquote(name) for name in told} == {name for name, value in found.items() if value is None}
    assert set(told.values()) == {"sun-stays-above"}
    assert "Cool%20Down%2C%20Open" in told
    winter = ask(ranch, site="ev-north", when="2025-12-21")
    assert "Sun%20Set=sun-stays-below" in winter.headers[NULLS]
    assert winter.json()["Naut Dusk"] is not None


@pytest.mark.parametrize("when", ["2025-01-01", "2025-03-20", "2025-06-21", "2025-09-22"])
def test_the_pole_is_200(ranch: httpx.Client, when: str) -> None:
    assert ask(ranch, site="ev-pole", when=when).status_code == 200


def test_detail_is_the_native_answer(ranch: httpx.Client) -> None:
    asked = {"site": "ev-wema", "when": str(WHEN)}
    assert ask(ranch, **asked, detail=1).json() == ranch.get("/v1/events", params=asked).json()


def test_the_worked_example_of_the_moon(ranch: httpx.Client) -> None:
    (found,) = ranch.get("/api/events/moon/rise-set-illum", params=MOON).json()
    assert list(found) == ["illumination", "rise", "set", "transit"]
    assert found["illumination"] == pytest.approx(0.9964145, abs=1e-3)
    assert (found["rise"], found["set"]) == ("2020-10-02T02:02:06Z", "2020-10-02T14:27:16Z")
    assert found["transit"] in ("2020-10-02T08:11:08Z", "2020-10-02T08:11:09Z")
    by_body = ranch.request("GET", "/events/moon/rise-set-illum/", content=json.dumps(MOON | {"lat": 34}))
    assert by_body.json() == [found]


@pytest.mark.parametrize(
    "change",
    [
        {"start": ""},
        {"end": "tomorrow"},
        {"start": "2020-10-02"},
        {"end": "2020-10-01T15:00:00Z"},
        {"start": "1850-01-01T00:00:00Z", "end": "1850-01-02T00:00:00Z"},
        {"end": None},
    ],
)
def test_bad_times_of_the_moon_are_404(ranch: httpx.Client, change: dict[str, Any]) -> None:
    asked = {key: value for key, value in (MOON | change).items() if value is not None}
    reply = ranch.get("/events/moon/rise-set-illum", params=asked)
    assert (reply.status_code, reply.text) == (404, BAD_MOMENTS)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lat": ""}, "lat"),
        ({"lng": "west"}, "lng"),
        ({"lat": "nan"}, "lat"),
        ({"lat": "91"}, "lat"),
        ({"lng": "400"}, "lng"),
        ({"end": "2021-12-02T15:00:00Z"}, "start and end"),
    ],
)
def test_bad_places_and_long_spans_are_400(ranch: httpx.Client, change: dict[str, Any], named: str) -> None:
    reply = ranch.get("/events/moon/rise-set-illum", params=MOON | change)
    assert reply.status_code == 400
    assert named in reply.text


def test_without_a_passage_the_list_is_empty(ranch: httpx.Client) -> None:
    assert ranch.get("/events/moon/rise-set-illum", params=MOON | {"end": MOON["start"]}).json() == []
