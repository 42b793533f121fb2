"""Benchmark 5b: items through a PIPE queue over HTTP, 32 connections, one server process.

Half of the connections enqueue and half dequeue, each its next request when it has the answer. Beside it stand the
same routes as they are usually written, FastAPI with a pool and one statement per request, on the same PostgreSQL
with the same durability; and our own server returning a constant by the same way, which shows what the queue
costs. All three are processes of their own, asked by the same client.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import cast

import asyncpg
import httpx
import uvloop

from armillary.access.models import Scope
from armillary.access.service import create_token
from armillary.base.database import Role
from armillary.context import open_context
from armillary.settings import DatabaseSettings, Settings
from benchmarks.scratch import scratch
from benchmarks.served import ACCOUNT, UNLIMITED
from benchmarks.table import Row, finish

CONNECTIONS, ROUNDS = 32, 5
REQUESTS = {"armillary": 20_000, "constant": 20_000, "FastAPI + pool": 4_000}
QUEUE = "sq001"
NAMES = ["sq001-qs60007-20260201-00000017-EX00.fits.fz", "sq001-qs60007-20260201-00000018-EX00.fits.fz"]
BODY = json.dumps(
    {
        "queue_name": QUEUE,
        "payload": {"request": "reduce", "request_content": NAMES},
        "sender": QUEUE,
    }
).encode()
START_S = 60.0


def requests(secret: str) -> tuple[bytes, bytes]:
    """Return the bytes of a request that enqueues, and of one that dequeues."""
    key = f"X-Api-Key: {secret}\r\n" if secret else ""
    head = f"Host: localhost\r\n{key}Content-Type: application/json\r\nContent-Length: "
    return (
        f"POST /pipe/enqueue HTTP/1.1\r\n{head}{len(BODY)}\r\n\r\n".encode() + BODY,
        f"POST /pipe/queue/{QUEUE}/dequeue HTTP/1.1\r\n{head}0\r\n\r\n".encode(),
    )


class Client(asyncio.Protocol):
    """A connection that sends one request again and again; it reads no more of an answer than it has to."""

    def __init__(self, request: bytes, left: list[int], ended: asyncio.Future[None]) -> None:
        self._request, self._left, self._ended = request, left, ended
        self._seen = b""
        self.statuses: dict[bytes, int] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        # That of uvloop is one without being derived from it.
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        """Send the next one as soon as the answer is whole."""
        self._seen += data
        end = self._seen.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self._seen.lower().index(b"content-length:") + 15
        size = int(self._seen[at : self._seen.index(b"\r\n", at)])
        if len(self._seen) < end + 4 + size:
            return
        status = self._seen[9:12]
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self._seen = self._seen[end + 4 + size :]
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so if it was not asked for."""
        if not self._ended.done():
            self._ended.set_exception(exc or ConnectionError("the server closed the connection"))

    def _next(self) -> None:
        if self._left[0] > 0:
            self._left[0] -= 1
            self._transport.write(self._request)
        elif not self._ended.done():
            self._ended.set_result(None)
            self._transport.close()


