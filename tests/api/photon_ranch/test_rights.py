"""Who may use which routes of the interface: by mode, by permission for a site, and by how a key is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from armillary.access.errors import UnknownRoute
from armillary.access.service import revoke
from armillary.app import create_app
from armillary.settings.auth import AddressSettings, AuthSettings
from tests.support.archive import Archive, archive
from tests.support.postgres import postgres
from tests.support.rights import a_key, app_of, serving

__all__ = ["archive", "postgres"]
UNAUTHORIZED, FORBIDDEN = {"message": "Unauthorized"}, {"message": "Forbidden"}
HOME = "10.1.2.3"


Call = tuple[str, str]
READ: Call = ("GET", "/saf/config")
CONFIG: Call = ("PUT", "/saf/config")
NOTE: Call = ("POST", "/nightlog/saf")
ENQUEUE: Call = ("POST", "/pipe/enqueue?queue_name=saf")
BROWSER: Call = ("POST", "/new_browser")
KNOWN: Call = ("POST", "/dummy-requires-auth")
CALLS = (READ, CONFIG, NOTE, ENQUEUE, BROWSER, KNOWN)


async def answers(client: httpx.AsyncClient, secret: str = "") -> list[int]:
    headers = {"X-Api-Key": secret} if secret else {}
    replies = [await client.request(method, path, headers=headers) for method, path in CALLS]
    for reply in replies:
        expected = {200: None, 401: UNAUTHORIZED, 403: FORBIDDEN}[reply.status_code]
        assert expected is None or reply.json() == expected
        assert reply.headers["access-control-allow-origin"] == "*"
    return [reply.status_code for reply in replies]


@pytest.mark.parametrize(
    ("auth", "nobody"),
    [
        ({}, [200, 401, 401, 401, 401, 401]),
        ({"anonymous_read": False}, [401, 401, 401, 401, 401, 401]),
        ({"mode": "compat"}, [200, 200, 401, 200, 401, 401]),
        ({"mode": "compat", "anonymous_read": False}, [200, 200, 401, 200, 401, 401]),
        ({"mode": "open"}, [200, 200, 200, 200, 200, 200]),
        ({"mode": "open", "routes": {"POST /nightlog/{site}": "closed"}}, [200, 200, 401, 200, 200, 200]),
        ({"mode": "compat", "routes": {"PUT /{site}/config": "closed"}}, [200, 401, 401, 200, 401, 401]),
        ({"routes": {"POST /pipe/enqueue": "open"}}, [200, 401, 401, 200, 401, 401]),
        ({"routes": {"GET /{site}/config": "closed"}}, [401, 401, 401, 401, 401, 401]),
    ],
)
async def test_a_stranger_may_what_the_mode_opens(
    archive: Archive, auth: dict[str, Any], nobody: list[int]
) -> None:
    async with serving(archive, **auth) as client:
        assert await answers(client) == nobody
        assert await answers(client, "arm_unknown") == nobody


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (["config:saf"], [403, 200, 403, 403, 403, 200]),
        (["config:mrc"], [403, 403, 403, 403, 403, 200]),
        (["site:saf"], [403, 200, 200, 403, 403, 200]),
        (["pipe.produce:saf", "read:saf"], [200, 403, 403, 200, 403, 200]),
        (["pipe.consume"], [403, 403, 403, 403, 403, 200]),
        (["room"], [403, 403, 403, 403, 200, 200]),
        (["admin:saf"], [200, 200, 200, 200, 403, 200]),
        (["admin"], [200, 200, 200, 200, 200, 200]),
    ],
)
async def test_a_key_may_what_it_is_for_at_its_site(
    archive: Archive, scopes: list[str], expected: list[int]
) -> None:
    secret = await a_key(archive, "one", *scopes)
    async with serving(archive, anonymous_read=False) as client:
        assert await answers(client, secret) == expected
        async with archive.context.database.begin() as connection:
            assert await revoke(connection, "one", now=archive.context.clock.now()) == 1
        assert await answers(client, secret) == [401] * 6


async def test_a_queue_is_found_where_the_request_names_it(archive: Archive) -> None:
    shown = {"X-Api-Key": await a_key(archive, "saf", "pipe.produce:saf")}
    async with serving(archive) as client:
        for content, query, status in (
            ('{"queue_name": "saf"}', "", 200),
            ('{"queue_name": "mrc"}', "", 403),
            ('{"queue_name": "mrc"}', "?queue_name=saf", 200),
            ('{"queue_name": "saf"}', "?queue_name=mrc", 403),
            ('{"queue_name": ["saf"]}', "", 403),
            ('{"queue_name": {"saf": 1}}', "", 403),
            ("{", "", 403),
            ("", "", 403),
        ):
            reply = await client.post(f"/pipe/enqueue{query}", content=content, headers=shown)
            assert reply.status_code == status, (content, query)
            assert status != 200 or reply.json()["queue"] == "saf"


async def test_an_open_route_notes_who_asks_and_minds_no_invalid_key(archive: Archive) -> None:
    secret = await a_key(archive, "one", "config:mrc")
    async with serving(archive, mode="open") as client:
        for headers, by in (
            ({}, ""),
            ({"X-Api-Key": secret}, "one"),
            ({"X-Api-Key": "arm_unknown"}, ""),
            ({"Authorization": "Basic Zm9vOmJhcg=="}, ""),
            ({"Authorization": "Bearer"}, ""),
        ):
            for method, path in CALLS:
                reply = await client.request(method, path, headers=headers)
                assert (reply.status_code, reply.json()["by"]) == (200, by), (headers, path)


Shown = Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]
CARRIERS: dict[str, Shown] = {
    "header": lambda client, secret: client.put("/api/saf/config", headers={"x-api-key": secret}),
    "bearer": lambda client, secret: client.put("/saf/config", headers={"Authorization": f"Bearer {secret}"}),
    "small": lambda client, secret: client.put("/saf/config", headers={"Authorization": f"bearer {secret}"}),
    "loud": lambda client, secret: client.put("/saf/config", headers={"authorization": f"BEARER  {secret}"}),
    "path": lambda client, secret: client.put(f"/k/{secret}/api/saf/config"),
    "slashes": lambda client, secret: client.put(f"http://archive//k//{secret}//api//saf/config/"),
    "without a prefix": lambda client, secret: client.put(f"/k/{secret}/saf/config"),
    "both": lambda client, secret: client.put(f"/k/{secret}/dev/saf/config", headers={"X-Api-Key": "arm_no"}),
}


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_a_key_is_shown_in_these_ways(archive: Archive, carrier: str) -> None:
    secret, show = await a_key(archive, "saf", "config:saf"), CARRIERS[carrier]
    async with serving(archive) as client:
        reply = await show(client, secret)
        assert (reply.status_code, reply.json()) == (200, {"by": "saf"})
        reply = await show(client, f"{secret}x")
        assert (reply.status_code, reply.json()) == (401, UNAUTHORIZED)
        assert secret not in str(reply.headers)


async def test_a_fault_behind_a_key_in_the_path_tells_it_to_nobody(archive: Archive) -> None:
    secret = await a_key(archive, "saf", "config:saf")
    with capture_logs() as lines:
        async with serving(archive) as client:
            for path in ("fault", "nowhere", "saf/config", "v1/%0A"):
                reply = await client.get(f"/k/{secret}/api/{path}")
                assert secret not in f"{reply.headers} {reply.text}"
    (fault,) = [one for one in lines if one["event"] == "request failed"]
    assert fault["path"] == "/fault"
    assert secret not in str(lines)


async def test_no_query_and_no_cookie_shows_a_key(archive: Archive) -> None:
    secret = await a_key(archive, "saf", "config")
    async with serving(archive) as client:
        assert (await client.put(f"/saf/config?X-Api-Key={secret}&key={secret}")).status_code == 401
        cookies = f"X-Api-Key={secret}; gemini_fits_upload_auth={secret}"
        assert (await client.put("/saf/config", headers={"Cookie": cookies})).status_code == 401


async def test_an_address_has_the_rights_of_its_site_unless_a_foreign_page_asks(archive: Archive) -> None:
    entries = (AddressSettings(networks=("10.1.0.0/16",), sites=("saf",)),)
    async with serving(archive, HOME, anonymous_read=False, addresses=entries) as client:
        assert await answers(client) == [200, 200, 200, 200, 403, 200]
        for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            for method, path in CALLS:
                assert (await client.request(method, path, headers=foreign)).status_code == 401
    async with serving(archive, HOME, mode="open", addresses=entries) as client:
        # Pages elsewhere may call what is open to anybody, and do so as nobody in particular.
        reply = await client.put("/saf/config", headers={"Origin": "https://ui.example"})
        assert (reply.status_code, reply.json()) == (200, {"by": ""})


async def test_a_route_that_does_not_exist_cannot_be_opened(archive: Archive) -> None:
    with pytest.raises(UnknownRoute, match=r"Did you mean 'PUT /\{site\}/config'"):
        app_of(archive, routes={"PUT /{site}/confg": "open"})
    with pytest.raises(UnknownRoute, match="GET /hello"):
        app_of(archive, routes={"GET /hello": "closed"})
    with pytest.raises(UnknownRoute):
        create_app(
            archive.context.settings.model_copy(
                update={"auth": AuthSettings(routes={"GET /v1/frames": "open"})}
            )
        )


@pytest.mark.parametrize(
    ("mode", "nobody", "known"), [("open", 200, 200), ("compat", 401, 200), ("enforced", 401, 200)]
)
async def test_clients_try_their_credentials(archive: Archive, mode: str, nobody: int, known: int) -> None:
    secret = await a_key(archive, "one", "pipe.consume:mrc")
    settings = archive.context.settings.model_copy(
        update={"auth": AuthSettings.model_validate({"mode": mode})}
    )
    app = create_app(settings, context=archive.context)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://archive") as client:
        for headers, status in (({}, nobody), ({"X-Api-Key": secret}, known)):
            reply = await client.post("/api/dummy-requires-auth", headers=headers)
            assert reply.status_code == status
            assert reply.text == (
                "successful authorization" if status == 200 else '{"message": "Unauthorized"}'
            )


SITE_READS = (
    "/saf/config",
    "/nightlog/saf",
    "/saf/latest_images/3",
    "/infoimage/saf/1",
    "/image/saf-cam-20260101-00000001",
    "/fitsheader/saf-cam-20260101-00000001",
    "/recentuploads?site=saf",
    "/filtered_images?site=saf",
    "/events?site=saf",
    "/pipe/queue/saf",
    "/pipe/status/saf",
)


async def test_a_key_that_reads_at_a_site_reads_there_alone(archive: Archive) -> None:
    """Where strangers may not read; what is about no site in particular is for keys of all sites."""
    auth = AuthSettings(anonymous_read=False)
    app = create_app(archive.context.settings.model_copy(update={"auth": auth}), context=archive.context)
    here, everywhere = await a_key(archive, "here", "read:saf"), await a_key(archive, "all", "read")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://archive") as client:

        async def ask(path: str, secret: str) -> int:
            return (await client.get(f"/api{path}", headers={"X-Api-Key": secret})).status_code

        for path in SITE_READS:
            assert await ask(path, "") == 401, path
            assert await ask(path, here) not in (401, 403), path
            assert await ask(path.replace("saf", "mrc"), here) == 403, path
            assert await ask(path.replace("saf", "mrc"), everywhere) not in (401, 403), path
        for path in (
            "/all/config",
            "/latest_image_all_sites",
            "/pipe/queues",
            "/filtered_images",
            "/recentuploads",
        ):
            assert await ask(path, here) == 403, path
            assert await ask(path, everywhere) not in (401, 403), path
