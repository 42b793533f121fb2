"""Benchmark 11: pages of the console among a million frames, each beside the native calls that it wraps.

A whole web process is asked by one client on one connection, a request at a time, page and call in turn: rights,
limits, log and templates are part of it, pictures are not. A page has to come within 50 ms and in at most twice
the time of these, and weigh less than 200 kB; what it shows is compared with what the first of them says.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from armillary.access.models import Permission, Scope
from armillary.access.service import create_token
from armillary.archive.query.cursors import write_cursor
from armillary.context import Context
from armillary.demo.filling import fill
from benchmarks.nights import START_S, asker
from benchmarks.scratch import scratch
from benchmarks.served import archive_of, processes, scalar
from benchmarks.table import Again, Row, finish

FRAMES, ROUNDS, PAGE, LATEST = 1_000_000, 15, 100, 24
LIMIT, LIMIT_S, CALLS = "limit of 50 ms", 0.05, "the native calls"
MOST_BYTES = 200_000
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
NOBODY, UNINDEXED = "Nothing 99", "GAIN>2.5"
HOUR = timedelta(hours=1)
OVERVIEW = (
    f"/v1/frames?limit={LATEST}",
    "/v1/nights?newest=10&by=instrument",
    "/v1/status",
    "/v1/changesets",
)
FILE = ("", "/versions", "/headers/0", "/neighbours", "/edits")
WORK = ("/v1/orders?limit=25", "/v1/changesets", "/v1/exports", "/v1/pipe/queues", "/v1/services")


@dataclass(frozen=True)
class Question:
    """A page, the calls that it wraps, and what of the first answer the page has to show."""

    title: str
    page: str
    calls: Sequence[str]
    shows: Callable[[Any], Sequence[str]] = lambda _found: ()


def names(found: Any) -> list[str]:
    """Return the names of the frames of an answer."""
    return [one["name"] for one in found["frames"]]


def searches(last: str) -> Iterator[Question]:
    """Yield searches: easy ones, and the worst that there are."""
    asked: dict[str, dict[str, str]] = {
        "the latest frames": {},
        "no match": {"object": NOBODY},
        "an unindexed keyword": {"keyword": UNINDEXED},
        "a cone": {"cone": "150.1,2.2,0.5"},
        "the last page": {"cursor": last},
    }
    for title, terms in asked.items():
        query = urlencode({**terms, "limit": PAGE})
        yield Question(f"search, {title}", f"/frames?{query}", [f"/v1/frames?{query}&total=estimate"], names)


class Client:
    """One connection to the server, which shows a token of an administrator."""

    def __init__(self, connection: HTTPConnection, secret: str) -> None:
        self._connection, self._headers = connection, {"X-Api-Key": secret}

    def ask(self, path: str, *, browser: bool) -> tuple[float, bytes]:
        """Return the seconds of a request, and its answer."""
        start = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers | (BROWSER if browser else {}))
        reply = self._connection.getresponse()
        content = reply.read()
        seconds = time.perf_counter() - start
        if reply.status != 200:
            raise AssertionError(f"{path}: {reply.status} {content[:500]!r}")
        return seconds, content


def measure(client: Client, number: int, question: Question) -> Row:
    """Ask for a page and for the calls that it wraps in turn, and compare what they say."""
    pages, calls = [], []
    for turn in range(ROUNDS + 1):
        page_s, page = client.ask(question.page, browser=True)
        told = [client.ask(call, browser=False) for call in question.calls]
        if turn:
            pages.append(page_s)
            calls.append(sum(seconds for seconds, _ in told))
    text = page.decode()
    if missing := [one for one in question.shows(json.loads(told[0][1])) if one not in text]:
        raise AssertionError(f"{question.page} does not show {missing[:3]}")
    if len(page) > MOST_BYTES:
        raise AssertionError(f"{question.page} weighs {len(page)} bytes")
    work = f"1 M frames: page of {question.title} ({len(page) / 1000:.0f} kB)"
    return Row(
        f"11.{number}", work, median(pages), {CALLS: median(calls), LIMIT: LIMIT_S}, {CALLS: 0.5, LIMIT: 1.0}
    )


def questions(client: Client, last: str) -> list[Question]:
    """Return what is asked; ``last`` is the cursor of the last page."""
    newest = json.loads(client.ask("/v1/frames?limit=1", browser=False)[1])["frames"][0]
    name = newest["name"]
    site, night = newest["site"], newest["night"]
    month = night[:7]
    return [
        Question("overview", "/", OVERVIEW, names),
        *searches(last),
        Question(
            "the calendar", f"/frames/calendar?month={month}", [f"/v1/nights?from={month}-01&to={night}"]
        ),
        Question("file", f"/files/{name}", [f"/v1/files/{name}{part}" for part in FILE]),
        Question("night", f"/nights/{site}/{night}", [f"/v1/frames?site={site}&night={night}&limit=999"]),
        Question("work", "/work", WORK),
        Question("status", "/status", ["/v1/status", "/v1/status/history?hours=6"]),
    ]


async def _token(context: Context) -> str:
    async with context.database.begin() as connection:
        now = context.clock.now()
        return await create_token(connection, "benchmark", [Permission(Scope.ADMIN)], now=now)


async def _filled(folder: Path) -> tuple[str, str]:
    """Fill an archive; return the secret of a token, and the cursor of the last page."""
    async with archive_of(folder) as context:
        await fill(context, FRAMES)
        oldest = await scalar(context, "SELECT min(started_at) FROM frame")
        return await _token(context), write_cursor(oldest + HOUR, 0)


def rows(again: Again = lambda _rows: False) -> list[Row]:
    """Measure and return the rows of benchmark 11."""
    with scratch() as folder:
        secret, last = asyncio.run(_filled(folder))
        with processes(folder / "data", workers=1) as tree:
            port = int(tree.address.rpartition(":")[2])
            asker(port)
            client = Client(HTTPConnection("127.0.0.1", port, timeout=START_S), secret)
            asked = questions(client, last)
            while True:
                found = [measure(client, number, one) for number, one in enumerate(asked, 1)]
                if not again(found):
                    return found


if __name__ == "__main__":
    finish(rows())