async def _run(port: int, wanted: list[bytes], number: int) -> dict[bytes, int]:
    """Send so many requests, divided over the connections; return how often each status came."""
    loop = asyncio.get_running_loop()
    clients, ends = [], []
    shares = {request: [number // len(set(wanted))] for request in wanted}
    for request in wanted:
        ended: asyncio.Future[None] = loop.create_future()
        client = Client(request, shares[request], ended)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
        clients.append(client)
        ends.append(ended)
    await asyncio.gather(*ends)
    statuses: dict[bytes, int] = {}
    for client in clients:
        for status, count in client.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    return statuses


def _seconds_per_request(port: int, wanted: list[bytes], number: int, *, allowed: set[bytes]) -> float:
    start = time.perf_counter()
    statuses = uvloop.run(_run(port, wanted, number))
    seconds = time.perf_counter() - start
    if set(statuses) - allowed or sum(statuses.values()) != number:
        raise AssertionError(f"answers of {number} requests: {statuses}")
    return seconds / number


async def _prepare(folder: Path) -> tuple[str, dict[str, str]]:
    """Make the queue, a token, and the table of the other server; return the secret and where the database is."""
    settings = Settings(data=folder / "data", database=DatabaseSettings(account=ACCOUNT))
    async with open_context(settings, Role.OWNER, application="armillary benchmark") as context:
        async with context.database.begin() as connection:
            now = context.clock.now()
            secret = await create_token(connection, "bench", [Scope.PIPE], now=now)
            await connection.exec_driver_sql("INSERT INTO pipe_queue (name) VALUES ($1)", (QUEUE,))
        source = context.database.source
        assert not isinstance(source, str)
        where = {"host": str(source.dsn.host), "user": str(Role.OWNER)}
        plain = await asyncpg.connect(**where, database=source.dsn.database)
        await plain.execute("CREATE DATABASE bench_pool")
        await plain.close()
        other = await asyncpg.connect(**where, database="bench_pool")
        await other.execute(
            "CREATE TABLE item (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL,"
            " queue text NOT NULL, sender text NOT NULL, payload jsonb NOT NULL, created_ms bigint NOT NULL);"
            "CREATE INDEX item_turn ON item (queue, seq)"
        )
        await other.close()
        return secret, {"BENCH_HOST": where["host"], "BENCH_USER": where["user"]}


@contextmanager
def _process(command: list[str], port: int, environment: dict[str, str]) -> Iterator[int]:
    """Run a server until the end of the block; it listens on a port."""
    process = subprocess.Popen(command, env=os.environ | environment)
    try:
        end = time.monotonic() + START_S
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/pipe/queues", trust_env=False)
                break
            except httpx.TransportError:
                if time.monotonic() > end or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _ports(number: int) -> list[int]:
    import socket

    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _measure(folder: Path) -> dict[str, float]:
    secret, where = asyncio.run(_prepare(folder))
    ours, others, constant = _ports(3)
    environment = {
        "ARMILLARY_DATABASE__ACCOUNT": ACCOUNT,
        "ARMILLARY_LOG": "ERROR",
        **UNLIMITED,
        **where,
        # The same for all: a server that writes a line for each request measures its log.
        "ARMILLARY_LOGS__REQUESTS": "false",
    }
    program = [sys.executable, "-m"]
    data = ["--data", str(folder / "data")]
    servers = {
        ours: [*program, "armillary", "serve", *data, "--port", str(ours)],
        constant: [*program, "benchmarks.pipe_servers", "constant", str(folder / "data"), str(constant)],
        others: [*program, "benchmarks.pipe_servers", "pool", "-", str(others)],
    }
    enqueue, dequeue = requests(secret)
    both = [enqueue, dequeue] * (CONNECTIONS // 2)
    runs = {
        "armillary": (ours, both, {b"200", b"404"}),
        "constant": (constant, [enqueue] * CONNECTIONS, {b"200"}),
        "FastAPI + pool": (others, both, {b"200", b"404"}),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    with (
        _process(servers[ours], ours, environment),
        _process(servers[constant], constant, environment),
        _process(servers[others], others, environment),
    ):
        for number in range(ROUNDS + 1):
            for name, (port, wanted, allowed) in runs.items():
                seconds = _seconds_per_request(port, wanted, REQUESTS[name], allowed=allowed)
                if number:
                    times[name].append(seconds)
    return {name: median(found) for name, found in times.items()}


def rows() -> list[Row]:
    """Measure and return the row of benchmark 5b, in seconds per request."""
    with scratch() as folder:
        per_request = _measure(folder)
    mine = per_request.pop("armillary")
    work = f"PIPE enqueue or dequeue over HTTP, {CONNECTIONS} connections"
    per_request["the same server, a constant"] = per_request.pop("constant")
    return [Row("5b", work, mine, per_request, {"FastAPI + pool": 5.0, "the same server, a constant": 0.5})]


if __name__ == "__main__":
    finish(rows())
