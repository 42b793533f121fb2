"""Pages of other sites can ask for no change by somebody's cookies; scripts and the archive's own pages can."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from armillary.api.http.dialect import Addressed, Dialects
from armillary.api.http.origins import SameOrigin, is_cross_site
from armillary.app import DIALECTS

HERE = "archive.example"
COOKIE = {"Cookie": "gemini_api_authorization=arm_x"}


def crosses(trusted: tuple[str, ...] = (), **headers: str) -> bool:
    """Tell what is said of a request with a cookie."""
    given = {"Host": HERE, **COOKIE} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.lower().encode(), value.encode()) for name, value in given.items() if value]
    return is_cross_site(raw, trusted)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "https://archive.example"},
        # Behind a proxy that does not pass Host on, the browser knows better.
        {"Sec_Fetch_Site": "same-origin", "Origin": "https://archive.example", "Host": "backend:8000"},
        {"Origin": "http://archive.example"},
        {"Origin": "HTTP://Archive.Example"},
        {"Origin": "http://archive.example:80"},
        {"Origin": "https://archive.example", "Host": "archive.example:443"},
        {"Origin": "http://archive.example:8000", "Host": "archive.example:8000"},
        {"Origin": "http://[2001:db8::1]:8000", "Host": "[2001:db8::1]:8000"},
    ],
)
def test_scripts_and_own_pages_are_let_through(headers: dict[str, str]) -> None:
    assert not crosses(**headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "of another kind"},
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://archive.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://archive.example.evil.example"},
        {"Origin": "http://evil-archive.example"},
        {"Origin": "http://archive.example:8001"},
        {"Origin": "http://archive.example@evil.example"},
        {"Origin": "http://[broken"},
        {"Origin": "http://archive.example", "Host": ""},
        {"Sec_Fetch_Site": "cross-site", "Authorization": "Basic eDp5"},
        {"Sec_Fetch_Site": "cross-site", "X_Api_Key": " "},
    ],
)
def test_pages_of_other_sites_are_not(headers: dict[str, str]) -> None:
    assert crosses(**headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Api_Key": "arm_x"},
        {"Authorization": "Bearer arm_x"},
        {"Authorization": "bearer arm_x"},
        {"Cookie": ""},
    ],
)
def test_what_no_page_can_send_and_what_shows_nothing_passes(headers: dict[str, str]) -> None:
    assert not crosses(Sec_Fetch_Site="cross-site", Origin="https://evil.example", **headers)


def test_pages_that_the_administrator_names_are_let_through() -> None:
    trusted = ("https://tools.example",)
    assert not crosses(trusted, Sec_Fetch_Site="same-site", Origin="https://tools.example")
    assert crosses(trusted, Sec_Fetch_Site="same-site", Origin="https://tools.example:444")
    assert crosses(trusted, Sec_Fetch_Site="cross-site")


def test_two_origins_or_hosts_are_one_too_many() -> None:
    raw = [(b"cookie", b"a=b"), (b"host", HERE.encode()), (b"origin", b"http://archive.example")]
    assert not is_cross_site(raw)
    assert is_cross_site([*raw, (b"origin", b"http://evil.example")])
    assert is_cross_site([*raw, (b"host", b"evil.example")])


async def answered(scope: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    """Return what is sent to somebody with a cookie."""
    sent: list[dict[str, Any]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await PlainTextResponse("done")(scope, receive, send)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    async def send(message: Any) -> None:
        sent.append(message)

    given = {
        "host": HERE,
        "cookie": "a=b",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    layer = Addressed(SameOrigin(application), Dialects(DIALECTS))
    await layer({"path": "/v1/edits/1/revert", "method": "POST", "headers": raw, **scope}, receive, send)
    return sent


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
async def test_changes_are_refused_by_a_problem_document(method: str) -> None:
    start, body = await answered({"type": "http", "method": method}, origin="https://evil.example")
    assert start["status"] == 403
    assert json.loads(body["body"])["code"] == "cross_site"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_what_only_reads_is_served(method: str) -> None:
    start, *_ = await answered({"type": "http", "method": method}, origin="https://evil.example")
    assert start["status"] == 200


async def test_an_update_is_refused_in_its_own_form() -> None:
    scope = {"type": "http", "path": "/update_headers"}
    start, body = await answered(scope, sec_fetch_site="cross-site")
    (item,) = json.loads(body["body"])
    assert (start["status"], item["result"]) == (403, False)
    assert "Cross-site" in item["error"]


async def test_a_page_of_another_site_opens_no_websocket() -> None:
    (closed,) = await answered({"type": "websocket"}, origin="https://evil.example")
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)
    (accepted,) = await answered({"type": "websocket"}, origin="https://archive.example")
    assert accepted["type"] == "websocket.accept"
