"""Tokens that an administrator makes and revokes by pages, with the rights of the web process alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from armillary.access.models import Principal
from armillary.access.service import authenticate, list_tokens
from armillary.api.http.carriers import SESSION
from tests.support.archive import Archive
from tests.support.rights import a_key

ELSEWHERE = {"Origin": "https://elsewhere.example"}


@pytest.fixture
async def work(archive: Archive) -> AsyncIterator[None]:
    """Let a worker do what is asked while the test runs."""
    stop = asyncio.Event()
    working = asyncio.create_task(archive.worker().run(stop))
    yield
    stop.set()
    await working


@pytest.fixture
async def admin(browser: httpx.AsyncClient, archive: Archive) -> httpx.AsyncClient:
    """Return a browser in which an administrator is signed in."""
    browser.cookies.set(SESSION, await a_key(archive, "head of data", "admin"))
    return browser


def secret_in(page: str) -> str:
    """Return the secret that a page shows."""
    (secret,) = re.findall(r'<code id="secret">(arm_[\w-]+)</code>', page)
    return str(secret)


async def bearer(archive: Archive, secret: str) -> Principal | None:
    async with archive.context.database.begin() as connection:
        return await authenticate(connection, secret)


async def names(archive: Archive) -> set[str]:
    """Return the names of the tokens in use."""
    async with archive.context.database.begin() as connection:
        return {one["name"] for one in await list_tokens(connection) if not one["revoked"]}


@pytest.mark.usefixtures("work")
async def test_a_new_token_is_shown_once_and_works(admin: httpx.AsyncClient, archive: Archive) -> None:
    data = {"name": "Ann", "scope": ["edit", "note"], "days": "2.5", "emails": "A@B.example, c@d.example"}
    made = await admin.post("/tokens", data=data)
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    secret = secret_in(made.text)
    found = await bearer(archive, secret)
    assert found is not None
    assert (found.name, sorted(map(str, found.permissions))) == ("Ann", ["edit", "note"])
    listed = (await admin.get("/tokens")).text
    assert secret not in listed
    assert "a@b.example" in listed.lower()
    async with archive.context.database.begin() as connection:
        (row,) = [one for one in await list_tokens(connection) if one["name"] == "Ann"]
    assert (row["expires"] - row["created"]).total_seconds() == 2.5 * 86_400


@pytest.mark.usefixtures("work")
async def test_the_order_that_makes_it_does_not_know_the_secret(
    admin: httpx.AsyncClient, archive: Archive
) -> None:
    secret = secret_in((await admin.post("/tokens", data={"name": "Ann", "scope": "read"})).text)
    async with archive.context.database.begin() as connection:
        rows = await connection.exec_driver_sql("SELECT work_order::text FROM work_order")
        told = " ".join(rows.scalars())
    assert "create_token" in told
    assert secret not in told


async def test_a_token_that_no_worker_has_recorded_yet_is_shown_with_its_order(
    admin: httpx.AsyncClient, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("armillary.console.tokens.PATIENCE_S", 0.01)
    made = (await admin.post("/tokens", data={"name": "Ann", "scope": "read"})).text
    assert "as soon as a worker has recorded it" in made
    secret = secret_in(made)
    assert await bearer(archive, secret) is None
    await archive.drain()
    assert await bearer(archive, secret) is not None


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"name": " "}, 400, "Give the token a name"),
        ({"name": "n" * 201}, 400, "at most 200 characters"),
        ({"name": "\u202ebob"}, 400, "cannot be shown"),
        ({"scope": []}, 400, "Name at least one scope"),
        ({"scope": ["raed"]}, 400, "Did you mean"),
        ({"only": "lco"}, 400, "cannot be limited"),
        ({"days": "-1"}, 400, "positive number of days"),
        ({"days": "NaN"}, 400, "positive number of days"),
        ({"emails": "nobody"}, 400, "address"),
        ({"name": "head of data"}, 409, "is in use"),
    ],
)
async def test_what_is_refused_says_why_and_keeps_what_was_typed(
    admin: httpx.AsyncClient, archive: Archive, fields: dict[str, object], status: int, words: str
) -> None:
    reply = await admin.post("/tokens", data={"name": "Bob", "scope": ["edit"], "groups": "night", **fields})
    assert reply.status_code == status
    assert words in reply.text
    assert 'value="night"' in reply.text
    assert await names(archive) == {"head of data"}


@pytest.mark.usefixtures("work")
async def test_a_revoked_token_works_no_more_and_one_that_is_gone_is_said_so(
    admin: httpx.AsyncClient, archive: Archive
) -> None:
    secret = await a_key(archive, "Ann", "edit")
    assert "Revoke Ann for good" in (await admin.get("/tokens")).text
    reply = await admin.post("/tokens/revoke", data={"name": "Ann"})
    assert (reply.status_code, reply.headers["location"]) == (303, "/tokens")
    assert await bearer(archive, secret) is None
    shown = (await admin.get("/tokens")).text
    assert "1 that have ended" in shown
    for name in ("Ann", "nobody", "\x00"):
        again = await admin.post("/tokens/revoke", data={"name": name})
        assert again.status_code == 404, name


async def test_only_administrators_see_and_change_tokens(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    await a_key(archive, "Ann", "read")
    others = await a_key(archive, "editor", "edit", "read", "operator")
    for secret, status in (("", 401), (others, 403)):
        browser.cookies.set(SESSION, secret)
        for reply in (
            await browser.get("/tokens"),
            await browser.post("/tokens", data={"name": "Eve", "scope": "admin"}),
            await browser.post("/tokens/revoke", data={"name": "Ann"}),
        ):
            assert reply.status_code == status
            assert "Ann" not in reply.text
    assert await archive.unfinished() == 0


async def test_pages_of_other_sites_make_no_tokens(admin: httpx.AsyncClient, archive: Archive) -> None:
    for place, data in (("", {"name": "Eve", "scope": "admin"}), ("/revoke", {"name": "head of data"})):
        reply = await admin.post(f"/tokens{place}", data=data, headers=ELSEWHERE)
        assert reply.status_code == 403
        assert "cross_site" in reply.text
    assert await archive.unfinished() == 0
