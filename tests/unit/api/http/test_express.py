"""What takes the short way, on real sockets; everything that is not ordinary reaches the application instead."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from prometheus_client import Counter
from starlette.datastructures import State
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from armillary.access.models import Permission, Principal
from armillary.access.models import Scope as Action
from armillary.access.recent import Found
from armillary.access.service import Tokens
from armillary.access.tokens import digest_of
from armillary.api.http.dialect import Addressed, Dialects
from armillary.api.http.express import LARGEST, Express
from armillary.api.http.lanes import Done, Errand, Heard, Lane
from armillary.api.http.limits import Limited
from armillary.api.http.log import Traced
from armillary.api.http.presence import is_gone
from armillary.app import DIALECTS, create_app
from armillary.base.metrics import REQUESTS
from armillary.errors import BadRequest
from armillary.settings import LimitSettings, Settings
from tests.support.sockets import GET, Served, served

SECRET, BURST = "arm_secret", 40
BODY = b'{"say": "some"}'
MUCH, PAUSE_S = 1 << 20, 1.0


class Toy:
    """A lane that says what it was told, and what became of it."""

    def __init__(self) -> None:
        self.ends: list[str] = []

    def read(self, heard: Heard) -> Errand | None:
        """Return what a body asks for."""
        try:
            said = json.loads(heard.body)["say"]
        except (ValueError, KeyError):
            return None
        if said == "break":
            raise ZeroDivisionError
        return Errand(said, lambda: self.carry_out(said, heard))

    async def carry_out(self, said: str, heard: Heard) -> Done:
        """Say it."""
        match said:
            case "refuse":
                raise BadRequest("this is refused")
            case "fail":
                raise ZeroDivisionError
            case "other":
                return Response(b"other", 404, {"X-Toy": "1"})
            case "nonsense":
                return 5  # type: ignore[return-value]  # what a mistake in a lane would do
            case "much":
                self.ends.append("much")
                return b"x" * MUCH
            case "wait":
                while not is_gone(heard.receive):  # noqa: ASYNC110  # a client's end sets no event
                    await asyncio.sleep(0.005)
                self.ends.append("gone")
        return json.dumps({"said": said}).encode()


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Stand for the application, which the parts below are made for."""


def express_of(toy: Toy, *, strangers: bool = False) -> Express:
    """Return the short way to a lane at ``/pipe/enqueue``, below each prefix."""

    def lane(scope: Scope) -> Lane | None:
        return Lane(toy.read, admits) if scope["path"] == "/pipe/enqueue" else None

    def admits(_state: State, principal: Principal, resource: str | None) -> bool:
        return resource != "shut" and (strangers or principal.may(Action.PIPE_PRODUCE))

    dialects = Dialects([replace(one, lane=lane if one.name == "photon_ranch" else None) for one in DIALECTS])
    limits = LimitSettings(token_per_s=0.001, token_burst=BURST)
    state = State({"tokens": a_memory(), "strangers": strangers})
    return Express(
        state, Addressed(nothing, dialects), Limited(nothing, limits), Traced(nothing, write=False)
    )


def a_memory() -> Tokens:
    """Return what knows one token."""
    tokens = Tokens()
    tokens.recent.turn(on=True)
    known = Found(Principal("producer", frozenset([Permission(Action.PIPE_PRODUCE)])), None)
    tokens.recent.keep(
        digest_of(SECRET), known, began_s=0.0, seconds=1e9, generation=tokens.recent.generation
    )
    return tokens


@contextmanager
def ways(**more: Any) -> Iterator[tuple[Served, Toy]]:
    """Serve both ways until the end of the block."""
    toy = Toy()
    with served(express=express_of(toy, **more)) as server:
        yield server, toy


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Served, Toy]]:
    with ways(strangers=True) as found:
        yield found


