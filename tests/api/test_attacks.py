"""A running archive under attack: others are served, and its memory stays as it was."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from armillary.settings import LimitSettings
from tests.support.running import PATIENCE_S, Running, running
from tests.support.sockets import all_of
from tests.support.web_process import resident_mb, web_process

ATTACKERS = [f"127.0.1.{number}" for number in range(1, 13)]
BYSTANDER = "127.0.2.1"
BOUND_MB = 80.0
"""What the server may grow by: some tens of kilobytes for each of a thousand connections."""
LIMITS = LimitSettings()


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run a server with the limits that it has by default, but not those of requests per second."""
    data: Path = tmp_path_factory.mktemp("attacked") / "data"
    with running(data) as server:
        server.await_health()
        yield server


class Siege:
    """An attack from several addresses, and a client from another one."""

    def __init__(self, server: Running) -> None:
        self.server, self.stack = server, ExitStack()
        url = httpx.URL(server.url)
        self.place = (url.host, url.port or 80)
        self.process = web_process(server)
        self.bystander_is_served()
        self.before_mb = resident_mb(self.process)

    def connect(self, address: str) -> socket.socket:
        """Return a connection from an address; it lives until the end of the siege."""
        one = socket.create_connection(self.place, timeout=PATIENCE_S, source_address=(address, 0))
        self.stack.enter_context(one)
        return one

    def bystander_is_served(self) -> str:
        """Ask something from another address, and return the metrics."""
        transport = httpx.HTTPTransport(local_address=BYSTANDER)
        with httpx.Client(base_url=self.server.url, transport=transport, timeout=PATIENCE_S) as client:
            assert client.get("/v1/health").status_code == 200
            return client.get("/v1/metrics").text

    def connections(self) -> float:
        """Return how many connections the server holds."""
        lines = self.bystander_is_served().splitlines()
        return float(next(one for one in lines if one.startswith("armillary_http_connections ")).split()[1])

    def grown_mb(self) -> float:
        """Return how much memory the server needs more than before."""
        return resident_mb(self.process) - self.before_mb


@pytest.fixture
def siege(attacked: Running) -> Iterator[Siege]:
    """Return a siege whose connections all end."""
    one = Siege(attacked)
    with one.stack:
        yield one


def test_a_thousand_idle_connections_of_one_address_leave_room_for_others(siege: Siege) -> None:
    held = [siege.connect(ATTACKERS[0]) for _ in range(1000)]
    assert siege.connections() <= LIMITS.connections_per_address + 1
    # Those that were first made room for the last.
    assert [all_of(one) for one in held[:800]] == [b""] * 800
    held[-1].sendall(b"GET / HTTP/1.1\r\nHost: archive\r\n\r\n")
    assert held[-1].recv(15) == b"HTTP/1.1 200 OK"
    assert siege.grown_mb() < BOUND_MB


def test_connections_of_many_addresses_leave_room_for_others(siege: Siege) -> None:
    """All begin a request that holds as much as it may, and finish none."""
    head = b"GET / HTTP/1.1\r\nHost: archive\r\nA: " + b"a" * 30_000
    for number in range(1200):
        siege.connect(ATTACKERS[number % len(ATTACKERS)]).sendall(head)
        if number % 100 == 0:
            siege.bystander_is_served()
    assert siege.connections() <= LIMITS.connections
    siege.bystander_is_served()
    assert siege.grown_mb() < BOUND_MB


def drowned(one: socket.socket, data: bytes) -> bytes:
    """Send what the server takes of it, and return what it says."""

    def send() -> None:
        try:
            one.sendall(data)
        except OSError:
            return

    sender = threading.Thread(target=send)
    sender.start()
    received = all_of(one)
    sender.join()
    return received


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (414, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: archive\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: archive\r\n" + b"A: b\r\n" * 10_000 + b"\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: archive\r\nA: " + b"b" * 1_000_000 + b"\r\n\r\n"),
    ],
    ids=["url", "headers", "a header"],
)
def test_large_heads_are_refused_and_cost_no_memory(siege: Siege, status: int, head: bytes) -> None:
    for _ in range(30):
        assert drowned(siege.connect(ATTACKERS[0]), head).startswith(b"HTTP/1.1 %d " % status)
    siege.bystander_is_served()
    assert siege.grown_mb() < BOUND_MB


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/changesets", 401),
        ("/v1/exports", 401),
        ("/v1/exports/retry", 401),
        ("/v1/files/x.fits/edits", 401),
        ("/v1/edits/1/revert", 401),
        ("/update_headers", 403),
        ("/upload_file/x.fits", 403),
        ("/download", 413),
    ],
)
def test_large_bodies_of_strangers_are_not_read(siege: Siege, path: str, status: int) -> None:
    size = 300 << 20
    lines = f"POST {path} HTTP/1.1\r\nHost: archive\r\nContent-Type: application/json\r\n"
    for framing, begin in (
        (f"Content-Length: {size}\r\n\r\n", b""),
        ("Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n" % size),
    ):
        one = siege.connect(ATTACKERS[0])
        one.sendall((lines + framing).encode() + begin)
        said = threading.Event()

        def flood(one: socket.socket = one, said: threading.Event = said) -> None:
            try:
                for _ in range(size >> 20):
                    if said.is_set():
                        return
                    one.sendall(b" " * (1 << 20))
            except OSError:
                return

        sender = threading.Thread(target=flood)
        sender.start()
        first = one.recv(12)
        said.set()
        sender.join()
        assert first == b"HTTP/1.1 %d" % status
    assert siege.grown_mb() < BOUND_MB
