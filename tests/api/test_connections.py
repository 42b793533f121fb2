"""The limits of a connection, on real sockets; every test waits for the server to close."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from armillary.api.http.connection import PIPELINED
from tests.support.sockets import GET, Served, all_of, answer_of, served

HEAD = b"GET %s HTTP/1.1\r\nHost: archive\r\n"
POST = b"POST /%s HTTP/1.1\r\nHost: archive\r\n"


@pytest.fixture(scope="module")
def usual() -> Iterator[Served]:
    """Serve with the limits that an archive has by default."""
    with served() as one:
        yield one


@pytest.fixture(scope="module")
def hasty() -> Iterator[Served]:
    """Serve with little patience."""
    with served(header_s=0.5, body_s=0.5, idle_s=4.0) as one:
        yield one


def sent_in_vain(server: Served, head: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send what is refused, however much of it the server takes, and return the answer."""
    asked = len(server.asked)
    with server.connect() as one:
        sender = threading.Thread(target=_send, args=(one, head))
        sender.start()
        answer = answer_of(one)
        sender.join()
    assert server.asked[asked:] == [], "the application was troubled"
    return answer


def _send(one: socket.socket, data: bytes) -> None:
    try:
        one.sendall(data)
    except OSError:
        return


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (HEAD % (b"/v1/" + b"a" * 100_000) + b"\r\n", 414, "url_too_long"),
        (HEAD % (b"/?q=" + b"a" * 17_000) + b"\r\n", 414, "url_too_long"),
        (HEAD % b"/v1/x" + b"A: b\r\n" * 10_000 + b"\r\n", 431, "headers_too_large"),
        (HEAD % b"/v1/x" + b"A: b\r\n" * 100 + b"\r\n", 431, "headers_too_large"),
        (HEAD % b"/v1/x" + b"A: " + b"b" * 1_000_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (HEAD % b"/v1/x" + b"B" * 1_000_000 + b": b\r\n\r\n", 431, "headers_too_large"),
        (HEAD % b"/v1/x" + (b"A: " + b"b" * 1000 + b"\r\n") * 33 + b"\r\n", 431, "headers_too_large"),
    ],
    ids=["url", "query", "10000 headers", "101 headers", "one of 1 MB", "its name", "33 of 1 kB"],
)
def test_a_head_that_is_too_large_is_refused(usual: Served, head: bytes, status: int, code: str) -> None:
    found, headers, body = sent_in_vain(usual, head)
    assert found == status
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (status, code)


@pytest.mark.parametrize("path", [b"/update_headers", b"//update_headers", b"/update%5fheaders?a=b"])
def test_a_refusal_has_the_form_that_clients_of_the_path_read(usual: Served, path: bytes) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: archive\r\n" % path + b"A: b\r\n" * 10_000
    status, headers, body = sent_in_vain(usual, head)
    assert (status, headers["content-type"]) == (431, "application/json")
    (item,) = json.loads(body)
    assert item["result"] is False
    assert "more than 100 headers" in item["error"]


