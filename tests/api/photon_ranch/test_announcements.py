"""Announcements over real sockets: an image is told once it can be queried, and replay leaves no gap."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from armillary.access.models import Scope
from tests.support.patience import in_time
from tests.support.ranch import BASE, header_text, picture
from tests.support.running import PATIENCE_S, Running

_numbers = itertools.count(200)


@pytest.fixture(scope="module")
def site(server: Running) -> Iterator[httpx.Client]:
    """Return a client with a key for uploads."""
    headers = {"X-Api-Key": server.token("announcing", Scope.UPLOAD)}
    with httpx.Client(base_url=f"{server.url}/dev", headers=headers, timeout=60) as client:
        yield client


def send(site: httpx.Client, name: str, content: bytes) -> None:
    slot = site.post("/upload", content=json.dumps({"object_name": name})).json()
    assert site.post(slot["url"], data=slot["fields"], files={"file": content}).status_code == 204


def an_image(site: httpx.Client, number: int) -> str:
    base = BASE.replace("00000012", f"{number:08d}")
    send(site, f"{base}-EX00.txt", header_text())
    send(site, f"{base}-EX10.jpg", picture())
    return base


def events(server: Running, count: int, *, after: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Return the next events of a stream with their ids."""
    headers = {"Last-Event-ID": after} if after else {}
    found: list[tuple[str, dict[str, Any]]] = []
    with httpx.stream("GET", f"{server.url}/v1/stream?site=saf", headers=headers, timeout=60) as stream:
        last = ""
        for line in stream.iter_lines():
            if line.startswith("id: "):
                last = line[4:]
            elif line.startswith("data: "):
                found.append((last, json.loads(line[6:])))
            elif not line and not found and not count:
                return [(last, {})]
            if count and len(found) == count:
                return found
    raise AssertionError("the stream ended")


def test_a_stream_goes_on_where_it_was_left(server: Running, site: httpx.Client) -> None:
    ((start, _),) = events(server, 0)
    bases = [an_image(site, number) for number in (101, 102)]
    told: dict[str, dict[str, Any]] = {}
    last = start
    while {one["data"]["base_filename"] for one in told.values()} != set(bases):
        ((last, one),) = events(server, 1, after=last)
        assert int(last) > int(start)
        told[last] = one
        # What is announced can be queried at once.
        assert site.get(f"/image/{one['data']['base_filename']}").status_code == 200
    for one in told.values():
        base = one["data"]["base_filename"]
        assert one == {
            "topic": "imagedata",
            "site": "saf",
            "data": {"s3_directory": "data", "base_filename": base, "site": "saf"},
        }
    again = events(server, len(told), after=start)
    assert [number for number, _ in again] == sorted(told, key=int)


def test_a_socket_tells_of_the_sites_that_are_wanted(server: Running, site: httpx.Client) -> None:
    address = server.url.replace("http", "ws") + "/v1/ws?site=nowhere"
    with connect(address) as socket:
        socket.send(json.dumps({"subscribe": {"site": "saf", "topics": ["imagedata"]}}))
        socket.send("no JSON at all")
        deadline, told = time.monotonic() + PATIENCE_S, list[dict[str, Any]]()
        while not told:
            in_time(deadline, "nothing is told")
            # The change of what is wanted and the image may pass each other.
            an_image(site, next(_numbers))
            with suppress(TimeoutError):
                told.append(json.loads(socket.recv(timeout=5)))
    assert told[0]["data"]["site"] == "saf"
    assert told[0]["topic"] == "imagedata"


def test_wrong_positions_are_refused(server: Running) -> None:
    for wrong in ("x", "-1", "9" * 60):
        reply = httpx.get(f"{server.url}/v1/stream", headers={"Last-Event-ID": wrong})
        assert reply.status_code in (400, 410, 422), wrong
