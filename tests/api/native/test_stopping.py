"""A server that is to stop ends its streams in good order, instead of waiting for them or cutting them."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx

from armillary.access.models import Scope
from tests.support.events import Reader
from tests.support.running import running


def test_streams_end_when_the_server_stops(tmp_path: Path) -> None:
    ends: dict[str, object] = {}
    begun = threading.Barrier(3)

    def follow(url: str, path: str, headers: dict[str, str]) -> None:
        with httpx.stream("GET", url + path, headers=headers, timeout=60, trust_env=False) as reply:
            lines = reply.iter_lines()
            next(lines)
            begun.wait(60)
            try:
                ends[path] = list(Reader().events(lines))
            except httpx.TransportError as error:
                ends[path] = error

    with running(tmp_path / "data") as server:
        key = {"X-Api-Key": server.secret(Scope.ADMIN), "Accept": "text/event-stream"}
        paths = ("/v1/changes", "/v1/orders/events")
        threads = [threading.Thread(target=follow, args=(server.url, path, key)) for path in paths]
        for thread in threads:
            thread.start()
        begun.wait(60)
    for thread in threads:
        thread.join(60)
    assert [ends[path] for path in paths] == [[], []]