def test_what_is_no_request_is_refused_as_text(usual: Served) -> None:
    status, headers, body = sent_in_vain(usual, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n")
    assert (status, headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert b"Invalid HTTP request." in body


def test_a_head_within_the_limits_is_served(usual: Served) -> None:
    url = b"/" + b"a" * 16_000
    head = HEAD % url + (b"A: " + b"b" * 150 + b"\r\n") * 99
    with usual.connect(head + b"\r\n") as one:
        assert one.recv(15) == b"HTTP/1.1 200 OK"


def test_a_head_may_come_in_pieces_and_after_another_request(usual: Served) -> None:
    head = HEAD % b"/last" + (b"A: " + b"b" * 300 + b"\r\n") * 97 + b"Connection: close\r\n\r\n"
    with usual.connect() as one:
        body = b"c" * 300_000
        one.sendall(POST % b"first" + b"Content-Length: %d\r\n\r\n" % len(body) + body + head[:20_000])
        for start in range(20_000, len(head), 700):
            one.sendall(head[start : start + 700])
        received = all_of(one)
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.endswith(b"/last")


def test_uploads_of_one_size_may_follow_each_other_on_a_connection(usual: Served) -> None:
    # Head and body come together, in two pieces of which the second ends the request.
    request = b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20_000
    with usual.connect() as one:
        for _ in range(8):
            one.sendall(request)
            received = b""
            while not received.endswith(b"\r\n\r\n/x"):
                more = one.recv(4096)
                assert more, received
                received += more
            assert received.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "rest",
    [
        b"5;" + b"x" * 100_000,
        b"5\r\nhello\r\n0\r\n" + b"A: b\r\n" * 200,
        b"5\r\nhello\r\n0\r\nA: " + b"b" * 100_000,
    ],
    ids=["a line of a chunk", "many headers behind", "a large header behind"],
)
def test_what_surrounds_a_body_is_limited_like_a_head(usual: Served, rest: bytes) -> None:
    with usual.connect(POST % b"v1/x" + b"Transfer-Encoding: chunked\r\n\r\n") as one:
        sender = threading.Thread(target=_send, args=(one, rest))
        sender.start()
        status, _, body = answer_of(one)
        sender.join()
    assert (status, json.loads(body)["code"]) == (431, "headers_too_large")
    usual.until(lambda: "gone" in usual.asked)


def trickle(one: socket.socket, pieces: bytes, stop: threading.Event) -> None:
    """Send a byte every few hundredths of a second until somebody says stop, or nobody listens."""
    for piece in pieces:
        if stop.wait(0.05):
            return
        _send(one, bytes([piece]))


def dripped(server: Served, begin: bytes, pieces: bytes) -> bytes:
    """Send the beginning and then drips, and return what comes until the server closes."""
    stop = threading.Event()
    with server.connect(begin) as one:
        sender = threading.Thread(target=trickle, args=(one, pieces, stop))
        sender.start()
        try:
            return all_of(one)
        finally:
            stop.set()
            sender.join()


def test_a_head_that_trickles_is_given_up(hasty: Served) -> None:
    received = dripped(hasty, HEAD % b"/update_headers", b"A: " + b"b" * 20_000)
    assert received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b'{"error": "The headers did not arrive within 0.5 s."}' in received


def test_a_request_line_that_trickles_is_given_up(hasty: Served) -> None:
    received = dripped(hasty, b"", b"GET /" + b"a" * 20_000)
    assert received.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("encoding", [b"Content-Length: 20000", b"Transfer-Encoding: chunked"])
def test_a_body_that_trickles_is_given_up(hasty: Served, encoding: bytes) -> None:
    drips = b"1\r\nx\r\n" * 4000 if b"chunked" in encoding else b"x" * 20_000
    hasty.asked.clear()
    received = dripped(hasty, POST % b"v1/x" + encoding + b"\r\n\r\n", drips)
    assert received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert json.loads(received.partition(b"\r\n\r\n")[2])["code"] == "request_too_slow"
    hasty.until(lambda: "gone" in hasty.asked)


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (POST % b"hold" + b"Content-Length: 5\r\n\r\nhello", b""),
        (POST % b"later" + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", b"hello"),
        (POST % b"later" + b"Content-Length: 300000\r\n\r\n", b"x" * 300_000),
    ],
    ids=["for its answer", "for leave to send", "for its reader"],
)
def test_a_client_whom_we_keep_waiting_is_not_given_up(hasty: Served, first: bytes, rest: bytes) -> None:
    hasty.hold.clear()
    large = len(rest) > 10
    with hasty.connect(first) as one:
        sender = threading.Thread(target=_send, args=(one, rest if large else b""))
        sender.start()
        for _ in range(3):
            # As long as a body may take that trickles.
            assert dripped(hasty, HEAD % b"/", b"A: " + b"b" * 20_000).startswith(b"HTTP/1.1 408 ")
        hasty.hold.set()
        sender.join()
        if b"Expect" in first:
            assert one.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            one.sendall(rest)
        assert one.recv(15) == b"HTTP/1.1 200 OK"


