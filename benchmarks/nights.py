"""Benchmark 6b: the night of a site over HTTP, against Photon Ranch's method behind the same server.

Ours is a whole web process: rights, limits, the log, the configuration of the site and that of its WEMA from the
database. The peer is a bare application on uvicorn, too, that knows the place already and has the ephemeris open;
its route makes the searches that :mod:`benchmarks.almanac` tells of. Both are asked by one client, a request at a
time on one connection, for one night after the other. Clients ask for tonight again and again, so the row is about
nights that were asked for before; "6b first" is about those that were not.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles

from armillary.context import Context
from armillary.sites.service import put_config
from benchmarks.almanac import CLOSE_DAY, METHOD, SITE, WHEN, Found, peer
from benchmarks.scratch import scratch
from benchmarks.served import archive_of, processes
from benchmarks.table import Row, finish

REQUESTS, PEERS, NIGHTS = 500, 5, 100
TARGET, LIMIT_S = 100.0, 0.005
LOOK_S, START_S = 0.05, 60.0
WEMA = {
    "instance_type": "wema",
    "wema_name": "sro",
    "latitude": SITE.latitude_deg,
    "longitude": SITE.longitude_deg,
    "TZ_database_name": SITE.zone,
}
OBSERVATORY = {"instance_type": "obs", "obs_id": "sro1", "wema_name": "sro"}


class Asker:
    """One connection to a server."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def night(self, number: int) -> tuple[float, Found]:
        """Ask for a night; return the seconds that it took, and the events."""
        when = (WHEN + timedelta(days=number % NIGHTS)).timestamp()
        start = time.perf_counter()
        self._connection.request("GET", f"/events?site=sro1&when={when}")
        reply = self._connection.getresponse()
        content = reply.read()
        seconds = time.perf_counter() - start
        if reply.status != 200:
            raise AssertionError(content)
        return seconds, json.loads(content)


def asker(port: int) -> Asker:
    """Return a connection to a server that may just be starting."""
    end = time.monotonic() + START_S
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return Asker(port)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(LOOK_S)


@contextmanager
def searching() -> Iterator[int]:
    """Run the peer; return its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.nights", "serve", str(port)]
    process = subprocess.Popen(command, cwd=Path(__file__).parent.parent)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def serve(port: int) -> None:
    """Answer requests for nights by searches of skyfield, until ended."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from armillary.sites.almanac.nights import night_holding, read_instant
    from armillary.sky.ephemeris import EPOCH_JD

    with peer() as old:

        def events(request: Request) -> JSONResponse:
            night = night_holding(SITE, read_instant(request.query_params["when"]))
            found = {name: when + EPOCH_JD for name, when in old.night(night).items()}
            return JSONResponse(dict(sorted(found.items(), key=lambda one: one[1])))

        uvicorn.run(Starlette(routes=[Route("/events", events)]), port=port, log_level="error", loop="uvloop")


async def _configured(context: Context) -> None:
    for name, config in (("sro", WEMA), ("sro1", OBSERVATORY)):
        await put_config(context, name, json.dumps(config).encode(), actor="benchmark")


async def _measure(folder: Path) -> list[Row]:
    async with archive_of(folder) as context:
        await _configured(context)
        with processes(context.settings.data, workers=0) as tree, searching() as port:
            mine = await asyncio.to_thread(asker, int(tree.address.rpartition(":")[2]))
            theirs = await asyncio.to_thread(asker, port)
            return await asyncio.to_thread(_rows, mine, theirs)


def _rows(mine: Asker, theirs: Asker) -> list[Row]:
    ours: list[float] = []
    peers: list[float] = []
    # The first request makes the table of the year, and opens what the peer needs.
    for one in (mine, theirs):
        one.night(0)
    first = [mine.night(number)[0] for number in range(1, NIGHTS)]
    for round_ in range(PEERS):
        seconds, there = theirs.night(round_)
        peers.append(seconds)
        _, here = mine.night(round_)
        if any(abs(here[name] - when) > CLOSE_DAY for name, when in there.items()):
            raise AssertionError(f"{here} is not {there}")
        ours += [mine.night(number)[0] for number in range(REQUESTS // PEERS)]
    slowest = quantiles(ours, n=100)[-1]
    return [
        Row("6b", "the night of a site over HTTP", median(ours), {METHOD: median(peers)}, {METHOD: TARGET}),
        Row("6b first", "a night that nobody asked for before", median(first), {METHOD: median(peers)}, {}),
        Row("6b p99", f"p99 of {REQUESTS} of them", slowest, {"5 ms": LIMIT_S}, {"5 ms": 1.0}),
    ]


def run() -> list[Row]:
    """Measure both rows."""
    with scratch() as folder:
        return asyncio.run(_measure(folder))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", port]:
            serve(int(port))
        case _:
            finish(run())
