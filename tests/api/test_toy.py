"""A dialect that was mounted by one entry: it uploads, finds, edits, and keeps every rule of the floor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from armillary.access.models import Permission, Scope
from armillary.access.service import create_token
from armillary.api.http.dialect import Dialect, DialectRouter
from armillary.api.http.policy import UndeclaredRoute
from armillary.app import DIALECTS, create_app
from armillary.archive.catalog.service import store_root
from armillary.settings import LimitSettings
from tests.support import toy
from tests.support.archive import Archive, archive
from tests.support.embargo import FILES, PAST
from tests.support.postgres import postgres
from tests.support.toy import TOY

__all__ = ["archive", "postgres"]
PUBLIC = next(one for one in FILES if one.release == PAST and not one.container)


def test_a_new_interface_needs_no_more_than_eighty_lines() -> None:
    assert len(Path(toy.__file__).read_text().splitlines()) <= 80


class Toys:
    """A client of the dialect, with a token for everything."""

    def __init__(self, archive: Archive, client: httpx.AsyncClient, secret: str) -> None:
        self.archive, self.client, self.token = archive, client, {"X-Toy": secret}

    async def bearing(self, name: str, *scopes: str) -> Toys:
        """Return the same client with a token for other scopes."""
        async with self.archive.context.database.begin() as connection:
            wanted, now = map(Permission.of_text, scopes), self.archive.context.clock.now()
            secret = await create_token(connection, name, wanted, now=now)
        return Toys(self.archive, self.client, secret)

    async def ask(
        self, method: str, path: str, content: bytes = b"", *, shown: bool = True
    ) -> httpx.Response:
        return await self.client.request(
            method, f"/toy{path}", content=content, headers=self.token if shown else {}
        )


async def serving(archive: Archive, **limits: Any) -> AsyncIterator[Toys]:
    settings = archive.context.settings.model_copy(update={"limits": LimitSettings(**limits)})
    app = create_app(settings, dialects=(*DIALECTS, TOY))
    app.state.context = archive.context
    async with archive.context.database.begin() as connection:
        await store_root(connection, archive.context)
        scopes = [Scope.READ, Scope.UPLOAD, Scope.EDIT]
        secret = await create_token(connection, "player", scopes, now=archive.context.clock.now())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield Toys(archive, client, secret)


@pytest.fixture
async def toys(archive: Archive) -> AsyncIterator[Toys]:
    async for one in serving(archive):
        yield one


async def test_a_frame_comes_in_is_found_and_edited(toys: Toys) -> None:
    sent = await toys.ask("PUT", "/frames/a.fits", PUBLIC.content())
    assert sent.status_code == 202, sent.text
    await toys.archive.drain()
    (found,) = (await toys.ask("GET", "/frames")).json()
    assert found["name"] == "a.fits"
    edited = await toys.ask("POST", "/frames/a.fits/cards", b"OBSERVER=A. Player")
    await toys.archive.finish([edited.json()["order"]])
    fetched = await toys.ask("GET", "/frames/a.fits")
    assert b"OBSERVER= 'A. Player'" in fetched.content
    assert (await toys.ask("GET", "/frames?telescope=none")).json() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/frames/none.fits", b"", 404, "file_not_found"),
        ("PUT", "/frames/.hidden", b"x", 400, "bad_file_name"),
        ("POST", "/frames/none.fits/cards", b"A=1", 404, "file_not_found"),
        ("POST", "/frames/none.fits/cards", b"NAXIS=1", 400, "item_refused"),
        ("POST", "/frames/none.fits/cards", b"", 400, "bad_request"),
        ("POST", "/frames/none.fits/cards", b"A" * 20_000, 413, "request_too_large"),
        ("DELETE", "/frames/none.fits", b"", 405, "method_not_allowed"),
        ("GET", "/nothing", b"", 404, "not_found"),
    ],
)
async def test_every_failure_has_its_form(
    toys: Toys, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    reply = await toys.ask(method, path, body)
    assert (reply.status_code, reply.json()["oops"]) == (status, code)
    assert set(reply.json()) == {"oops", "because"}


async def test_strangers_neither_upload_nor_edit(toys: Toys) -> None:
    for method, path in (("PUT", "/frames/a.fits"), ("POST", "/frames/a.fits/cards")):
        reply = await toys.ask(method, path, b"A=1", shown=False)
        assert (reply.status_code, reply.json()["oops"]) == (401, "unauthorized")


async def test_a_token_for_one_site_opens_that_alone(toys: Toys) -> None:
    one = await toys.bearing("one site", "site:ogg", "edit:ogg", "read:ogg")
    own = await one.ask("GET", "/sites/ogg")
    assert (own.status_code, own.json()) == (200, {"site": "ogg", "by": "one site"})
    other = await one.ask("GET", "/sites/lsc")
    assert (other.status_code, other.json()["oops"]) == (403, "scope_missing")
    assert "'one site' has no scope 'site' for 'lsc'" in other.json()["because"]
    # A route that knows no resources lets in only what is limited to none.
    assert (await one.ask("POST", "/frames/a.fits/cards", b"A=1")).status_code == 403
    for scope in ("site", "admin", "admin:lsc"):
        every = await toys.bearing(scope, scope)
        assert (await every.ask("GET", "/sites/lsc")).status_code == 200
    assert (await toys.ask("GET", "/sites/ogg")).status_code == 403


async def test_limits_hold_in_it(archive: Archive) -> None:
    async for toys in serving(archive, anonymous_per_s=0.001, anonymous_burst=2):
        replies = [await toys.ask("GET", "/frames", shown=False) for _ in range(3)]
        assert [one.status_code for one in replies] == [200, 200, 429]
        assert replies[-1].json()["oops"] == "too_many_requests"


def test_a_dialect_with_a_silent_route_does_not_start() -> None:
    silent = DialectRouter()
    silent.add_api_route("/silent/x", lambda: "anybody may read this", methods=["GET"])
    with pytest.raises(UndeclaredRoute, match="/silent/x"):
        create_app(dialects=(*DIALECTS, Dialect(name="silent", router=silent, prefixes=("/silent",))))
