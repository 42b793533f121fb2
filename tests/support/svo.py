"""A virtual observatory to publish to, and a hand in what it knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from armillary.demo.svo import Dataset, Svo, User, World, a_dataset, running

DATASET = "CHROMIS"
KEY = "0123456789abcdef0123456789abcdef01234567"
OWNER = User("owner", KEY)


@dataclass
class Hands:
    """The clock of a server, which moves when a test says so."""

    now: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def read(self) -> datetime:
        """Return the time."""
        return self.now

    def move(self, **by: float) -> None:
        """Let time pass."""
        self.now += timedelta(**by)


def a_world(*datasets: Dataset, **options: Any) -> World:
    """Return a world of datasets, with an owner who may do everything."""
    world = World(**options)
    for one in datasets or (a_dataset(DATASET),):
        world.add_dataset(one)
    world.add_user(OWNER)
    return world


@dataclass
class Wire:
    """Requests to a server, as they go over the network."""

    svo: Svo
    http: httpx.Client
    user: User | None = OWNER

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Send a request; paths begin below the base, or at the root of the host if they hold it."""
        base = httpx.URL(self.svo.url)
        url = base.join(path) if path.startswith(base.path) else f"{self.svo.url}{path}"
        headers = {"Authorization": f"ApiKey {self.user.name}:{self.user.key}"} if self.user else {}
        headers |= options.pop("headers", {})
        if body is not None and "content" not in options:
            options["json"] = body
        return self.http.request(method, url, headers=headers, **options)

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of an address."""
        reply = self.ask("GET", path, params=params or None)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def post(self, body: Any, **options: Any) -> httpx.Response:
        """Make a record."""
        return self.ask("POST", "/metadata_chromis/", body, **options)

    def record(self, oid: str) -> Any:
        """Return a record."""
        return self.get(f"/metadata_chromis/{oid}/")


def a_place(**changes: Any) -> dict[str, Any]:
    """Return a location as records give it."""
    known = {
        "dataset": "/service/api/svo/dataset/CHROMIS/",
        "file_url": "https://data.example/one.fits",
        "file_size": 2880,
        "file_path": "2026-01-01/CHROMIS/one.fits",
        "thumbnail_url": None,
        "offline": False,
    }
    return known | changes


@contextlib.contextmanager
def wired(world: World | None = None, user: User | None = OWNER) -> Iterator[Wire]:
    """Serve a world and open a client to it."""
    with running(world or a_world()) as svo, httpx.Client(trust_env=False, timeout=30.0) as http:
        yield Wire(svo, http, user)
