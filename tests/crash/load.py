"""Six clients at work at once, for as long as one likes: ``python -m tests.crash.load [--minutes 5]``.

Two search and download, two edit and wait for the end, two upload. It fails if any answer is an error, if what
was written is not what is read afterwards, or if the memory of the processes grows.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from armillary.access.models import Scope
from tests.crash.night import Night, frame_bytes, make_night
from tests.support.kills import family
from tests.support.running import ANSWER_S, COOKIE, Running, running

GROWTH_LIMIT = 1.1
"""How much more the processes may hold in the last quarter than in the second one: caches fill at first."""
KINDS = frozenset({"read", "download", "edit", "edit, done", "upload"})
QUESTIONS = (
    "/v1/frames?limit=50",
    "/jsonsummary",
    "/jsonfilelist/present",
    "/v1/files/a1.fits/headers/0",
    "/fullheader/a2.fits",
    "/file/a3.fits",
    "/file/c0.fits",
    "/v1/health",
)


@dataclass
class Load:
    """What the clients do, how long the answers took, and what went wrong."""

    server: Running
    data: Path
    night: Night
    chance: random.Random
    times: dict[str, list[float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    edited: dict[str, int] = field(default_factory=dict)
    uploaded: dict[str, str] = field(default_factory=dict)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, seconds: float) -> None:
        """Let six clients work; then look whether the last value of everything is there."""
        visits = [self._read] * 2 + [self._edit] * 2 + [self._upload] * 2
        clients = [asyncio.create_task(self._client(number, visit)) for number, visit in enumerate(visits)]
        clients.append(asyncio.create_task(self._weigh()))
        await asyncio.sleep(seconds)
        self.stop.set()
        await asyncio.gather(*clients)
        async with self._connection() as client:
            await self._compare(client)

    def report(self) -> str:
        """Return a table of times and the memory."""
        lines = [f"{'request':10} {'number':>7} {'p50/ms':>8} {'p99/ms':>8}"]
        for kind, times in sorted(self.times.items()):
            cuts = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
            lines.append(f"{kind:10} {len(times):7} {cuts[49] * 1e3:8.1f} {cuts[98] * 1e3:8.1f}")
        first, last, most = self.memory_mb[0], self.memory_mb[-1], max(self.memory_mb)
        lines.append(f"memory {first:.0f} MB first, {last:.0f} MB last, {most:.0f} MB at most")
        return "\n".join(lines)

    def _connection(self) -> httpx.AsyncClient:
        secret = self.server.secret(Scope.ADMIN)
        return httpx.AsyncClient(
            base_url=self.server.url, headers={"X-Api-Key": secret}, timeout=ANSWER_S, trust_env=False
        )

    async def _client(self, number: int, visit: Callable[[httpx.AsyncClient, int], Awaitable[None]]) -> None:
        async with self._connection() as client:
            while not self.stop.is_set():
                await visit(client, number)

    async def _ask(self, client: httpx.AsyncClient, kind: str, request: httpx.Request) -> httpx.Response:
        began = time.perf_counter()
        answer = await client.send(request)
        self.times.setdefault(kind, []).append(time.perf_counter() - began)
        if answer.status_code != 200:
            self.faults.append(f"{kind} {request.url}: {answer.status_code} {answer.text[:300]}")
        return answer

    async def _read(self, client: httpx.AsyncClient, _number: int) -> None:
        question = self.chance.choice(QUESTIONS)
        kind = "download" if question.startswith("/file") else "read"
        await self._ask(client, kind, client.build_request("GET", question))
        await asyncio.sleep(0.02)

    async def _edit(self, client: httpx.AsyncClient, number: int) -> None:
        # Each client has files of its own, so that the last value is known.
        name = self.chance.choice(
            [n for i, n in enumerate(sorted(self.night.contents)) if i % 2 == number % 2]
        )
        value = self.edited.get(name, 0) + 1
        item = {"filename": name, "values": {"generic": [["SOAK0", value]]}}
        cookie = {"Cookie": f"{COOKIE}={self.server.secret(Scope.EDIT)}"}
        post = client.build_request("POST", "/update_headers", json=[item], headers=cookie)
        answer = await self._ask(client, "edit", post)
        if answer.status_code != 200 or answer.json()[0]["result"] is not True:
            self.faults.append(f"edit of {name}: {answer.text[:300]}")
            return
        self.edited[name] = value
        place = answer.headers["Location"]
        done = client.build_request("GET", place, params={"wait": 60}, headers=cookie)
        document = (await self._ask(client, "edit, done", done)).json()
        if not document["done"] or document["items"][0]["state"] != "completed":
            self.faults.append(f"edit of {name}: {document}")

    async def _upload(self, client: httpx.AsyncClient, number: int) -> None:
        name = f"up{number}-{self.chance.randrange(4)}.fits"
        content = frame_bytes(self.chance.randrange(1 << 30), kilobytes=20, extensions=1)
        key = {"X-Api-Key": self.server.secret(Scope.UPLOAD)}
        post = client.build_request("POST", f"/upload_file/load/{name}", content=content, headers=key)
        answer = await self._ask(client, "upload", post)
        if answer.status_code == 200:
            self.uploaded[name] = hashlib.md5(content, usedforsecurity=False).hexdigest()
        await asyncio.sleep(0.1)

    async def _weigh(self) -> None:
        while not self.stop.is_set():
            self.memory_mb.append(await asyncio.to_thread(memory_mb, self.data))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), 1.0)

    async def _compare(self, client: httpx.AsyncClient) -> None:
        await asyncio.to_thread(self.server.settle)
        for name, value in self.edited.items():
            header = (await client.get(f"/fullheader/{name}")).text
            if not any(
                line.split("/")[0].split() == ["SOAK0", "=", str(value)] for line in header.splitlines()
            ):
                self.faults.append(f"{name}: SOAK0 is not {value}")
        for name, digest in self.uploaded.items():
            found = hashlib.md5(
                (await client.get(f"/file/{name}")).content, usedforsecurity=False
            ).hexdigest()
            if found != digest:
                self.faults.append(f"{name}: md5 {found}, and not {digest}")


def growth(memory_mb: Sequence[float]) -> float:
    """Return the memory of the last quarter by that of the second one."""
    quarter = max(1, len(memory_mb) // 4)
    return statistics.median(memory_mb[-quarter:]) / statistics.median(
        memory_mb[quarter : 2 * quarter] or memory_mb
    )


def memory_mb(data: Path) -> float:
    """Return the memory of the program's processes, shared pages counted in part; PostgreSQL left out."""
    total = 0
    for process in family(set(), data):
        if " -m armillary " in process.command and process.pid != os.getpid():
            with contextlib.suppress(OSError):
                rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return total / 1024


def besiege(directory: Path, seconds: float, seed: int) -> Load:
    """Run an archive below a directory, and six clients on it."""
    night = make_night(directory)
    with running(directory / "data", ARMILLARY_LOGS__REQUESTS="false") as server:
        server.ingest(night.private, night.adopted)
        for scope in (Scope.ADMIN, Scope.EDIT, Scope.UPLOAD):
            server.secret(scope)
        load = Load(server, directory / "data", night, random.Random(seed))
        asyncio.run(load.run(seconds))
    return load


def main() -> int:
    """Run the load, print times and memory, and return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="armillary-load-") as directory:
        load = besiege(Path(directory), options.minutes * 60, options.seed)
    grown = growth(load.memory_mb)
    print(f"seed {options.seed}\n{load.report()}; growth {grown:.2f}, limit {GROWTH_LIMIT}")
    faults = load.faults + [f"no {kind} was asked for" for kind in sorted(KINDS - load.times.keys())]
    print("\n".join(faults[:20]) or "no error")
    return int(bool(faults) or grown > GROWTH_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
