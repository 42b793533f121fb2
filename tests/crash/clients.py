"""Clients that go on whatever happens, and remember what they were promised."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from armillary.archive.intake import bulk
from armillary.context import Context
from armillary.edits.errors import OutcomeUnknown
from armillary.fits.crc import crc64
from tests.crash.night import frame_bytes
from tests.crash.tree import Tree

GROWTH = 40
COOKIE = "gemini_api_authorization"
UPLOADS = tuple(f"u{number}.fits" for number in range(4))


@dataclass
class Promises:
    """What was answered: numbers of accepted items, checksums of uploads with their bytes, ids of ingests."""

    items: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    uploads: dict[int, str] = field(default_factory=dict)
    contents: dict[int, bytes] = field(default_factory=dict)
    ingests: dict[int, str] = field(default_factory=dict)
    unanswered: int = 0
    unavailable: int = 0


@dataclass
class Clients:
    """Everybody who wants something of the tree."""

    tree: Tree
    secret: str
    chance: random.Random
    names: tuple[str, ...]
    promises: Promises = field(default_factory=Promises)
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    faults: list[str] = field(default_factory=list)

    async def run(
        self, *visits: Callable[[httpx.AsyncClient], Awaitable[None]], pause_s: float = 0.1
    ) -> None:
        """Let one client come again and again until told to stop."""
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            while not self.stop.is_set():
                try:
                    await self.chance.choice(visits)(client)
                except httpx.TransportError:
                    self.promises.unanswered += 1
                await asyncio.sleep(self.chance.uniform(0, 2 * pause_s))

    def item(self, name: str) -> tuple[int, dict[str, Any]]:
        """Return a numbered item: some cards, one of HISTORY, sometimes growth or an impossible extension."""
        number = next(self.numbers)
        cards: list[list[object]] = [[f"SOAK{self.chance.randrange(3)}", number]]
        cards.append(["HISTORY", f"order {number}"])
        if self.chance.random() < 0.1:
            group = self.chance.randrange(6)
            cards += [[f"G{group}X{index}", number] for index in range(GROWTH)]
        item: dict[str, Any] = {"filename": name, "values": {"generic": cards}}
        if self.chance.random() < 0.05:
            item["extension"] = 99
        return number, item

    async def edit(self, client: httpx.AsyncClient) -> None:
        """Post some items, several of them for one file at times."""
        names = self.chance.choices((*self.names, *UPLOADS), k=self.chance.choice((1, 1, 2, 4)))
        if self.chance.random() < 0.2:
            names = names[:1] * 8
        items = dict(self.item(name) for name in names)
        cookies = {"Cookie": f"{COOKIE}={self.secret}"}
        reply = await client.post(
            f"{self.tree.url}/update_headers", json=list(items.values()), headers=cookies
        )
        if reply.status_code == 503:
            self._expect(_is_refusal(reply), reply)
            if reply.json()[0]["error"] == OutcomeUnknown().message:
                # As if there had been no answer: the commit may have been carried out.
                self.promises.unanswered += 1
            else:
                self.promises.unavailable += 1
                self.promises.refused |= items.keys()
            return
        self._expect(reply.status_code == 200, reply)
        for number, element in zip(items, reply.json(), strict=True):
            if element["result"]:
                self.promises.items.add(number)
            else:
                self._expect(element["id"] in UPLOADS, reply)

    async def upload(self, client: httpx.AsyncClient) -> None:
        """Send a file under one of a few names."""
        seed = 1000 + next(self.numbers)
        content = frame_bytes(seed, kilobytes=8, extensions=1)
        name = self.chance.choice(UPLOADS)
        self.promises.contents[crc64(content)] = content
        reply = await client.post(
            f"{self.tree.url}/upload_file/soak/{name}",
            content=content,
            headers={"X-Api-Key": self.secret},
        )
        if reply.status_code == 503:
            self.promises.unavailable += 1
            return
        self._expect(reply.status_code == 200, reply)
        (element,) = reply.json()
        self._expect(element["md5"] == hashlib.md5(content, usedforsecurity=False).hexdigest(), reply)
        self.promises.uploads[crc64(content)] = name

    async def ingest(self, context: Context, directory: Path) -> None:
        """Put new files down and queue their intake, as the command does."""
        while not self.stop.is_set():
            path = directory / f"i{next(self.numbers)}.fits"
            await asyncio.to_thread(path.write_bytes, frame_bytes(7, kilobytes=4))
            try:
                run = await bulk.submit_paths(context, [path], copy=False, force=False, in_place=False)
            except Exception:
                self.promises.unanswered += 1
            else:
                self.promises.ingests |= dict.fromkeys(run.orders, path.name)
            await asyncio.sleep(self.chance.uniform(0, 1.0))

    def _expect(self, good: bool, reply: httpx.Response) -> None:
        if not good:
            self.faults.append(f"{reply.request.url}: {reply.status_code} {reply.text[:300]}")


def _is_refusal(reply: httpx.Response) -> bool:
    body = reply.json()
    return isinstance(body, list) and len(body) == 1 and body[0]["result"] is False and bool(body[0]["error"])
