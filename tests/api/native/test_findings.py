"""Headers in a request are checked; findings of archived ones are listed."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.support.consistent import fits_of, values_of
from tests.support.running import Running

CLEAN = values_of()
LOST = CLEAN | {key: CLEAN[key] + 37.1 / 3600 for key in ("HASTART", "HAEND")}


def qa(server: Running, content: Any, **query: Any) -> httpx.Response:
    with server.client() as client:
        if isinstance(content, bytes):
            return client.post("/v1/qa", content=content, params=query)
        return client.post("/v1/qa", json=content, params=query)


@pytest.mark.parametrize("form", ["one", "list", "FITS", "side-car"])
def test_headers_of_every_form_are_checked(server: Running, form: str) -> None:
    cards = [{"hdu": "PRIMARY", "key": key, "value": value} for key, value in LOST.items()]
    bodies: dict[str, Any] = {
        "one": LOST,
        "list": [{"file": "a.fits", "header": LOST}, CLEAN],
        "FITS": fits_of(LOST),
        "side-car": {"cards": cards},
    }
    reply = qa(server, bodies[form])
    assert reply.status_code == 200, reply.text
    report = reply.json()
    assert report["files"] == (2 if form == "list" else 1)
    assert {one["rule"] for one in report["findings"]} == {"hour-angle"}
    assert {one["file"] for one in report["findings"]} == {"a.fits" if form == "list" else "body"}
    (rule,) = report["rules"]
    assert rule["median"] == pytest.approx(37.1, abs=0.05)
    assert "TAI-UTC lost (37 s)" in rule["cause"]


def test_a_clean_header_has_no_findings(server: Running) -> None:
    assert qa(server, CLEAN).json() == {"files": 1, "findings": [], "rules": []}


def test_a_site_may_come_with_the_request(server: Running) -> None:
    nowhere = {key: value for key, value in LOST.items() if not key.startswith("OBS")}
    assert qa(server, nowhere).json()["findings"] == []
    assert qa(server, nowhere, site="-30.2446,-70.7494,2663").json()["findings"] != []
    assert qa(server, nowhere, site="north").json()["code"] == "bad_request"


@pytest.mark.parametrize("content", [b"", b"hello", b"OBSID: x", b"{", b"[3]", b'{"OBSID": {}}'])
def test_what_is_no_header_is_refused(server: Running, content: bytes) -> None:
    reply = qa(server, content)
    assert (reply.status_code, reply.json()["code"]) == (422, "header_unreadable")


def test_too_many_headers_are_refused(server: Running) -> None:
    reply = qa(server, [{"A": 1}] * 1001)
    assert (reply.status_code, reply.json()["code"]) == (413, "request_too_large")


def test_values_that_json_cannot_carry_are_told_as_text(server: Running) -> None:
    reply = qa(server, b'{"OBSID": "x", "AIRTEMP": NaN, "PRESSURE": -Infinity, "OBJECT": "\\ud800"}')
    assert reply.status_code == 200
    json.dumps(reply.json(), allow_nan=False)
    assert [one["rule"] for one in reply.json()["findings"]] == ["placeholder-nan"]


def test_findings_are_asked_for_by_words_that_there_are(server: Running) -> None:
    with server.client() as client:
        assert client.get("/v1/findings", params={"severity": "fatal"}).status_code == 422
        assert client.get("/v1/findings", params={"cursor": "x"}).json()["code"] == "bad_cursor"
        reply = client.get("/v1/findings", params={"rule": "no-such-rule", "night": "2026-01-01"})
    assert reply.json() == {"findings": [], "cursor": None}
