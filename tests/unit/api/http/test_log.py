"""Each request has an id, that of its client if sane, and leaves one line that says how it went."""

from __future__ import annotations

import asyncio
import contextlib
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse
from structlog.testing import capture_logs

from armillary.api.http.log import Traced
from armillary.app import create_app


def client_of(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def ask(app: Any, path: str = "/", **headers: str) -> tuple[httpx.Response, dict[str, Any]]:
    """Return the answer, and the one line that it left."""
    with capture_logs() as lines:
        async with client_of(app) as client:
            answer = await client.get(path, headers=headers)
    (line,) = [one for one in lines if one["event"] == "request"]
    return answer, dict(line)


async def test_a_request_gets_an_id_and_a_line() -> None:
    answer, line = await ask(create_app(), "/", **{"User-Agent": "test"})
    assert len(answer.headers["x-request-id"]) == 16
    assert (line["method"], line["path"], line["status"]) == ("GET", "/", 200)
    assert line["bytes"] == len(answer.content)
    assert line["ms"] >= 0
    assert "broken_off" not in line


async def test_two_requests_have_two_ids() -> None:
    app = create_app()
    first, second = [(await ask(app))[0].headers["x-request-id"] for _ in range(2)]
    assert first != second


@pytest.mark.parametrize("given", ["abc-123", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"])
async def test_a_sane_id_of_the_client_is_kept(given: str) -> None:
    answer, _ = await ask(create_app(), "/", **{"X-Request-Id": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, 'a"b', "<script>", "{}"])
async def test_other_ids_are_replaced(given: str) -> None:
    answer, _ = await ask(create_app(), "/", **{"X-Request-Id": given})
    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 16


async def test_missing_pages_and_broken_handlers_have_ids_too() -> None:
    app = create_app()
    answer, line = await ask(app, "/nowhere")
    assert (answer.status_code, line["status"]) == (404, 404)
    assert answer.headers["x-request-id"]
    # Without a context the handler of health fails.
    answer, line = await ask(app, "/v1/health")
    assert (answer.status_code, line["status"]) == (500, 500)
    assert answer.headers["x-request-id"]


async def test_queries_are_not_written_down() -> None:
    _, line = await ask(create_app(), "/?secret=hidden")
    assert "hidden" not in str(line)


async def test_an_answer_that_breaks_off_says_so() -> None:
    inner = FastAPI()

    async def some() -> Any:
        yield b"some"
        await asyncio.sleep(0)
        raise OSError("the disk is gone")

    @inner.get("/")
    async def broken() -> StreamingResponse:
        return StreamingResponse(some())

    with capture_logs() as lines:
        async with client_of(Traced(inner)) as client:
            with contextlib.suppress(OSError):
                await client.get("/")
    (line,) = [one for one in lines if one["event"] == "request"]
    assert line["broken_off"] is True


async def test_an_answer_of_all_declared_bytes_is_whole_though_nobody_waits_for_the_end() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        raise OSError("the client is gone")

    with capture_logs() as lines:
        async with client_of(Traced(application)) as client:
            with contextlib.suppress(OSError):
                await client.get("/")
    (line,) = [one for one in lines if one["event"] == "request"]
    assert "broken_off" not in line


async def test_the_line_can_be_switched_off() -> None:
    with capture_logs() as lines:
        async with client_of(Traced(FastAPI(), write=False)) as client:
            assert (await client.get("/")).headers["x-request-id"]
    assert lines == []


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_who_is_behind_a_proxy_is_known_on_every_kind_of_connection(kind: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"])

    async def nothing(*_args: Any) -> Any:
        raise AssertionError("nobody sends or receives here")

    headers = [(b"x-forwarded-for", b"192.0.2.7, 10.0.0.9")]
    scope = {"type": kind, "method": "GET", "path": "/", "headers": headers, "client": ("10.0.0.1", 1)}
    await Traced(app, proxies=[ip_network("10.0.0.0/8")])(scope, nothing, nothing)
    assert seen == [("192.0.2.7", 0)]
