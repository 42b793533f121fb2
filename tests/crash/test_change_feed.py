"""A follower of the feed learns of every change once, whoever is killed and however often it comes back."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from armillary.archive.intake import bulk
from armillary.base.database import Role
from armillary.base.database_errors import is_transient
from armillary.base.feed.models import Cursor
from armillary.base.work import wait_for
from armillary.context import Context, open_context
from armillary.settings import Settings
from tests.crash.judgement import rows
from tests.crash.night import frame_bytes
from tests.crash.tree import QUICK, Tree
from tests.support.archive import ORIGIN
from tests.support.edits import accept
from tests.support.events import Event, Reader
from tests.support.kills import kill
from tests.support.nursery import Nursery

FILES, CHANGES, LIVES = 400, 10_000, 3
KILLS, VISITS = 5, 20
PATIENCE_S = 1800.0
STREAM = {"Accept": "text/event-stream"}
UNFINISHED = "SELECT count(*) FROM work_order WHERE state IN ('Queued', 'Started')"


@dataclass
class Follower:
    """A client that hangs up at random and comes back with the last id that it knows."""

    tree: Tree
    chance: random.Random
    seen: list[Event] = field(default_factory=list)
    visits: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self) -> None:
        """Follow until cancelled."""
        reader = Reader()
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            while True:
                self.visits += 1
                self.news.set()
                # What fails here is the web process being killed; whoever follows comes again.
                with suppress(httpx.HTTPError):
                    await self._visit(client, reader)
                await asyncio.sleep(self.chance.uniform(0, 0.1))

    async def until(self, number: int) -> None:
        """Wait until so many events were seen, by more than a few visits."""
        while len(self.seen) < number or self.visits <= VISITS:
            self.news.clear()
            await self.news.wait()

    async def _visit(self, client: httpx.AsyncClient, reader: Reader) -> None:
        headers = STREAM | ({"Last-Event-ID": reader.last_id} if reader.last_id else {})
        url, bored_s = f"{self.tree.url}/v1/changes", self.chance.uniform(0.01, 1.0)
        async with client.stream("GET", url, headers=headers) as reply:
            assert reply.status_code == 200, await reply.aread()
            with suppress(TimeoutError):
                async with asyncio.timeout(bored_s):
                    await self._read(reply.aiter_lines(), reader, self.chance.randrange(1, 4000))

    async def _read(self, lines: AsyncIterator[str], reader: Reader, most: int) -> None:
        piece: list[str] = []
        async for line in lines:
            piece.append(line)
            if not line:
                self.seen += reader.events(piece)
                self.news.set()
                piece = []
            most -= 1
            if not most:
                return


async def short_lives(nursery: Nursery, chance: random.Random, name: str, killed: list[int]) -> None:
    """Start workers and kill them, for ever."""
    while True:
        pid = await asyncio.to_thread(nursery.spawn, name)
        await asyncio.sleep(chance.uniform(0.5, 4.0))
        if kill(pid):
            killed.append(pid)


async def deaths_of_the_web(tree: Tree, chance: random.Random, killed: list[int]) -> None:
    """Kill the web process now and then."""
    while True:
        await asyncio.sleep(chance.uniform(2, 5))
        if (process := await asyncio.to_thread(tree.one, "serve")) and kill(process.pid):
            killed.append(process.pid)


async def count(context: Context, query: str) -> int:
    """Return a number of the database, whatever its connections go through."""
    while True:
        try:
            return int((await rows(context, query))[0][0])
        except Exception as error:
            if not is_transient(error):
                raise
        await asyncio.sleep(0.1)


async def settle(context: Context, most: int) -> None:
    """Wait until no more than so many orders are unfinished."""
    left = most + 1
    while left > most:
        await asyncio.sleep(0.1)
        left = await count(context, UNFINISHED)


async def change_much(context: Context, directory: Path, enough: Callable[[], bool]) -> None:
    """Take files in, then edit all of them again and again, until everything has happened that should."""
    run = await bulk.submit_paths(context, [directory], copy=False, force=False, in_place=True)
    ended = await wait_for(context.database, context.signals, list(run.orders), PATIENCE_S)
    assert [one.response.error for one in ended.values() if not one.response.ok] == []
    number = 0
    while await count(context, "SELECT count(*) FROM feed_entry") < CHANGES or not enough():
        number += 1
        values = {"generic": {"SOAK0": number}}
        items = [{"filename": f"f{one}.fits", "values": values} for one in range(FILES)]
        accepted = await accept(context, json.dumps(items).encode(), ORIGIN)
        assert all(element["result"] for element in accepted.reply)
        # Orders of one file that wait together would share a version.
        await settle(context, FILES // 4)
    await settle(context, 0)


async def told(context: Context) -> list[str]:
    """Return the cursors of all changes in their order."""
    query = "SELECT generation, number, id FROM feed_entry ORDER BY 1, 2, 3"
    return [Cursor(*row).token for row in await rows(context, query)]


async def versions(context: Context) -> dict[int, tuple[bool, bool, bool]]:
    """Return how every version stands: present, canonical, digests known."""
    found = await rows(context, "SELECT id, present, canonical, data_md5 IS NOT NULL FROM version")
    return {row[0]: (row[1], row[2], row[3]) for row in found}


def replayed(seen: list[Event]) -> dict[int, tuple[bool, bool, bool]]:
    """Return how every version stands to somebody who knows the feed alone."""
    states: dict[int, tuple[bool, bool, bool]] = {}
    for event in seen:
        one: dict[str, Any] = event.data
        born = event.kind in ("added", "changed")
        assert born == (one["version"] not in states), one
        # Digests of a small file come with the edit.
        known = one["data_md5"] is not None or states.get(one["version"], (0, 0, False))[2]
        states[one["version"]] = one["present"], one["canonical"], known
    return states


@pytest.mark.crash
async def test_ten_thousand_changes_are_told_once_each_under_kills_and_reconnects(tmp_path: Path) -> None:
    chance = random.Random(3)
    tree = Tree(tmp_path / "data", log=tmp_path / "up.log")
    directory = tmp_path / "night"
    directory.mkdir()
    for number in range(FILES):
        (directory / f"f{number}.fits").write_bytes(frame_bytes(number, kilobytes=4))
    killed: list[int] = []
    follower = Follower(tree, chance)
    await asyncio.to_thread(tree.start)
    nursery = Nursery(tree.data, QUICK)
    account = {"account": QUICK["ARMILLARY_DATABASE__ACCOUNT"]}
    tasks: list[asyncio.Task[None]] = []
    try:
        settings = Settings.model_validate({"data": tree.data, "database": account})
        async with open_context(settings, Role.WORKER, application="armillary test") as context:
            following = asyncio.create_task(follower.follow())
            tasks = [asyncio.create_task(deaths_of_the_web(tree, chance, killed))]
            tasks += [
                asyncio.create_task(short_lives(nursery, chance, f"life-{n}", killed)) for n in range(LIVES)
            ]
            async with asyncio.timeout(PATIENCE_S):
                await change_much(context, directory, lambda: len(killed) > KILLS)
                for task in tasks:
                    task.cancel()
                expected = await told(context)
                reached = asyncio.create_task(follower.until(len(expected)))
                await asyncio.wait({following, reached}, return_when=asyncio.FIRST_COMPLETED)
                assert not following.done(), following.exception()
            # Time for what would be too much.
            await asyncio.sleep(0.5)
            following.cancel()
            standing = await versions(context)
        print(f"{len(expected)} changes, {len(killed)} kills, {follower.visits} visits")
        assert len(expected) >= CHANGES
        assert [event.id for event in follower.seen] == expected
        assert replayed(follower.seen) == standing
        await asyncio.to_thread(tree.stop)
    finally:
        for task in tasks:
            task.cancel()
        nursery.close()
        tree.clear()
