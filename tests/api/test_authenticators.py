"""Who asks is found out in more than one way: the policy takes the first that lets in."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import httpx
import pytest

from armillary.access.models import Permission, Principal, Scope
from armillary.access.service import create_token
from armillary.app import DIALECTS, Application, create_app
from armillary.settings.auth import AddressSettings, AuthSettings
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


FOREIGN = ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"})


@pytest.mark.parametrize("shown", [{}, {"X_Toy": "arm_unknown"}])
@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
async def test_pages_of_other_sites_cannot_use_the_network_of_their_reader(
    app: Application, shown: dict[str, str], foreign: dict[str, str]
) -> None:
    assert await who(app, "ogg", DOME, **shown) == "the dome"
    assert await who(app, "ogg", DOME, **shown, **foreign) == 401
    path = "/toy/frames/a.fits/cards"
    crossing = await ask(app, path, DOME, "POST", **foreign, **shown)
    assert (crossing.status_code, crossing.json()["oops"]) == (401, "unauthorized")
    own = await ask(app, path, DOME, "POST", **shown)
    assert (own.status_code, own.json()["oops"]) == (403, "scope_missing")


async def test_pages_of_other_sites_can_use_a_token_that_they_show(
    app: Application, archive: Archive
) -> None:
    keeper = await token(archive, "keeper", Scope.SITE)
    assert await who(app, "lsc", DOME, X_Toy=keeper, **FOREIGN[0]) == "keeper"


@pytest.fixture
def sites(archive: Archive) -> Application:
    """Make an application whose settings say where two sites are."""
    auth = AuthSettings(
        addresses=(
            AddressSettings(
                networks=("10.1.0.0/16", "2001:db8::/32"), sites=("ogg", "lsc"), scopes=("site",)
            ),
            AddressSettings(networks=("10.1.2.0/24",), sites=("cpt",)),
        )
    )
    limits = archive.context.settings.limits.model_copy(update={"origins": ("https://tools.example",)})
    settings = archive.context.settings.model_copy(update={"auth": auth, "limits": limits})
    made = create_app(settings, dialects=(*DIALECTS, TOY))
    made.state.context = archive.context
    return made


@pytest.mark.parametrize(
    ("address", "site", "expected"),
    [
        ("10.1.9.9", "ogg", "address of ogg, lsc"),
        ("::ffff:10.1.9.9", "lsc", "address of ogg, lsc"),
        ("2001:db8::7", "lsc", "address of ogg, lsc"),
        ("10.1.9.9", "cpt", 403),
        ("10.1.2.3", "cpt", "address of ogg, lsc, cpt"),
        ("10.1.2.3", "elp", 403),
        ("192.0.2.7", "ogg", 401),
        ("a socket", "ogg", 401),
    ],
)
async def test_settings_say_where_sites_are(
    sites: Application, address: str, site: str, expected: Any
) -> None:
    assert await who(sites, site, address) == expected


async def test_only_pages_that_are_trusted_use_the_address_of_a_site(sites: Application) -> None:
    assert await who(sites, "ogg", DOME, **FOREIGN[0]) == 401
    assert await who(sites, "ogg", DOME, **FOREIGN[1]) == 401
    assert await who(sites, "ogg", DOME, Origin="https://tools.example") == "address of ogg, lsc, cpt"
    assert await who(sites, "ogg", DOME, Origin="http://test") == "address of ogg, lsc, cpt"


@pytest.mark.parametrize(
    "broken",
    [
        {"networks": (), "sites": ("a",)},
        {"networks": ("10.1.2.3/8",), "sites": ("a",)},
        {"networks": ("10.0.0.0/8",), "sites": ("a,b",)},
        {"networks": ("10.0.0.0/8",), "sites": ("a",), "scopes": ("admin",)},
    ],
)
def test_entries_that_mean_nothing_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        AddressSettings(**broken)
