"""A header service that works beside a running server, and a camera that publishes over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import msgspec

from armillary.base.bus.models import Sample
from armillary.base.database import Role
from armillary.context import open_context
from armillary.headers import service
from armillary.sky.instants import tai_of_datetime
from tests.support.exposing import INSTRUMENT, LATE_S, SECOND, Camera, configure, with_headers
from tests.support.patience import in_time
from tests.support.running import PATIENCE_S, Running

T = TypeVar("T")


class RemoteCamera(Camera):
    """A camera that knows nothing but the time."""

    def __init__(self, epoch: str) -> None:
        super().__init__(context=None, epoch=epoch)  # type: ignore[arg-type]

    def now(self) -> int:
        """Return the present instant in TAI ns."""
        return tai_of_datetime(datetime.now(UTC))


@dataclass
class Beside:
    """An instrument of a server: its camera, and questions about its headers by HTTP."""

    server: Running
    client: httpx.Client
    camera: RemoteCamera
    instrument: str = INSTRUMENT
    _times: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def next_t(self) -> int:
        """Return an instant of hours ago, after all that were given: no image is in the time of another one."""
        return self.camera.now() - 50_000 * SECOND + 100 * SECOND * next(self._times)

    def publish(self, *samples: Sample) -> dict[str, Any]:
        """Store samples."""
        reply = self.client.post("/v1/samples", json=msgspec.to_builtins(samples))
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def expose(self, *images: str) -> None:
        """Publish everything that images consist of, and wait for their headers."""
        t = self.next_t()
        for number, image in enumerate(images):
            self.publish(*self.camera.image(image, t + number * 5 * SECOND))
        for image in images:
            self.header(image)

    def path(self, image: str) -> str:
        """Return where a header is."""
        return f"/v1/headers/{self.instrument}/{image}"

    def header(self, image: str, **asked: Any) -> httpx.Response:
        """Return the answer with a header, as soon as it is there."""
        return self.until(lambda: self._header(image, asked))

    def _header(self, image: str, asked: dict[str, Any]) -> httpx.Response | None:
        reply = self.client.get(self.path(image), params=asked)
        assert reply.status_code in (200, 202, 404), reply.text
        return reply if reply.status_code == 200 else None

    def command(self, name: str, **arguments: Any) -> httpx.Response:
        """Give a command."""
        return self.client.post(f"/v1/services/{self.instrument}/commands/{name}", json=arguments)

    def enable(self) -> None:
        """Lead the service to ENABLED."""
        self.until(lambda: self.client.get(f"/v1/services/{self.instrument}").status_code == 200)
        for name in ("start", "enable"):
            assert self.command(name).status_code in (200, 409)
        assert self.command("status").json()["state"] == "ENABLED"

    def until(self, ask: Callable[[], T | None]) -> T:
        """Ask until there is an answer."""
        end = time.monotonic() + PATIENCE_S
        while not (found := ask()):
            in_time(end, ask)
            time.sleep(0.02)
        return found


@contextlib.contextmanager
def serving(server: Running) -> Iterator[None]:
    """Let a header service of the small instrument work in a thread."""
    configure(server.settings.headers.at(server.settings.data), INSTRUMENT)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def body() -> None:
        async with open_context(server.settings, Role.WORKER, application="armillary header test") as context:
            await service.run(with_headers(context, late_s=LATE_S), INSTRUMENT, stop)

    thread = threading.Thread(target=loop.run_until_complete, args=(body(),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
