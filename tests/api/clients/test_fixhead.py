"""The conversations of fixHead 0.7, the tool of observers at the telescopes.

It speaks through python-requests: ``GET /jsonfilenames/present/obsid=...`` without a cookie, or names that it
makes from a date and numbers; then one POST of the new form with ``batch`` false and ``reject_new`` unless run
with ``-y``. Values of keywords are always strings. Of a reply it reads the status 403 and, of each element,
``result``, ``id`` and ``error``. Without a cookie in its environment it sends an empty one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from armillary.access.models import Scope
from tests.api.clients.wire import Reply, Wire, requests_get, requests_post_json
from tests.api.conftest import Maker
from tests.support.night import gemini_file, write_as
from tests.support.running import COOKIE, WAIT_S, Running

NO_COOKIE = (
    b'{ "error": "This resource can only be accessed by providing a valid magic cookie, '
    b'which this request did not." }'
)


class FixHead:
    """What the tool sends, given what was typed."""

    def __init__(self, server: Running, wire: Wire, cookie: str) -> None:
        self.server, self.wire = server, wire
        self.cookies = {COOKIE: cookie}

    def files_of(self, observation: str) -> list[str]:
        """Return the files of an observation, as ``fixHead obsid`` asks for them."""
        reply = requests_get(self.wire, f"/jsonfilenames/present/obsid={observation}")
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
        return [one["name"] for one in reply.json]

    def change(self, names: list[str], values: dict[str, Any], *, sure: bool = False) -> Reply:
        """Post the one request that changes all files."""
        items = [{"filename": name, "values": values, "reject_new": not sure} for name in names]
        content = {"request": items, "batch": False}
        return requests_post_json(self.wire, "/update_headers", content, self.cookies)

    def landed(self, reply: Reply) -> list[dict[str, Any]]:
        """Return what became of each item."""
        with self.server.client(scope=Scope.EDIT) as client:
            document = client.get(reply.headers["location"], params={"wait": WAIT_S}).json()
        assert document["done"]
        return list(document["items"])


@pytest.fixture
def fixhead(server: Running) -> Iterator[FixHead]:
    with Wire(server) as wire:
        yield FixHead(server, wire, server.secret(Scope.EDIT))


def modified(*names: str) -> bytes:
    """Return the body that tells of changes accepted."""
    return ("[" + ", ".join(f'{{"result": true, "id": "{name}"}}' for name in names) + "]").encode()


def refused(name: str, error: str) -> bytes:
    """Return the body that tells why one change was not."""
    return f'[{{"result": false, "error": "{error}", "id": "{name}"}}]'.encode()


def test_an_observation_is_listed_and_changed_over_one_connection(fixhead: FixHead, a_file: Maker) -> None:
    observation = "GN-2026A-Q-301-4"
    cards = {"OBSID": observation, "RAWIQ": "Any", "RAWCC": "Any", "RAWWV": "Any"}
    names = [a_file(**cards), a_file(container=".bz2", **cards)]
    listed = requests_get(fixhead.wire, f"/jsonfilenames/present/obsid={observation}")
    assert listed.body == f'[{{"name": "{names[0]}"}}, {{"name": "{names[1]}"}}]'.encode()
    values = {"qa_state": "usable", "raw_site": ["iqany", "cc50"], "generic": [["RAWWV", "80-percentile"]]}
    reply = fixhead.change(fixhead.files_of(observation), values)
    assert (reply.status, reply.body) == (200, modified(*names))
    for item in fixhead.landed(reply):
        assert item["state"] == "completed"
        assert {c["keyword"]: c["new"] for c in item["changes"]} == {
            "RAWPIREQ": "NO",
            "RAWCC": "50-percentile",
            "RAWWV": "80-percentile",
        }


def test_numbers_of_a_night_become_names_whether_the_files_exist_or_not(
    fixhead: FixHead, a_file: Maker
) -> None:
    name = a_file()
    absent = f"N20260101S{9_000:04d}.fits"
    reply = fixhead.change([name, absent], {"qa_state": "pass"})
    assert (reply.status, reply.body) == (
        200,
        f'[{{"result": true, "id": "{name}"}}, {{"result": false, '
        f'"error": "No present file found for filename or datalabel", "id": "{absent}"}}]'.encode(),
    )


def test_an_observation_without_files_is_an_empty_request(fixhead: FixHead) -> None:
    assert requests_get(fixhead.wire, "/jsonfilenames/present/obsid=GN-1999A-Q-1-1").body == b"[]"
    reply = fixhead.change([], {"qa_state": "pass"})
    assert (reply.status, reply.body) == (200, b"[]")


def test_a_misspelt_keyword_is_refused_until_the_observer_is_sure(fixhead: FixHead, a_file: Maker) -> None:
    name = a_file()
    values = {"generic": [["OBJCET", "M 2"]]}
    reply = fixhead.change([name], values)
    assert reply.body == refused(name, "Some of the keywords don't exist in the file: OBJCET")
    reply = fixhead.change([name], values, sure=True)
    assert reply.body == modified(name)
    (item,) = fixhead.landed(reply)
    assert item["changes"] == [
        {"extension": 0, "keyword": "OBJCET", "old": None, "new": "M 2", "created": True}
    ]


def test_numbers_of_the_command_line_stay_text(fixhead: FixHead, a_file: Maker) -> None:
    name = a_file(SSA="J. Smith", NCOADD="1")
    reply = fixhead.change([name], {"generic": [["SSA", "John Smith"], ["NCOADD", "2"]]})
    assert reply.body == modified(name)
    assert [(c["old"], c["new"]) for c in fixhead.landed(reply)[0]["changes"]] == [
        ("J. Smith", "John Smith"),
        ("1", "2"),
    ]


def test_a_release_date_is_set(fixhead: FixHead, a_file: Maker) -> None:
    name = a_file()
    reply = fixhead.change([name], {"release": "2026-12-24"})
    assert reply.body == modified(name)
    assert fixhead.landed(reply)[0]["changes"][0]["new"] == "2026-12-24"
    assert fixhead.change([name], {"release": "20261224"}).body == refused(
        name, "Invalid Release date: 20261224"
    )


def test_conditions_joined_by_commas_are_refused_and_told(fixhead: FixHead, a_file: Maker) -> None:
    """Version 0.7 passes ``cond:iqany,cc50`` on as it was typed; the server never split it."""
    name = a_file()
    reply = fixhead.change([name], {"raw_site": "iqany,cc50"}, sure=True)
    (element,) = reply.json
    assert list(element) == ["result", "error", "id"]
    assert element["error"].startswith("Illegal value 'iqany,cc50' for action 'raw_site'")


@pytest.mark.parametrize("cookie", ["", "f0a49ab56f80da436b59e1d8f20067f4"])
def test_a_missing_or_wrong_cookie_is_a_403_before_anything_else(server: Running, cookie: str) -> None:
    with Wire(server) as wire:
        reply = FixHead(server, wire, cookie).change(["absent.fits"], {"nonsense": 1})
        assert (reply.status, reply.body) == (403, NO_COOKIE)
        assert (reply.headers["cache-control"], reply.headers["expired"]) == ("no-cache", "-1")
        # The connection goes on, as a session of requests expects.
        assert requests_get(wire, "/jsonfilenames/present/obsid=GN-1999A-Q-1-1").body == b"[]"


def test_odd_names_are_listed_changed_and_echoed(server: Running, fixhead: FixHead, tmp_path: Path) -> None:
    names = ["odd päth \u2603.fits", "odd 'quo\"te\\.fits", "odd 50%25&#?.fits"]
    observation = "GN-2026A-Q-302-1"
    for number, name in enumerate(names):
        content = gemini_file(OBSID=observation, DATALAB=f"{observation}-{number:03d}")
        server.ingest(write_as(tmp_path / name, content))
    found = fixhead.files_of(observation)
    assert sorted(found) == sorted(names)
    reply = fixhead.change(found, {"qa_state": "fail"})
    assert reply.body == json.dumps([{"result": True, "id": name} for name in found]).encode()
    assert [item["file"] for item in fixhead.landed(reply)] == found
    assert {item["state"] for item in fixhead.landed(reply)} == {"completed"}