def a_request(
    body: bytes = BODY, *headers: str, url: str = "/pipe/enqueue", size: int | None = None
) -> bytes:
    """Return a request as a producer sends it."""
    lines = [f"POST {url} HTTP/1.1", "Host: archive", *headers]
    if size is None or size >= 0:
        lines.append(f"Content-Length: {len(body) if size is None else size}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def answers(one: socket.socket, count: int) -> list[tuple[int, dict[str, str], bytes]]:
    """Return so many answers."""
    found = []
    file = one.makefile("rb")
    for _ in range(count):
        status = int(file.readline().split()[1])
        pairs = [line.decode().partition(": ") for line in iter(file.readline, b"\r\n")]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        found.append((status, headers, file.read(int(headers["content-length"]))))
    return found


def asked(server: Served, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send a request and return its answer."""
    with server.connect(request) as one:
        return answers(one, 1)[0]


@pytest.mark.parametrize("url", ["/pipe/enqueue", "/api/pipe/enqueue", "/dev//pipe/enqueue/"])
def test_an_ordinary_request_is_answered_without_the_application(both: tuple[Served, Toy], url: str) -> None:
    server, _ = both
    before = len(server.asked)
    status, headers, body = asked(server, a_request(url=url))
    assert (status, json.loads(body)) == (200, {"said": "some"})
    assert headers["content-type"] == "application/json"
    assert headers["access-control-allow-origin"] == "*"
    assert len(headers["x-request-id"]) == 16
    assert "cache-control" not in headers
    assert len(server.asked) == before


CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
LONG = b'{"say": "' + b"x" * LARGEST + b'"}'


@pytest.mark.parametrize(
    "request_",
    [
        a_request(url="/pipe/enqueue?payload=1"),
        a_request(url="/pipe/%65nqueue"),
        a_request(url="/pipe/enqueue#more"),
        a_request(url="/pipe/queue"),
        a_request(url="/k/arm_other/api/pipe/enqueue"),
        a_request(BODY, "Origin: http://elsewhere"),
        a_request(BODY, "Cookie: a=b"),
        a_request(BODY, "X-Request-Id: mine"),
        a_request(BODY, "Idempotency-Key: 7"),
        a_request(BODY, "X-Api-Key: arm_unknown"),
        a_request(BODY, "X-Api-Key: arm_secret", "Authorization: Bearer arm_secret"),
        a_request(BODY, "Authorization: Basic eA=="),
        a_request(CHUNKED, "Transfer-Encoding: chunked", size=-1),
        a_request(LONG),
        a_request(b"{"),
        a_request(b'{"say": "shut"}'),
        a_request(b'{"say": "break"}'),
        a_request().replace(b"POST", b"PUT"),
        a_request(BODY, "Expect: 100-continue"),
    ],
)
def test_whatever_is_not_ordinary_reaches_the_application(both: tuple[Served, Toy], request_: bytes) -> None:
    server, _ = both
    before = len(server.asked)
    with server.connect(request_) as one:
        server.until(lambda: len(server.asked) == before + 1)
        received = one.recv(1 << 16)
    assert received.startswith((b"HTTP/1.1 200 OK", b"HTTP/1.1 100 Continue"))


@pytest.mark.parametrize(
    "url", [b"/api/pipe/enqueue", b"/pipe/queue/a/dequeue", b"/dev//pipe/queue/a/b/dequeue"]
)
def test_the_program_has_lanes_for_items_in_and_out(tmp_path: Path, url: bytes) -> None:
    express = create_app(Settings(data=tmp_path)).express
    scope = {"method": "POST", "headers": [(b"content-length", b"0")], "state": {}}
    assert express.way_of(SimpleNamespace(scope=scope), url)
    assert not express.way_of(SimpleNamespace(scope=scope | {"method": "GET"}), url)
    for other in (b"/v1/frames", b"/pipe/queue/dequeue", b"/pipe/queue//dequeue", b"/pipe/queue/a#b/dequeue"):
        assert not express.way_of(SimpleNamespace(scope=scope), other)
    # What a client sends unasked keeps nobody from it.
    sent = httpx.Client(headers={"X-Api-Key": SECRET}).build_request("POST", "http://archive/", content=b"{}")
    headers = [(name.lower(), value) for name, value in sent.headers.raw]
    assert express.way_of(SimpleNamespace(scope=scope | {"headers": headers, "state": {}}), url)


def test_whoever_is_known_is_counted_by_name_and_refused_on_the_long_way() -> None:
    with ways() as (server, _), server.connect() as one:
        ordinary = a_request(BODY, f"X-Api-Key: {SECRET}")
        for _ in range(BURST):
            one.sendall(ordinary)
            ((status, headers, _body),) = answers(one, 1)
            assert (status, headers["cache-control"]) == (200, "private")
        assert not server.asked
        one.sendall(ordinary)
        server.until(lambda: server.asked == ["/pipe/enqueue"])
    with ways() as (server, _), server.connect(a_request()):
        server.until(lambda: server.asked == ["/pipe/enqueue"])


def test_a_bearer_is_as_good(both: tuple[Served, Toy]) -> None:
    before = len(both[0].asked)
    _, headers, _ = asked(both[0], a_request(BODY, f"Authorization: Bearer {SECRET}"))
    assert (headers["cache-control"], len(both[0].asked)) == ("private", before)


@pytest.mark.parametrize(
    ("said", "status", "text"),
    [("refuse", 400, "this is refused"), ("fail", 500, "Internal server error"), ("other", 404, "other")],
)
def test_what_goes_wrong_is_told_as_the_dialect_tells_it(
    both: tuple[Served, Toy], said: str, status: int, text: str
) -> None:
    before = counted(status)
    found, headers, body = asked(both[0], a_request(json.dumps({"say": said}).encode()))
    assert (found, headers["access-control-allow-origin"]) == (status, "*")
    assert headers["x-content-type-options"] == "nosniff"
    assert text in body.decode()
    both[0].until(lambda: counted(status) == before + 1)


def counted(status: int) -> float:
    """Return how many answers to POST had a status."""
    counter: Counter = REQUESTS.labels("POST", str(status))
    return float(counter._value.get())  # noqa: SLF001  # the library has no other way to ask one


def test_a_body_may_come_later_than_its_head(both: tuple[Served, Toy]) -> None:
    server, _ = both
    whole = a_request()
    with server.connect(whole[:-5]) as one:
        one.sendall(whole[-5:])
        assert answers(one, 1)[0][2] == b'{"said": "some"}'


def test_whoever_goes_before_the_body_is_whole_is_forgotten(both: tuple[Served, Toy]) -> None:
    server, _ = both
    before, inside = len(server.asked), len(server.doors)
    server.connect(a_request()[:-5]).close()
    server.until(lambda: len(server.doors) == inside)
    assert len(server.asked) == before


def test_pipelined_requests_are_answered_in_order_whichever_way_each_takes(both: tuple[Served, Toy]) -> None:
    server, _ = both
    wave = a_request() + a_request(b'{"say": 2}') + GET % b"one" + a_request(b'{"say": 3}') + GET % b"two"
    with server.connect(wave) as one:
        found = [body for _, _, body in answers(one, 5)]
    # What waited for its turn takes the long way, where the toy answers with the path.
    assert found == [b'{"said": "some"}', b"/pipe/enqueue", b"/one", b"/pipe/enqueue", b"/two"]


def test_a_connection_that_is_to_be_closed_is(both: tuple[Served, Toy]) -> None:
    with both[0].connect(a_request(BODY, "Connection: close")) as one:
        ((status, headers, _),) = answers(one, 1)
        assert (status, headers["connection"], one.recv(1)) == (200, "close", b"")


def test_whoever_reads_no_answers_is_asked_for_no_more_requests() -> None:
    with ways(strangers=True) as (server, toy), server.connect() as one:
        sent, most = 0, 30
        while len(toy.ends) == sent < most:
            one.sendall(a_request(b'{"say": "much"}'))
            sent += 1
            deadline = time.monotonic() + PAUSE_S
            while len(toy.ends) < sent and time.monotonic() < deadline:
                time.sleep(0.005)
        assert sent < most
        found = answers(one, sent)
        assert [len(body) for _, _, body in found[:-1]] == (sent - 1) * [MUCH]


def test_whoever_can_get_no_answer_is_not_kept_waiting_for_one(both: tuple[Served, Toy]) -> None:
    with both[0].connect(a_request(b'{"say": "nonsense"}')) as one:
        assert one.recv(1) == b""


def test_a_client_that_leaves_is_seen_to_leave(both: tuple[Served, Toy]) -> None:
    server, toy = both
    with server.connect(a_request(b'{"say": "wait"}')):
        pass
    server.until(lambda: toy.ends == ["gone"])
