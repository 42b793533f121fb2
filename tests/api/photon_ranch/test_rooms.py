"""Control rooms as the web page of sites asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from armillary.context import Context
from armillary.settings import RoomSettings
from armillary.sites.rooms import tasks
from tests.support.archive import Archive
from tests.support.rooms import TOKEN, Mood, StandIn, a_stand_in
from tests.support.serving import key_of, serving
from tests.support.sites import with_settings

KEYS = ["site", "slug", "room_id", "url", "config", "is_deleted"]


@pytest.fixture
def remote() -> Iterator[StandIn]:
    with a_stand_in() as one:
        yield one


@asynccontextmanager
async def working(web: Context, archive: Archive, **settings: Any) -> AsyncIterator[Context]:
    """Let a worker of rooms work beside; return the parts of a web process with its settings."""
    rooms = RoomSettings.model_validate({"timeout_s": 60.0, "provider": "fake"} | settings)
    (worker,) = tasks.workers_of(with_settings(archive.context, rooms=rooms), "test")
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield with_settings(web, rooms=rooms)
    finally:
        stop.set()
        await running


@asynccontextmanager
async def at_remote(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> AsyncIterator[Context]:
    monkeypatch.setenv("ROOM_TOKEN", TOKEN)
    given = {"provider": "remotehq", "url": remote.url, "secret": "env:ROOM_TOKEN"} | settings
    async with working(web, archive, **given) as one:
        yield one


async def test_simultaneous_requests_get_one_room(web: Context, archive: Archive) -> None:
    async with working(web, archive) as served, serving(served, mode="compat") as client:
        paths = ("/control_room/saf", "/api/control_room/saf/", "http://archive//dev//control_room/saf")
        replies = await asyncio.gather(*(client.get(paths[number % 3]) for number in range(32)))
        assert {one.status_code for one in replies} == {200}
        assert len({one.text for one in replies}) == 1
        room = replies[0].json()
        assert list(room) == KEYS
        assert (room["site"], room["is_deleted"]) == ("saf", False)


async def test_restart_and_deletion(web: Context, archive: Archive) -> None:
    async with working(web, archive) as served, serving(served, mode="compat") as client:
        for method in ("GET", "POST"):
            reply = await client.request(method, "/control_room/saf/restart")
            assert (reply.status_code, reply.text) == (404, "no control room found for site saf")
        reply = await client.delete("/control_room/saf")
        assert (reply.status_code, reply.text) == (200, "no such room found")
        slugs = [(await client.get("/control_room/saf")).json()["slug"]]
        for method in ("GET", "POST"):
            reply = await client.request(method, "/control_room/saf/restart/", content=b'{"site": "saf"}')
            assert (reply.status_code, reply.text) == (200, "control room restarted successfully")
            slugs.append((await client.get("/control_room/saf")).json()["slug"])
        assert len(set(slugs)) == 3
        reply = await client.delete("/control_room/saf")
        assert (reply.status_code, reply.text) == (200, "room has been deleted")
        assert (await client.get("/control_room/saf")).json()["slug"] not in slugs


async def test_a_provider_that_fails_is_told_and_loses_no_room(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        at_remote(web, archive, remote, monkeypatch) as served,
        serving(served, mode="compat") as client,
    ):
        room = (await client.get("/control_room/saf")).json()
        for mood in (Mood.REFUSES, Mood.CLOSES, Mood.NO_JSON):
            await assert_told(client, archive, remote, mood, room)
        await assert_works(client, remote)


async def test_a_provider_that_hangs_is_told_and_loses_no_room(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def asking(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with (
            at_remote(web, archive, remote, monkeypatch, **settings) as served,
            serving(served, mode="compat") as client,
        ):
            yield client

    async with asking() as client:
        room = (await client.get("/control_room/saf")).json()
    # Only what hangs is given up soon: a provider that works has its time, however slow the machine is.
    async with asking(timeout_s=0.5) as client:
        await assert_told(client, archive, remote, Mood.HANGS, room)
    async with asking() as client:
        await assert_works(client, remote)


async def assert_told(
    client: httpx.AsyncClient, archive: Archive, remote: StandIn, mood: Mood, room: dict[str, Any]
) -> None:
    """Let the provider fail: each call says so, and the room of a site stays what it was."""
    remote.mood = mood
    reply = await client.get("/control_room/mrc")
    assert (reply.status_code, reply.text) == (500, "failed to get room")
    reply = await client.post("/control_room/saf/restart")
    assert reply.status_code == 500
    assert list(reply.json()) == ["message", "site", "room_data"]
    assert reply.json()["room_data"] == {key: room[key] for key in KEYS[:-1]}
    assert TOKEN not in reply.text
    reply = await client.delete("/control_room/saf")
    assert reply.status_code == 502
    assert (await client.get("/control_room/saf")).json() == room
    reply = await client.post("/new_remotehq_browser", headers=await key_of(archive, mood, "room"))
    assert reply.status_code == (503 if mood is Mood.REFUSES else 502)


async def assert_works(client: httpx.AsyncClient, remote: StandIn) -> None:
    """Let the provider work again: a room is made anew, and another one made."""
    remote.mood = Mood.GOOD
    assert (await client.post("/control_room/saf/restart")).status_code == 200
    assert (await client.get("/control_room/mrc")).status_code == 200


async def test_a_browser_is_what_the_provider_says(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await key_of(archive, "keeper", "room")
    async with (
        at_remote(web, archive, remote, monkeypatch) as served,
        serving(served, mode="compat") as client,
    ):
        assert (await client.post("/new_remotehq_browser")).status_code == 401
        reply = await client.post("/api/new_remotehq_browser/", headers=key)
        assert (reply.status_code, reply.json()["data"]["embedURL"]) == (200, "https://cb.example/1")
        assert remote.asked("POST /cb")[0]["resolution"] == "medium"
        sent = {"resolution": "mobile", "initial_url": "https://ui.example"}
        await client.post("/new_remotehq_browser", json=sent, headers=key)
        assert remote.asked("POST /cb")[1]["browserURL"] == "https://ui.example"
        for bad in ({"resolution": "huge"}, {"resolution": 5}, {"initial_url": "file:///etc/passwd"}, []):
            reply = await client.post("/new_remotehq_browser", json=bad, headers=key)
            assert reply.status_code == 400


async def test_a_body_may_not_speak_of_another_site(web: Context, archive: Archive) -> None:
    async with working(web, archive) as served, serving(served, mode="open") as client:
        room = (await client.get("/control_room/saf")).json()
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/restart"), ("GET", "/restart")):
            for site in ("mrc", None, 5, ["saf"]):
                reply = await client.request(method, f"/control_room/saf{path}", json={"site": site})
                assert reply.status_code == 400
        assert (await client.get("/control_room/saf")).json() == room
        for path in ("/control_room/a%20b", "/control_room/%00", "/control_room/a%20b/restart"):
            assert (await client.get(path)).status_code == 400


async def test_strangers_only_read_where_modes_are_enforced(web: Context, archive: Archive) -> None:
    own, other = await key_of(archive, "saf", "room:saf"), await key_of(archive, "mrc", "room:mrc", "read")
    calls = (
        ("DELETE", "/control_room/saf"),
        ("GET", "/control_room/saf/restart"),
        ("POST", "/new_remotehq_browser"),
    )
    async with working(web, archive) as served, serving(served) as client:
        for headers, status in (({}, 401), (other, 403)):
            assert (await client.get("/control_room/saf", headers=headers)).status_code == status
        room = (await client.get("/control_room/saf", headers=own)).json()
        for headers, status in (({}, 401), (other, 403)):
            assert (await client.get("/control_room/saf", headers=headers)).json() == room
            for method, path in calls:
                reply = await client.request(method, path, headers=headers)
                assert (reply.status_code, list(reply.json())) == (status, ["message"])
        assert (await client.get("/control_room/saf/restart", headers=own)).status_code == 200
        mine = {"site": "saf"}
        assert (await client.post("/new_remotehq_browser", json=mine, headers=own)).status_code == 200
        assert (await client.delete("/control_room/saf", headers=own)).status_code == 200


async def test_without_a_provider_there_are_no_rooms(web: Context) -> None:
    async with serving(web, mode="open") as client:
        reply = await client.get("/control_room/saf")
        assert (reply.status_code, reply.text) == (500, "failed to get room")
        assert (await client.post("/control_room/saf/restart")).status_code == 404
        assert (await client.delete("/control_room/saf")).text == "no such room found"
        assert (await client.post("/new_remotehq_browser")).status_code == 502
