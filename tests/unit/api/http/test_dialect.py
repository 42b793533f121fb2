"""Whatever goes wrong with a request, the dialect of its path says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import Depends, Query, Response, WebSocket
from starlette.requests import HTTPConnection
from structlog.testing import capture_logs

from armillary.access.models import Scope
from armillary.api.http.carriers import MAX_SECRET, Carriers
from armillary.api.http.cors import Cors
from armillary.api.http.dialect import Dialect, DialectRouter, Dialects
from armillary.api.http.failures import Failure
from armillary.api.http.policy import Policy
from armillary.app import DIALECTS, Application, create_app
from armillary.errors import ArmillaryError, NotFound, RequestTooLarge
from armillary.settings import LimitSettings, Settings
from tests.support.clock import FakeClock

anybody, members = [Depends(Policy(None))], [Depends(Policy(Scope.READ))]
router = DialectRouter(prefix="/toy")


class Late(ArmillaryError):
    """It is too late; try again."""

    code, status, transient = "late", 503, True


FAULTS: dict[str, Exception] = {
    "missing": NotFound("/etc/passwd is not here"),
    "large": RequestTooLarge(),
    "late": Late(),
    "fault": ZeroDivisionError("secret"),
    "away": ConnectionRefusedError(),
}


@router.get("/faults/{name}", dependencies=anybody)
async def fail(name: str) -> None:
    raise FAULTS[name]


@router.get("/numbers", dependencies=anybody)
async def number(of: int = Query()) -> int:
    return of


@router.get("/members", dependencies=members)
async def members_only() -> str:
    return "welcome"


@router.websocket("/stream", dependencies=members)
async def stream(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")


@router.websocket("/open", dependencies=anybody)
async def broken_stream(socket: WebSocket) -> None:
    raise FAULTS[socket.query_params["fault"]]


LONG = "x" * (MAX_SECRET + 1)
"""Longer than any token, so that no database is asked."""


def say(connection: HTTPConnection, failure: Failure) -> Response:
    """Answer in one line, with another status: this dialect has no 422."""
    status = 400 if failure.status == 422 else failure.status
    return Response(f"{failure.code}: {failure.message}", status, failure.headers, "text/x-toy")


TOY = Dialect(
    name="toy",
    router=router,
    prefixes=("/toy",),
    render_error=say,
    carriers=Carriers(cookies=("toy",), headers=("X-Toy",)),
    cors=Cors(origins=("https://toys.example",)),
)


def an_app(**limits: Any) -> Application:
    app = create_app(Settings(limits=LimitSettings(**limits)), dialects=(*DIALECTS, TOY))
    app.state.context = SimpleNamespace(settings=app.settings, clock=FakeClock())
    return app


def client_of(app: Application) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@cache
def unlimited() -> Application:
    """Return an application that the tests share: it takes long to make one."""
    return an_app()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(unlimited()) as one:
        yield one


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/toy/faults/missing", 404, "not_found: ... is not here"),
        (
            "/toy/faults/large",
            413,
            "request_too_large: The request is larger than this server takes; split it.",
        ),
        ("/toy/faults/late", 503, "late: It is too late; try again."),
        ("/toy/faults/fault", 500, "internal: Something went wrong here; it is logged."),
        ("/toy/faults/away", 503, "unavailable: The database is away; try again."),
        ("/toy/nowhere", 404, "not_found: Not Found"),
        ("//toy/nowhere", 404, "not_found: Not Found"),
        ("/toy/numbers", 400, "invalid_parameter: query.of: Field required"),
        ("/toy/members", 401, "unauthorized: "),
    ],
)
async def test_a_failure_has_the_form_of_its_dialect(
    client: httpx.AsyncClient, path: str, status: int, text: str
) -> None:
    reply = await client.get(f"http://test{path}")
    assert (reply.status_code, reply.headers["content-type"]) == (status, "text/x-toy; charset=utf-8")
    assert reply.text.startswith(text)
    assert reply.headers.get("retry-after") == ("2" if status == 503 else None)
    assert reply.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


async def test_a_wrong_method_is_refused_by_the_dialect(client: httpx.AsyncClient) -> None:
    reply = await client.delete("/toy/numbers")
    assert (reply.status_code, reply.text) == (405, "method_not_allowed: Method Not Allowed")
    assert reply.headers["allow"] == "GET"


async def test_other_paths_speak_their_own_dialects(client: httpx.AsyncClient) -> None:
    for path in ("/v1/nowhere", "/"):
        reply = await client.put(path)
        assert reply.headers["content-type"] == "application/problem+json", path
    reply = await client.put("/toyshop")
    assert (reply.status_code, reply.json()) == (404, {"message": "Not Found"})


async def test_a_limit_speaks_the_dialect_and_knows_its_tokens() -> None:
    async with client_of(an_app(anonymous_per_s=0.001, anonymous_burst=1)) as client:
        assert (await client.get("/toy/numbers?of=1")).status_code == 200
        reply = await client.get("/toy/numbers?of=1")
        assert (reply.status_code, reply.headers["content-type"]) == (429, "text/x-toy; charset=utf-8")
        assert reply.text.startswith("too_many_requests: ")
        assert reply.headers["cache-control"] == "no-store"
        # What shows a token in a header of the dialect is not counted with those who show nothing.
        assert (await client.get("/toy/numbers?of=1", headers={"X-Toy": LONG})).status_code == 200
        assert (await client.get("/toy/numbers?of=1", headers={"X-Api-Key": LONG})).status_code == 429


async def test_an_answer_depends_on_what_may_carry_a_token(client: httpx.AsyncClient) -> None:
    reply = await client.get("/toy/numbers?of=1", headers={"X-Toy": LONG})
    assert reply.headers["vary"] == "Origin, Authorization, Cookie, X-Toy"
    assert reply.headers["cache-control"] == "private"
    other = await client.get("/v1/nowhere")
    assert other.headers["vary"] == "Authorization, Cookie, X-Api-Key"


async def test_pages_of_other_sites_may_call_what_is_open_to_them(client: httpx.AsyncClient) -> None:
    for origin, path, allowed in (
        ("https://toys.example", "/toy/numbers?of=1", "https://toys.example"),
        ("https://evil.example", "/toy/numbers?of=1", None),
        ("https://toys.example", "/v1/nowhere", None),
    ):
        reply = await client.get(path, headers={"Origin": origin})
        assert reply.headers.get("access-control-allow-origin") == allowed
    asked = {"Origin": "https://toys.example", "Access-Control-Request-Method": "POST"}
    assert (await client.options("/toy/numbers", headers=asked)).status_code == 200
    assert (await client.options("/v1/nowhere", headers=asked)).status_code in (404, 405)


async def test_only_faults_of_ours_are_logged_as_such(client: httpx.AsyncClient) -> None:
    with capture_logs() as logged:
        for name in FAULTS:
            await client.get(f"/toy/faults/{name}")
    told = [(one["log_level"], one["event"]) for one in logged if one["event"] != "request"]
    assert told == [("error", "request failed"), ("warning", "database away")]


async def opened(path: str, query: str = "", **headers: str) -> list[Any]:
    """Return what a client is sent that asks for a WebSocket."""
    app, sent = unlimited(), list[Any]()

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "extensions": {"websocket.http.response": {}},
    }
    await app(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("path", "query", "status", "text"),
    [
        ("/toy/stream", "", 401, b"unauthorized: "),
        ("/toy/open", "fault=missing", 404, b"not_found: "),
        ("/toy/open", "fault=fault", 500, b"internal: "),
    ],
)
async def test_a_websocket_that_does_not_open_says_why(
    path: str, query: str, status: int, text: bytes
) -> None:
    start, body = await opened(path, query)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
    assert body["body"].startswith(text)


async def test_a_websocket_of_another_site_is_closed() -> None:
    (closed,) = await opened("/toy/stream", cookie="toy=x", origin="https://evil.example")
    assert (closed["type"], closed["reason"]) == ("websocket.close", "cross_site")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/toy", "toy"),
        ("/toy/a/b", "toy"),
        ("/toys", "photon_ranch"),
        ("/update_headers/x", "gemini"),
        ("/file/x/y.fits", "gemini"),
        ("/v1/files", "native"),
        ("/", "native"),
        ("/files", "console"),
        ("/v1files", "photon_ranch"),
        ("/api/v1/files", "photon_ranch"),
        ("", "photon_ranch"),
        ("*", "photon_ranch"),
    ],
)
def test_the_longest_prefix_owns_a_path(path: str, name: str) -> None:
    assert Dialects((*DIALECTS, TOY)).of(path).name == name


def test_a_refusal_needs_no_more_than_method_and_path() -> None:
    refused: Callable[..., Response] = Dialects((*DIALECTS, TOY)).refusal
    for path, media in (("/toy/x", "text/x-toy"), ("/v1/x", "application/problem+json")):
        answer = refused("GET", path, NotFound())
        assert (answer.status_code, answer.media_type) == (404, media)
        assert answer.headers["cache-control"] == "no-store"
