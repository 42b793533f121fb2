"""How many frames nights have, and what lies beside a frame, as programs ask for it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.running import Running


def ask(server: Running, path: str, *, scope: Scope | None = None, **query: Any) -> httpx.Response:
    with server.client(scope=scope) as client:
        return client.get(path, params=query)


@pytest.fixture
def program(a_file: Maker, own_program: str) -> str:
    """Return a program of its own with two frames of one night and one of another."""
    for day, time in (("2031-03-01", "09:00:00"), ("2031-03-01", "09:30:00"), ("2031-03-03", "09:00:00")):
        a_file(**{"GEMPRGID": own_program, "DATE-OBS": day, "UT": time, "RELEASE": "2020-01-01"})
    return own_program


def test_nights_are_counted_with_the_criteria_of_searches(server: Running, program: str) -> None:
    found = ask(server, "/v1/nights", program=program).json()
    assert found == {
        "nights": [{"night": "2031-03-03", "frames": 1}, {"night": "2031-03-01", "frames": 2}],
        "frames": 3,
    }
    told = {"program": program, "by": ["observation_type", "instrument"]}
    apart = ask(server, "/v1/nights", **told, **{"from": "2031-03-02"}).json()
    assert apart["nights"] == [
        {"night": "2031-03-03", "frames": 1, "instrument": "GMOS-N", "observation_type": "OBJECT"}
    ]
    whole = ask(server, "/v1/nights", selection="GMOS-N", **{"from": "2031-03-01", "to": "2031-03-01"}).json()
    assert whole["frames"] >= 2
    assert ask(server, "/v1/nights", program=program, newest=1).json()["frames"] == 1


@pytest.mark.parametrize(
    "query", [{"by": "program"}, {"newest": 0}, {"from": "yesterday"}, {"instrment": "GMOS-N"}]
)
def test_what_cannot_be_asked_is_refused(server: Running, query: dict[str, Any]) -> None:
    reply = ask(server, "/v1/nights", **query)
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"


def test_neighbours_are_told_by_name(server: Running, program: str) -> None:
    frames = ask(server, "/v1/frames", program=program).json()["frames"]
    late, early = (one for one in frames if one["night"] == "2031-03-01")
    beside = ask(server, f"/v1/files/{early['name']}/neighbours").json()
    assert beside["next"]["started_at"] <= late["started_at"]
    assert ask(server, "/v1/files/none.fits/neighbours").status_code == 404


def test_a_quick_total_says_what_it_is(server: Running, program: str) -> None:
    found = ask(server, "/v1/frames", selection="GMOS-N", limit=1, total="quick").json()
    assert found["total_is"] == "exact"
    assert found["total"] >= 3
    scanned = ask(server, "/v1/frames", program=program, limit=2, total="quick").json()
    # However busy the machine is: what is shown counts in any case.
    assert scanned["total_is"] in ("exact", "at_least")
    assert scanned["total"] in (2, 3)


def test_the_history_of_the_status_is_for_administrators(server: Running) -> None:
    assert ask(server, "/v1/status/history").status_code == 401
    assert ask(server, "/v1/status/history", scope=Scope.READ).status_code == 403
    reply = ask(server, "/v1/status/history", scope=Scope.ADMIN, hours=1)
    assert reply.status_code == 200
    assert reply.headers["cache-control"] == "no-store"
    told = reply.json()
    assert {len(told[name]) for name in ("at", "workers", "waiting", "events_per_min")} == {len(told["at"])}
    assert ask(server, "/v1/status/history", scope=Scope.ADMIN, hours=0).status_code == 422