def test_idle_connections_are_closed(hasty: Served) -> None:
    with ExitStack() as stack:
        fresh = stack.enter_context(hasty.connect())
        answered = stack.enter_context(hasty.connect(GET % b"x"))
        teasing = stack.enter_context(hasty.connect())
        assert all_of(answered).endswith(b"\r\n\r\n/x")
        assert all_of(fresh) == b""
        stop = threading.Event()
        sender = threading.Thread(target=trickle, args=(teasing, b"\r\n" * 10_000, stop))
        sender.start()
        assert all_of(teasing) == b""
        stop.set()
        sender.join()
    hasty.until(lambda: len(hasty.doors) == 0)


def test_the_rest_of_a_body_that_nobody_wants_ends_like_idleness(hasty: Served) -> None:
    received = dripped(hasty, POST % b"early" + b"Content-Length: 20000\r\n\r\n", b"x" * 20_000)
    assert received.endswith(b"/early")
    hasty.until(lambda: len(hasty.doors) == 0)


def test_requests_sent_far_ahead_of_their_answers_end_the_connection(usual: Served) -> None:
    usual.hold.clear()
    usual.asked.clear()
    with usual.connect(GET % b"hold" + GET % b"next" * 1000) as one:
        usual.until(lambda: usual.asked == ["/hold"])
        usual.hold.set()
        received = all_of(one)
    answered = received.count(b"HTTP/1.1 200 OK")
    assert 1 < answered <= 2 + PIPELINED
    assert len(usual.asked) == answered
    assert b"HTTP/1.1 4" not in received


def test_a_bad_request_behind_a_good_one_costs_the_good_one_nothing(usual: Served) -> None:
    usual.hold.clear()
    usual.asked.clear()
    with usual.connect(GET % b"hold" + HEAD % b"/v1/x" + b"A: b\r\n" * 500) as one:
        usual.until(lambda: usual.asked == ["/hold"])
        usual.hold.set()
        assert all_of(one).endswith(b"\r\n\r\n/hold")


def until_open(server: Served, number: int) -> None:
    server.until(lambda: len(server.doors) == number)


def test_an_idle_connection_makes_room_for_a_new_one_of_its_address() -> None:
    with served(connections_per_address=3) as server, ExitStack() as stack:
        first = stack.enter_context(server.connect())
        until_open(server, 1)
        others = [stack.enter_context(server.connect(GET % b"x")) for _ in range(2)]
        assert [one.recv(15) for one in others] == [b"HTTP/1.1 200 OK"] * 2
        until_open(server, 3)
        with server.connect(GET % b"new") as new:
            assert new.recv(15) == b"HTTP/1.1 200 OK"
            assert all_of(first) == b""
            assert len(server.doors) == 3


def test_an_address_whose_connections_are_all_in_use_is_told_so() -> None:
    with served(connections_per_address=3) as server, ExitStack() as stack:
        busy = [stack.enter_context(server.connect(GET % b"hold")) for _ in range(3)]
        server.until(lambda: server.asked == ["/hold"] * 3)
        with server.connect() as one:
            status, headers, body = answer_of(one)
        assert (status, headers["content-type"]) == (429, "text/plain; charset=utf-8")
        assert int(headers["retry-after"]) > 0
        assert b"3 connections of 127.0.0.1 are in use" in body
        server.hold.set()
        assert [one.recv(15) for one in busy] == [b"HTTP/1.1 200 OK"] * 3
        with server.connect(GET % b"new") as new:
            assert new.recv(15) == b"HTTP/1.1 200 OK"


def test_a_server_that_is_full_makes_room_or_says_so() -> None:
    with served(connections=10, connections_per_address=0) as server, ExitStack() as stack:
        busy = [stack.enter_context(server.connect(GET % b"hold")) for _ in range(9)]
        server.until(lambda: server.asked == ["/hold"] * 9)
        idle = stack.enter_context(server.connect())
        until_open(server, 10)
        last = stack.enter_context(server.connect(GET % b"hold"))
        assert all_of(idle) == b""
        server.until(lambda: server.asked == ["/hold"] * 10)
        with server.connect() as one:
            assert answer_of(one)[0] == 503
        server.hold.set()
        assert [one.recv(15) for one in (*busy, last)] == [b"HTTP/1.1 200 OK"] * 10


