"""Every process is killed in the middle of an evening's uploads and enqueues: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.crash.tree import QUICK, Tree
from tests.support.patience import in_time
from tests.support.ranch import header_text, picture
from tests.support.running import PATIENCE_S

KILLS = 4
SITE = "saf"


@dataclass
class Acknowledged:
    """What the server has said that it has, and what it may have had a word about that was lost on the way."""

    files: set[str] = field(default_factory=set)
    enqueued: set[int] = field(default_factory=set)
    tried: set[int] = field(default_factory=set)
    taken: list[int] = field(default_factory=list)
    broken_takes: int = 0


async def send(client: httpx.AsyncClient, name: str, content: bytes) -> None:
    slot = (await client.post("/upload", json={"object_name": name})).raise_for_status().json()
    reply = await client.post(slot["url"], data=slot["fields"], files={"file": content})
    assert reply.status_code == 204, reply.text


async def observe(tree: Tree, said: Acknowledged, stop: asyncio.Event) -> None:
    """Send exposures one after another; what was not acknowledged is given up, as the real programs do."""
    number = 0
    text, small = header_text(), picture(64, 48)
    while not stop.is_set():
        number += 1
        base = f"{SITE}-sq003ms-20261130-{number:08d}"
        with contextlib.suppress(httpx.HTTPError, KeyError, AssertionError):
            async with httpx.AsyncClient(base_url=f"{tree.url}/api", timeout=30) as client:
                for name, content in ((f"{base}-EX00.txt", text), (f"{base}-EX10.jpg", small)):
                    await send(client, name, content)
                    said.files.add(name)
                said.tried.add(number)
                item = {"queue_name": SITE, "payload": number, "sender": SITE}
                (await client.post("/pipe/enqueue", json=item)).raise_for_status()
                said.enqueued.add(number)
        await asyncio.sleep(0.02)


async def take(tree: Tree, said: Acknowledged, stop: asyncio.Event) -> None:
    """Take items out of the queue until told to stop."""
    while not stop.is_set():
        try:
            async with httpx.AsyncClient(base_url=f"{tree.url}/api", timeout=30) as client:
                reply = await client.post(f"/pipe/queue/{SITE}/dequeue")
            if reply.status_code == 200:
                said.taken.append(reply.json()["payload"])
            elif reply.status_code >= 500:
                said.broken_takes += 1
        except httpx.ConnectError:
            pass
        except httpx.HTTPError:
            said.broken_takes += 1
        await asyncio.sleep(0.05)


async def drain(tree: Tree, said: Acknowledged) -> None:
    async with httpx.AsyncClient(base_url=f"{tree.url}/api", timeout=60) as client:
        while (reply := await client.post(f"/pipe/queue/{SITE}/dequeue")).status_code == 200:
            said.taken.append(reply.json()["payload"])


async def all_images(tree: Tree, wanted: set[str]) -> None:
    """Wait until every image of which picture and header were acknowledged is whole."""
    bases = {name[:-9] for name in wanted if name.endswith("10.jpg")} & {
        name[:-9] for name in wanted if name.endswith("00.txt")
    }
    deadline = time.monotonic() + PATIENCE_S
    async with httpx.AsyncClient(base_url=f"{tree.url}/api", timeout=60) as client:
        while True:
            found = (await client.get("/filtered_images", params={"site": SITE})).raise_for_status().json()
            whole = {one["base_filename"] for one in found if one["capture_date"] and one["jpg_small_exists"]}
            assert len(found) == len({one["base_filename"] for one in found})
            if bases <= whole:
                return
            in_time(deadline, f"{len(bases - whole)} of {len(bases)} images are missing")
            await asyncio.sleep(0.2)


@pytest.mark.crash
async def test_nothing_acknowledged_is_lost_when_everything_dies(tmp_path: Path) -> None:
    seed = int(os.environ.get("ARMILLARY_TEST_SEED") or random.SystemRandom().randrange(2**31))
    dice = random.Random(seed)
    tree, said, stop = (
        Tree(tmp_path / "data", settings=QUICK, ARMILLARY_AUTH__MODE="open"),
        Acknowledged(),
        asyncio.Event(),
    )
    try:
        await asyncio.to_thread(tree.start)
        async with httpx.AsyncClient(base_url=tree.url, timeout=60) as client:
            (await client.post("/api/pipe/queue", json={"queue_name": SITE})).raise_for_status()
        busy = [asyncio.create_task(action(tree, said, stop)) for action in (observe, take)]
        for _ in range(KILLS):
            known = len(said.enqueued)
            deadline = time.monotonic() + PATIENCE_S
            while len(said.enqueued) < known + 3:
                in_time(deadline, "nothing is acknowledged")
                await asyncio.sleep(0.05)
            await asyncio.sleep(dice.uniform(0.0, 0.5))
            await tree.kill_all()
        stop.set()
        await asyncio.gather(*busy)
        await drain(tree, said)
        await all_images(tree, said.files)
        assert len(said.taken) == len(set(said.taken)), f"seed {seed}: delivered twice"
        assert set(said.taken) <= said.tried, f"seed {seed}"
        # A reply that broke off may have had an item in it; no other one may be missing.
        lost = said.enqueued - set(said.taken)
        assert len(lost) <= said.broken_takes, f"seed {seed}: {sorted(lost)}"
    finally:
        await asyncio.to_thread(tree.clear)
