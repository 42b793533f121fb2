"""A file with a page of its own: taken in, edited by forms as the page sends them, and looked at by an editor."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from armillary.access.models import Scope
from armillary.api.http.carriers import SESSION
from armillary.fits.header import Header
from tests.support.archive import Archive, put
from tests.support.headers import a_file
from tests.support.held import working
from tests.support.rights import a_key

SCRIPT = {"HX-Request": "true"}
ELSEWHERE = {"Origin": "https://elsewhere.example"}
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202egnp.exe"
NAME = "N20260101S0001.fits"


def part(target: str) -> dict[str, str]:
    """Return what scripts say of themselves that ask for a part of the page."""
    return SCRIPT | {"HX-Target": target}


async def signed_in(browser: httpx.AsyncClient, archive: Archive, *scopes: Scope, name: str = "Ann") -> None:
    """Let a browser bear a token with some scopes."""
    browser.cookies.set(SESSION, await a_key(archive, name, *map(str, scopes)))


@pytest.fixture
async def work(archive: Archive) -> AsyncIterator[None]:
    """Let a worker do what is asked while the test runs."""
    async with working(archive):
        yield


@pytest.fixture
async def editor(browser: httpx.AsyncClient, archive: Archive) -> httpx.AsyncClient:
    """Return a browser in which an editor is signed in."""
    await signed_in(browser, archive, Scope.EDIT, Scope.READ)
    return browser


@pytest.fixture
async def taken_in(archive: Archive) -> str:
    """Take a file in; return its name."""
    cards = [("OBJECT", "M 31", "what was observed"), ("GAIN", 2.5, "e/ADU"), ("LONGTEXT", "long " * 40, "")]
    await archive.ingest(put(archive.directory / NAME, a_file(cards=cards)))
    await archive.drain()
    return NAME


async def version_of(archive: Archive) -> int:
    """Return the id of the present version of the file."""
    return (await archive.version(NAME)).id


async def form(archive: Archive, **fields: object) -> dict[str, str]:
    """Return the fields of the form for the card OBJECT, with changes."""
    said = {
        "card": "0:OBJECT",
        "version": await version_of(archive),
        "value": "M 33",
        "kind": "text",
        "comment": "what was observed",
        "why": "a slip",
        "do": "judge",
        **fields,
    }
    return {key: str(value) for key, value in said.items()}


async def objects(archive: Archive) -> list[object]:
    """Return the values that OBJECT had, version by version."""
    history = await archive.history(NAME)
    return [next(v for k, v in values(one.headers()[0]) if k == "OBJECT") for one in history.versions]


def values(header: bytes) -> list[tuple[str, object]]:
    """Return the keywords of a header with their values."""
    return [(one.keyword, one.value) for one in Header(header).cards]