def test_of_a_proxy_requests_are_counted_for_those_who_sent_them() -> None:
    ask = HEAD % b"/hold" + b"X-Forwarded-For: %s\r\n\r\n"
    with (
        served(connections_per_address=2, proxies=["127.0.0.0/8"]) as server,
        ExitStack() as stack,
    ):
        idle = [stack.enter_context(server.connect()) for _ in range(20)]
        until_open(server, 20)
        noisy = [stack.enter_context(server.connect(ask % b"192.0.2.1")) for _ in range(2)]
        server.until(lambda: server.asked == ["/hold"] * 2)
        third = stack.enter_context(server.connect(ask % b"192.0.2.1"))
        assert third.recv(12) == b"HTTP/1.1 429"
        other = stack.enter_context(server.connect(ask % b"192.0.2.2"))
        server.until(lambda: server.asked == ["/hold"] * 3)
        server.hold.set()
        assert [one.recv(15) for one in (*noisy, other)] == [b"HTTP/1.1 200 OK"] * 3
        for one in idle:
            one.sendall(ask % b"192.0.2.1")
            assert one.recv(15) == b"HTTP/1.1 200 OK"


def test_requests_of_a_proxy_that_breaks_off_are_given_back() -> None:
    ask = HEAD % b"/hold" + b"X-Forwarded-For: 192.0.2.1\r\n\r\n"
    with served(connections_per_address=1, proxies=["127.0.0.0/8"]) as server:
        for number in range(1, 4):
            with server.connect(ask):
                server.until(lambda number=number: server.asked == ["/hold"] * number)  # type: ignore[misc]
            until_open(server, 0)


def test_whoever_asks_for_another_protocol_goes_on_in_this_one(usual: Served) -> None:
    upgrade = HEAD % b"/v1/x" + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
    with usual.connect(upgrade + GET % b"y" + HEAD % b"/z" + b"Connection: close\r\n\r\n") as one:
        assert all_of(one).count(b"HTTP/1.1 200 OK") == 3


def test_no_body_is_lost_to_another_protocol(usual: Served) -> None:
    """The parser takes it for bytes of that protocol; as the next request it would be somebody's forgery."""
    head = POST % b"v1/x" + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 40\r\n\r\n"
    status, _, body = sent_in_vain(usual, head + GET % b"forged")
    assert (status, json.loads(body)["code"]) == (400, "upgrade_with_body")


class Echo(asyncio.Protocol):
    """What takes a connection over that asks for WebSocket; the real thing takes the same arguments."""

    def __init__(self, **given: object) -> None:
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


def test_a_websocket_passes_the_same_doors() -> None:
    head = HEAD % b"/ws" + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    limits = {"connections_per_address": 3, "header_s": 3.0, "body_s": 3.0, "idle_s": 3.0}
    with served(ws=Echo, **limits) as server, ExitStack() as stack:
        assert sent_in_vain(server, head + b"A: b\r\n" * 200)[0] == 431
        sockets = [stack.enter_context(server.connect(head + b"\r\n")) for _ in range(2)]
        for one in sockets:
            assert one.recv(7) == b"GET /ws"
        with server.connect() as idle:
            assert all_of(idle) == b""
        # They live longer than a connection may be idle, and hold their places.
        until_open(server, 2)
        for one in sockets:
            one.sendall(b"hello")
            received = b""
            while not received.endswith(b"hello"):
                received += one.recv(1 << 16)
        sockets.append(stack.enter_context(server.connect(head + b"\r\n")))
        assert sockets[2].recv(7) == b"GET /ws"
        with server.connect() as fourth:
            assert answer_of(fourth)[0] == 429
        for number, one in enumerate(sockets, 1):
            one.close()
            until_open(server, 3 - number)
