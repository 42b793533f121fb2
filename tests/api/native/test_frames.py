"""Searching frames by selections of the Gemini grammar, and being told how many there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.running import Running

RELEASE = (datetime.now(UTC).date() + timedelta(days=400)).isoformat()


def ask(server: Running, *, scope: Scope | None = None, **query: Any) -> httpx.Response:
    with server.client(scope=scope) as client:
        return client.get("/v1/frames", params=query)


def found(server: Running, **query: Any) -> dict[str, Any]:
    reply = ask(server, **query)
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def names(server: Running, **query: Any) -> set[str]:
    return {one["name"] for one in found(server, **query)["frames"]}


@pytest.fixture
def program(a_file: Maker, own_program: str) -> tuple[str, list[str]]:
    """Return a program of its own with three files, of 10, 20 and 30 seconds."""
    return own_program, [
        a_file(GEMPRGID=own_program, EXPTIME=seconds, RELEASE="2020-01-01") for seconds in (10, 20, 30)
    ]


def test_a_selection_finds_what_the_lists_find(server: Running, program: tuple[str, list[str]]) -> None:
    word, files = program
    selection = f"progid={word}/canonical/GMOS"
    assert names(server, selection=selection) == set(files)
    with server.client() as client:
        listed = client.get(f"/jsonfilenames/{selection}").json()
    assert {one["name"] for one in listed} == set(files)
    assert names(server, selection=f"{word}/present") == set(files)
    assert names(server, selection=f"{word}/notpresent") == set()
    assert names(server, selection=files[0]) == {files[0]}


def test_a_selection_holds_together_with_other_criteria(
    server: Running, program: tuple[str, list[str]]
) -> None:
    word, files = program
    assert names(server, selection=word, exposure_min_s=15) == set(files[1:])
    assert names(server, selection=f"{word}/exposure_time=15-25", exposure_min_s=15) == {files[1]}
    assert names(server, selection=word, keyword="EXPTIME<15") == {files[0]}
    assert names(server, selection=word, program="another") == set()


def test_exposures_are_found_by_an_interval(server: Running, program: tuple[str, list[str]]) -> None:
    word, files = program
    start = "2026-01-01T09:30"
    assert names(server, program=word, during=f"{start}:15Z/{start}:16Z") == set(files[1:])
    assert names(server, program=word, during=f"{start}:30Z/..") == set()
    assert names(server, program=word, during=f"../{start}:00.5") == set(files)
    refused = ask(server, program=word, during=start)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")
    assert "START/END" in refused.json()["detail"]


def test_the_latest_of_each_group_are_found(server: Running, a_file: Maker, own_program: str) -> None:
    made = [
        a_file(GEMPRGID=own_program, OBSTYPE=kind, UT=f"0{hour}:00:00", RELEASE="2020-01-01")
        for hour, kind in enumerate(("OBJECT", "FLAT", "OBJECT", "FLAT", "FLAT"))
    ]
    newest = {"program": own_program, "per": "observation_type", "total": "exact"}
    assert names(server, latest=1, **newest) == {made[2], made[4]}
    assert names(server, latest=2, **newest) == set(made) - {made[1]}
    first = found(server, latest=1, limit=1, **newest)
    assert ([one["name"] for one in first["frames"]], first["total"]) == ([made[4]], 2)
    second = found(server, latest=1, limit=1, cursor=first["cursor"], **newest)
    assert ([one["name"] for one in second["frames"]], second["cursor"]) == ([made[2]], None)
    refused = ask(server, latest=1, per="night")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")


def test_pages_of_a_selection_lead_through_all_of_it(server: Running, program: tuple[str, list[str]]) -> None:
    word, files = program
    seen, cursor = [], None
    while not seen or cursor:
        page = found(server, selection=word, limit=1, total="exact", **({"cursor": cursor} if cursor else {}))
        assert (page["total"], page["total_is"]) == (3, "exact")
        seen += [one["name"] for one in page["frames"]]
        cursor = page["cursor"]
    assert sorted(seen) == sorted(files)


@pytest.mark.parametrize(
    ("selection", "code", "named"),
    [
        ("Nonsense", "unknown_selector", "Nonsense"),
        ("GMOS-N/Passs", "unknown_selector", "Pass"),
        ("date=2026", "malformed_selector", "date"),
        ("ra=x/dec=1", "malformed_selector", "ra"),
        ("\x00", "bad_request", "characters"),
        ("/".join(["GMOS"] * 101), "bad_selection", "at most 100"),
    ],
)
def test_a_selection_that_is_not_understood_is_refused_by_name(
    server: Running, selection: str, code: str, named: str
) -> None:
    reply = ask(server, selection=selection)
    assert (reply.status_code, reply.json()["code"]) == (400, code), reply.text
    assert named in reply.json()["detail"]


def test_a_total_says_what_it_is(server: Running, program: tuple[str, list[str]]) -> None:
    word, _ = program
    assert "total" not in found(server, selection=word)
    assert "total_is" not in found(server, selection=word, total="none")
    estimate = found(server, selection=word, total="estimate")
    assert estimate["total_is"] == "estimate"
    assert isinstance(estimate["total"], int)
    assert found(server, selection=word, total="exact", limit=1)["total"] == 3
    assert ask(server, total="perhaps").status_code == 422


def test_totals_do_not_give_positions_away(server: Running, a_file: Maker) -> None:
    name = a_file(RA=201.5, DEC=-41.5, OBJECT="Hidden", RELEASE=RELEASE)
    server.edit(name, {"generic": {"PROP_MD": True}})
    questions: list[dict[str, Any]] = [
        {"cone": "201.5,-41.5,0.01"},
        {"selection": "ra=201.5/dec=-41.5/sr=10"},
        {"selection": "object=Hidden", "name": name},
        {"object": "Hidden", "name": name},
        {"keyword": "RA>201", "name": name},
    ]
    for question in questions:
        for how in ("estimate", "exact"):
            mine = ask(server, scope=Scope.READ, total=how, **question).json()
            theirs = found(server, total=how, **question)
            assert len(mine["frames"]) == 1, question
            assert theirs["frames"] == [], question
            if theirs["total_is"] == "exact":
                assert (mine["total"], theirs["total"]) == (1, 0), question
    assert found(server, total="estimate", cone="201.5,-41.5,0.01")["total_is"] == "exact"


def test_frames_are_found_by_what_could_not_be_read(server: Running, a_file: Maker, own_program: str) -> None:
    good = a_file(GEMPRGID=own_program, RELEASE="2020-01-01")
    doubtful = a_file(GEMPRGID=own_program, RELEASE="2020-01-01", AIRMASS="two")
    assert names(server, program=own_program, warnings=True) == {doubtful}
    assert names(server, program=own_program, warnings=False) == {good}
    assert names(server, program=own_program) == {good, doubtful}
