"""What holds on every path of the interface: prefixes, slashes, keys in the path, other sites' pages, failures."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from armillary.app import create_app
from armillary.settings import PhotonRanchSettings, Settings

GREETING = "New photon ranch API"


def client_of(**settings: object) -> httpx.AsyncClient:
    app = create_app(Settings(photon_ranch=PhotonRanchSettings.model_validate(settings)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://archive")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of() as one:
        yield one


@pytest.mark.parametrize("path", ["/api", "/api/", "//api//", "/dev", "/test/"])
async def test_it_answers_below_each_prefix(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.get(f"http://archive{path}")
    assert (reply.status_code, reply.text) == (200, GREETING)


async def test_the_bare_root_is_a_page_for_people_and_a_greeting_for_programs(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get("/", headers={"Accept": "application/json"})).text == GREETING
    page = await client.get("/", headers={"Accept": "*/*"})
    assert page.status_code == 200
    assert page.text != GREETING


async def test_prefixes_are_a_matter_of_settings() -> None:
    async with client_of(prefixes=("/ranch", "/ranch/api")) as client:
        assert (await client.get("/ranch")).text == GREETING
        assert (await client.get("/ranch/api/")).text == GREETING
        for path in ("/api", "/nowhere"):
            reply = await client.get(path)
            assert (reply.status_code, reply.json()) == (404, {"message": "Not Found"})


@pytest.mark.parametrize(
    "path", ["/nowhere", "/api/nowhere", "/api/v1/health", "/api/file/x", "/dev/jsonsummary"]
)
async def test_other_interfaces_are_not_below_its_prefixes(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.get(path)
    assert (reply.status_code, reply.json()) == (404, {"message": "Not Found"})
    assert reply.headers["access-control-allow-origin"] == "*"


async def test_a_wrong_method_is_told_and_nothing_redirects(client: httpx.AsyncClient) -> None:
    reply = await client.delete("/api/")
    assert (reply.status_code, reply.json()) == (405, {"message": "Method Not Allowed"})


@pytest.mark.parametrize("path", ["/", "/api/", "/api/upload/", "/no/where"])
async def test_any_page_may_ask_beforehand(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.options(path, headers={"Origin": "https://ui.example"})
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == "*"
    assert {"PUT", "DELETE"} <= set(reply.headers["access-control-allow-methods"].split(","))
    assert reply.headers["access-control-allow-headers"] == (
        "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token,X-Amz-User-Agent"
    )


async def test_origins_may_be_listed() -> None:
    async with client_of(origins=("https://ui.example",)) as client:
        known = await client.get("/api", headers={"Origin": "https://ui.example"})
        assert known.headers["access-control-allow-origin"] == "https://ui.example"
        assert "Origin" in known.headers["vary"]
        other = await client.get("/api", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


async def test_the_other_interfaces_are_as_closed_as_before(client: httpx.AsyncClient) -> None:
    reply = await client.get("/v1/nowhere", headers={"Origin": "https://ui.example"})
    assert reply.headers["content-type"] == "application/problem+json"
    assert "access-control-allow-origin" not in reply.headers
