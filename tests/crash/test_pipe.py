"""Queues under kills: what was acknowledged is there, and nothing is handed out twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from armillary.access.models import Scope
from armillary.access.service import create_token
from armillary.base.database import Role
from armillary.context import Context, open_context
from armillary.settings import DatabaseSettings, Settings
from tests.crash.tree import Tree
from tests.support.patience import in_time
from tests.support.pipe_client import Line, lines
from tests.support.postgres import server_account

PATIENCE_S = 600.0
QUEUE = "sq001"
KILLS = 5
CONSUMERS, ITEMS = 32, 10_000
LEASED, WORKERS, VICTIMS = 400, 3, 12


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    one = Tree(tmp_path / "data", log=tmp_path / "log")
    one.start()
    yield one
    one.clear()


async def _opened(tree: Tree, act: Any) -> Any:
    settings = Settings(data=tree.data, database=DatabaseSettings(account=server_account()))
    async with open_context(settings, Role.WORKER, application="armillary test") as context:
        return await act(context)


async def _secret(tree: Tree) -> str:
    async def act(context: Context) -> str:
        async with context.database.begin() as connection:
            return await create_token(connection, "pipe", [Scope.PIPE], now=context.clock.now())

    secret: str = await _opened(tree, act)
    return secret


def _client(url: str, secret: str) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=64)
    return httpx.AsyncClient(
        base_url=url, headers={"X-Api-Key": secret}, timeout=PATIENCE_S, trust_env=False, limits=limits
    )


@dataclass
class Seen:
    """What producers and consumers were told."""

    stored: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    received: Counter[int] = field(default_factory=Counter)
    order: dict[int, list[int]] = field(default_factory=dict)
    unanswered: int = 0
    over: bool = False


async def _produce(tree: Tree, secret: str, seen: Seen, numbers: Iterator[int]) -> None:
    while not seen.over:
        async with _client(tree.url, secret) as client:
            try:
                while not seen.over:
                    number = next(numbers)
                    seen.unknown.add(number)
                    reply = await client.post(
                        "/pipe/enqueue", json={"queue_name": QUEUE, "payload": number, "sender": QUEUE}
                    )
                    seen.unknown.discard(number)
                    (seen.stored if reply.status_code == 200 else seen.refused).add(number)
            except httpx.TransportError:
                await asyncio.sleep(0.05)


async def _consume(tree: Tree, secret: str, seen: Seen, own: int) -> None:
    order = seen.order.setdefault(own, [])
    while not seen.over:
        async with _client(tree.url, secret) as client:
            asked = False
            try:
                while not seen.over:
                    asked = True
                    reply = await client.post(f"/pipe/queue/{QUEUE}/dequeue")
                    asked = False
                    if reply.status_code == 200:
                        number = reply.json()["payload"]
                        seen.received[number] += 1
                        order.append(number)
                    elif reply.status_code == 404:
                        assert reply.text == f"Queue is empty: {QUEUE}"
                        await asyncio.sleep(0.02)
            except httpx.TransportError:
                # An item may have been on its way: dequeue acknowledges at once.
                seen.unanswered += asked
                await asyncio.sleep(0.05)


@pytest.mark.crash
async def test_kills_lose_nothing_acknowledged_and_hand_nothing_out_twice(tree: Tree) -> None:
    seed = int(os.environ.get("ARMILLARY_TEST_SEED") or random.SystemRandom().randrange(2**31))
    chance, seen = random.Random(seed), Seen()
    secret = await _secret(tree)
    async with _client(tree.url, secret) as client:
        assert (await client.post("/pipe/queue", json={"queue_name": QUEUE})).status_code == 200
    numbers = iter(range(10**9))
    crowd = [asyncio.create_task(_produce(tree, secret, seen, numbers)) for _ in range(6)]
    crowd += [asyncio.create_task(_consume(tree, secret, seen, own)) for own in range(4)]
    try:
        for kill in range(KILLS):
            before = len(seen.stored)
            await _until(lambda before=before: len(seen.stored) > before + 200)
            await asyncio.sleep(chance.uniform(0, 0.3))
            if kill % 2:
                assert await tree.kill_one("postmaster")
                await asyncio.sleep(0)
            else:
                await tree.kill_all()
        before = len(seen.stored)
        await _until(lambda: len(seen.stored) > before + 200)
    finally:
        seen.over = True
        await asyncio.gather(*crowd)
    async with _client(tree.url, secret) as client:
        while (reply := await client.post(f"/pipe/queue/{QUEUE}/dequeue")).status_code == 200:
            seen.received[reply.json()["payload"]] += 1
    twice = [number for number, count in seen.received.items() if count > 1]
    assert not twice, (seed, twice)
    assert not seen.refused & set(seen.received), (seed, "stored although a reply said that it was not")
    lost = seen.stored - set(seen.received)
    assert len(lost) <= seen.unanswered, (seed, lost, seen.unanswered)
    assert len(seen.stored) > 200 * KILLS
    # Of what one producer at a time sent, each consumer got what came later later.
    assert all(set(order) <= seen.stored | seen.unknown for order in seen.order.values())


async def _until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        in_time(end, "clients get nothing done")
        await asyncio.sleep(0.02)


@pytest.fixture
def another(tree: Tree) -> Iterator[str]:
    """Run a second web process on the same database; yield its address."""
    # It inherits the socket: a port that is free now may be another's by the time that it listens.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd, url = listener.fileno(), f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "armillary", "serve", "--data", str(tree.data), "--fd", str(fd)]
        environment = {**os.environ, **tree.environment}
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, pass_fds=[fd])
    try:
        # The socket listens from the start, and so this waits until the process serves.
        httpx.get(f"{url}/pipe/queues", trust_env=False, timeout=PATIENCE_S)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.mark.crash
async def test_many_consumers_of_two_processes_drain_a_queue(tree: Tree, another: str) -> None:
    secret, half = await _secret(tree), CONSUMERS // 2
    async with lines(tree.url, secret, half) as ones, lines(another, secret, half) as others:
        assert (await ones[0].post("/pipe/queue", {"queue_name": QUEUE}))[0] == 200
        numbers = iter(range(ITEMS))

        async def produce(line: Line) -> None:
            for number in numbers:
                body = {"queue_name": QUEUE, "payload": number, "sender": QUEUE}
                assert (await line.post("/pipe/enqueue", body))[0] == 200

        async def consume(line: Line) -> list[int]:
            found = []
            while (reply := await line.post(f"/pipe/queue/{QUEUE}/dequeue"))[0] == 200:
                found.append(json.loads(reply[1])["payload"])
            assert reply == (404, f"Queue is empty: {QUEUE}".encode())
            return found

        await asyncio.gather(*map(produce, (*ones, *others)))
        async with _client(another, secret) as client:
            assert (await client.get("/pipe/queues")).json() == {QUEUE: ITEMS}
        found = await asyncio.gather(*map(consume, (*ones, *others)))
    assert sorted(number for numbers in found for number in numbers) == list(range(ITEMS))


def _worker(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command)


@pytest.mark.crash
async def test_workers_that_are_killed_lose_no_leased_item(tree: Tree, tmp_path: Path) -> None:
    seed = int(os.environ.get("ARMILLARY_TEST_SEED") or random.SystemRandom().randrange(2**31))
    chance, notes = random.Random(seed), tmp_path / "notes"
    secret = await _secret(tree)
    notes.touch()
    async with _client(tree.url, secret) as client:
        assert (await client.post("/pipe/queue", json={"queue_name": QUEUE})).status_code == 200
        assert (
            await client.patch(f"/v1/pipe/queues/{QUEUE}", json={"max_attempts": 1000})
        ).status_code == 200
        await asyncio.gather(
            *(
                client.post("/pipe/enqueue", json={"queue_name": QUEUE, "payload": number})
                for number in range(LEASED)
            )
        )
        command = [sys.executable, "-m", "tests.support.pipe_worker", tree.url, secret, QUEUE, str(notes)]
        workers = [_worker(command) for _ in range(WORKERS)]
        killed = 0
        try:
            end = time.monotonic() + PATIENCE_S
            while True:
                found = (await client.get(f"/v1/pipe/queues/{QUEUE}")).json()
                assert not found["dead"]
                if not found["waiting"] and not found["leased"]:
                    break
                in_time(end, found)
                await asyncio.sleep(chance.uniform(0.05, 0.4))
                place = chance.randrange(WORKERS)
                if killed < VICTIMS or workers[place].poll() is not None:
                    workers[place].kill()
                    workers[place].wait()
                    workers[place] = _worker(command)
                    killed += 1
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
    noted = Counter(notes.read_text().split())
    assert [number for number, count in noted.items() if count > 1] == [], seed

    async def act(context: Context) -> int:
        async with context.database.raw() as connection:
            count: int = await connection.fetchval("SELECT count(*) FROM pipe_acknowledged")
            return count

    # One claim of each item was accepted, also where the worker was killed before it could note that.
    assert await _opened(tree, act) == LEASED
