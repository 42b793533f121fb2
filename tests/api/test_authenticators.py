"""Who asks is found out in more than one way: the policy takes the first that lets in."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import httpx
import pytest

from armillary.access.models import Permission, Principal, Scope
from armillary.access.service import create_token
from armillary.app import DIALECTS, Application, create_app
from tests.support.archive import Archive, archive
from tests.support.networks import Networks
from tests.support.postgres import postgres
from tests.support.toy import TOY

__all__ = ["archive", "postgres"]
DOME, DESERT = "10.1.2.3", "192.0.2.7"
OBSERVERS = Principal("the dome", frozenset({Permission(Scope.SITE, "ogg"), Permission(Scope.READ)}))


@pytest.fixture
def app(archive: Archive) -> Application:
    """Make an application that knows who is in the dome."""
    networks = Networks({IPv4Network("10.1.0.0/16"): OBSERVERS})
    made = create_app(archive.context.settings, dialects=(*DIALECTS, TOY), authenticators=(networks,))
    made.state.context = archive.context
    return made


async def ask(
    app: Application, path: str, address: str, method: str = "GET", **headers: str
) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=(address, 40_000))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, headers=named)


async def token(archive: Archive, name: str, *scopes: Scope) -> str:
    async with archive.context.database.begin() as connection:
        return await create_token(connection, name, scopes, now=archive.context.clock.now())


async def who(app: Application, site: str, address: str, **headers: str) -> Any:
    reply = await ask(app, f"/toy/sites/{site}", address, **headers)
    return reply.json()["by"] if reply.status_code == 200 else reply.status_code


async def test_a_network_tells_who_asks(app: Application) -> None:
    assert await who(app, "ogg", DOME) == "the dome"
    assert await who(app, "lsc", DOME) == 403
    assert await who(app, "ogg", DESERT) == 401


async def test_the_first_lets_in_that_may(app: Application, archive: Archive) -> None:
    keeper, editor = await token(archive, "keeper", Scope.SITE), await token(archive, "editor", Scope.EDIT)
    # A token comes before a network, unless it does not open the door.
    assert await who(app, "ogg", DOME, X_Toy=keeper) == "keeper"
    assert await who(app, "lsc", DOME, X_Toy=keeper) == "keeper"
    assert await who(app, "ogg", DOME, X_Toy=editor) == "the dome"
    assert await who(app, "ogg", DOME, X_Toy="arm_unknown") == "the dome"
    # Of two tokens the second may open it, too.
    shown = {"X_Toy": keeper, "Authorization": f"Bearer {editor}"}
    assert await who(app, "lsc", DESERT, **shown) == "keeper"
    reply = await ask(app, "/toy/sites/lsc", DESERT, X_Toy=editor)
    assert "'editor' has no scope 'site' for 'lsc'" in reply.json()["because"]


async def test_no_shared_cache_keeps_what_a_network_was_told(app: Application) -> None:
    inside, outside = [await ask(app, "/toy/frames", address) for address in (DOME, DESERT)]
    assert inside.headers["cache-control"] == "private"
    assert "cache-control" not in outside.headers


@pytest.mark.parametrize("shown", [{}, {"X_Toy": "arm_unknown"}])
async def test_pages_of_other_sites_cannot_use_the_network_of_their_reader(
    app: Application, shown: dict[str, str]
) -> None:
    path = "/toy/frames/a.fits/cards"
    crossing = await ask(app, path, DOME, "POST", Origin="https://evil.example", **shown)
    assert (crossing.status_code, crossing.json()["oops"]) == (403, "cross_site")
    own = await ask(app, path, DOME, "POST", **shown)
    assert (own.status_code, own.json()["oops"]) == (403, "scope_missing")
