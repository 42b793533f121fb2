"""Control rooms at a provider that keeps its word, and at one that does not."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from armillary.base.work import NewOrder, Worker
from armillary.base.work.store import submit
from armillary.context import Context
from armillary.settings import RoomSettings
from armillary.sites.errors import BadSiteName
from armillary.sites.rooms import service, tasks
from armillary.sites.rooms.errors import (
    BadBrowser,
    NoSuchRoom,
    ProviderFailed,
    RoomSecretMissing,
    RoomsNotProvided,
)
from armillary.sites.rooms.fake import FakeRooms
from armillary.sites.rooms.models import Act, Room, is_due
from armillary.sites.rooms.selfhosted import SelfHosted
from armillary.sites.rooms.store import every, find, left
from tests.service.sites.conftest import Killed
from tests.support.archive import Archive
from tests.support.clock import FakeClock
from tests.support.patience import in_time
from tests.support.rooms import TOKEN, Mood, StandIn, a_stand_in
from tests.support.sites import PATIENCE_S, with_settings

BROKEN = [one for one in Mood if one not in (Mood.GOOD, Mood.HANGS)]


UNFINISHED = "SELECT count(*) FROM work_order WHERE kind = 'room' AND state IN ('Queued', 'Started')"


async def asked(remote: StandIn, count: int) -> None:
    """Wait until so many rooms have been asked for."""
    end = time.monotonic() + PATIENCE_S
    while len(remote.asked("POST /rooms")) < count:
        in_time(end, "the provider is not asked")
        await asyncio.sleep(0.01)


@pytest.fixture
def remote() -> Iterator[StandIn]:
    with a_stand_in() as one:
        yield one


@dataclasses.dataclass
class Rooms:
    """A web process and a worker for rooms, with the same settings."""

    web: Context
    worker: Context

    async def get(self, site: str = "saf", **options: Any) -> Room:
        return await service.get_room(self.web, site, actor="keeper", **options)

    async def restart(self, site: str = "saf") -> None:
        await service.restart_room(self.web, site, actor="keeper")

    async def delete(self, site: str = "saf") -> None:
        await service.delete_room(self.web, site, actor="keeper")

    async def recorded(self, site: str = "saf") -> Room | None:
        async with self.worker.database.begin() as connection:
            return await find(connection, site)

    async def left(self) -> list[str]:
        async with self.worker.database.begin() as connection:
            return [one.slug for one in await left(connection, self.worker.settings.rooms.provider)]

    async def tend(self) -> None:
        """Do what is due, as the periodic order does, and all that follows."""
        async with self.worker.database.begin() as connection:
            await submit(connection, [NewOrder(kind=tasks.TENDING, args={})], keyed_fifo=False)
        await Worker(self.worker, tasks.CHORES, name="chores").drain()
        await self.settle()

    async def settle(self) -> None:
        """Wait until all orders of rooms have ended."""
        end = time.monotonic() + PATIENCE_S
        while True:
            async with self.worker.database.begin() as connection:
                if not (await connection.exec_driver_sql(UNFINISHED)).scalar():
                    return
            in_time(end, "orders of rooms have not ended")
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def working(web: Context, archive: Archive, **settings: Any) -> AsyncIterator[Rooms]:
    """Let a worker of rooms work beside."""
    chosen = RoomSettings.model_validate({"timeout_s": 60.0} | settings)
    one = Rooms(with_settings(web, rooms=chosen), with_settings(archive.context, rooms=chosen))
    (worker,) = tasks.workers_of(one.worker, "test")
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield one
    finally:
        stop.set()
        await running


@contextlib.asynccontextmanager
async def at_remote(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> AsyncIterator[Rooms]:
    monkeypatch.setenv("ROOM_TOKEN", TOKEN)
    given = {"provider": "remotehq", "url": remote.url, "secret": "env:ROOM_TOKEN", "region": "us-west"}
    more = {"page": "https://ui.example/site/{site}/observe", "image_url": "https://ui.example/logo.png"}
    async with working(web, archive, **(given | more | settings)) as one:
        yield one


async def test_simultaneous_requests_make_one_room(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_remote(web, archive, remote, monkeypatch) as rooms:
        found = await asyncio.gather(*(rooms.get() for _ in range(32)))
        assert {one.slug for one in found} == set(remote.rooms) == {"room-1"}
        other = await rooms.get("mrc")
        assert (other.slug, remote.made) == ("room-2", 2)
        assert (await rooms.get()).slug == "room-1"
        assert len(remote.asked("POST /rooms")) == 2


async def test_the_provider_is_asked_by_its_protocol(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_remote(web, archive, remote, monkeypatch) as rooms:
        room = await rooms.get()
        await rooms.delete()
    config = {
        "url": "https://ui.example/site/saf/observe",
        "region": "us-west",
        "kioskModeEnabled": True,
        "incognitoModeEnabled": False,
    }
    assert remote.calls == [
        (
            "POST",
            "/rooms",
            {
                "name": "control-room-saf",
                "allowGuestAccess": True,
                "videoConferenceEnabled": True,
                "imageURL": "https://ui.example/logo.png",
                "type": "collaboration",
            },
        ),
        (
            "PUT",
            "/rooms/room-1/room-app-config",
            {
                "id": "com.remotehq.app.cloudbrowser",
                "permissionMode": "editable",
                "autoStart": True,
                "config": config,
            },
        ),
        ("DELETE", "/rooms/room-1", None),
    ]
    assert remote.authorizations == {f"Bearer {TOKEN}"}
    assert room.document == {
        "site": "saf",
        "slug": "room-1",
        "room_id": "id-1",
        "url": "https://rooms.example/room-1",
        "config": config,
    }


async def test_a_restart_replaces_the_room_and_deletes_the_old_one(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_remote(web, archive, remote, monkeypatch) as rooms:
        with pytest.raises(NoSuchRoom):
            await rooms.restart()
        await rooms.get()
        await rooms.restart()
        assert (await rooms.get()).slug == "room-2"
        await rooms.settle()
        assert set(remote.rooms) == set(remote.configured) - {"room-1"} == {"room-2"}
        assert await rooms.left() == []


@pytest.mark.parametrize("mood", BROKEN)
@pytest.mark.parametrize("call", ["POST /rooms", "PUT"])
async def test_a_restart_that_fails_leaves_the_old_room(
    web: Context,
    archive: Archive,
    remote: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    mood: Mood,
    call: str,
) -> None:
    async with at_remote(web, archive, remote, monkeypatch) as rooms:
        old = await rooms.get()
        remote.moods = {call: mood}
        if call == "PUT" and mood in (Mood.NO_JSON, Mood.NO_DATA, Mood.BAD_SLUG):
            # All that counts there is the status.
            return
        with pytest.raises(ProviderFailed):
            await rooms.restart()
        assert await rooms.get() == old
        assert "room-1" in remote.rooms
        remote.moods = {}
        # What was made in vain goes, too.
        await rooms.tend()
        assert (set(remote.rooms), await rooms.left()) == ({"room-1"}, [])


@pytest.mark.parametrize("mood", BROKEN)
async def test_what_cannot_be_made_is_made_when_that_is_over(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch, mood: Mood
) -> None:
    async with at_remote(web, archive, remote, monkeypatch) as rooms:
        remote.mood = mood
        with pytest.raises(ProviderFailed):
            await rooms.get()
        assert await rooms.recorded() is None
        remote.mood = Mood.GOOD
        assert (await rooms.get()).slug == "room-1"


@pytest.mark.parametrize("mood", [Mood.REFUSES, Mood.CLOSES, Mood.REDIRECTS, Mood.ENDLESS])
async def test_a_room_that_cannot_be_configured_is_kept_and_configured_later(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch, mood: Mood
) -> None:
    async with at_remote(web, archive, remote, monkeypatch) as rooms:
        remote.moods = {"PUT": mood}
        for _ in range(2):
            with pytest.raises(ProviderFailed):
                await rooms.get()
        assert (await rooms.recorded()).slug == "room-1"  # type: ignore[union-attr]
        remote.moods = {}
        assert (await rooms.get()).config
        assert remote.made == 1


@pytest.mark.parametrize("mood", BROKEN)
async def test_a_room_that_the_provider_does_not_delete_stays(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch, mood: Mood
) -> None:
    async with at_remote(web, archive, remote, monkeypatch) as rooms:
        with pytest.raises(NoSuchRoom):
            await rooms.delete()
        room = await rooms.get()
        remote.mood = mood
        with pytest.raises(ProviderFailed):
            await rooms.delete()
        assert await rooms.recorded() == room
        remote.mood = Mood.GOOD
        # Somebody has deleted it there.
        remote.rooms.clear()
        await rooms.delete()
        assert await rooms.recorded() is None


async def test_a_provider_that_hangs_is_given_up_and_keeps_nobody_waiting(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_remote(web, archive, remote, monkeypatch, timeout_s=1.0, parallel=2) as rooms:
        room = await rooms.get()
        remote.mood = Mood.HANGS
        hanging = [asyncio.create_task(rooms.restart()) for _ in range(3)]
        hanging += [asyncio.create_task(rooms.get(f"s{number}")) for number in range(8)]
        await asked(remote, 2)
        # Nobody who only wants to enter asks the provider, and other work goes on beside.
        assert await rooms.get() == room
        await archive.drain()
        ended = await asyncio.gather(*hanging, return_exceptions=True)
        assert {type(one) for one in ended} == {ProviderFailed}
        assert await rooms.recorded() == room
        remote.mood = Mood.GOOD
        assert (await rooms.get("s0")).slug


async def test_no_transaction_is_open_while_the_provider_is_asked(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ones = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state LIKE 'idle in transaction%' AND query LIKE '%control_room%'"
    )
    async with at_remote(web, archive, remote, monkeypatch, timeout_s=2.0) as rooms:
        remote.mood = Mood.HANGS
        hanging = asyncio.create_task(rooms.get())
        await asked(remote, 1)
        async with archive.context.database.begin() as connection:
            assert (await connection.exec_driver_sql(open_ones)).scalar() == 0
            locks = "SELECT count(*) FROM pg_locks WHERE relation = 'control_room'::regclass"
            assert (await connection.exec_driver_sql(locks)).scalar() == 0
        with pytest.raises(ProviderFailed):
            await hanging


async def test_a_database_that_dies_before_a_room_is_recorded_loses_no_room(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch, killed: Killed
) -> None:
    async with at_remote(web, archive, remote, monkeypatch) as rooms:

        async def made() -> None:
            assert (await rooms.get()).slug == "room-1"
            raise EOFError

        # Its own session is ended, and it writes down what it has made with another one.
        assert isinstance(await killed("control_room", made), EOFError)
        assert set(remote.rooms) == {"room-1"}
        assert remote.made == 1


async def test_a_browser_is_passed_on(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_remote(web, archive, remote, monkeypatch) as rooms:
        reply = await service.new_browser(rooms.web, "high", "https://ui.example/?a=b", actor="keeper")
        assert reply.status == 200
        assert reply.body == {
            "data": {"instanceURN": "urn:rhq:1", "embedURL": "https://cb.example/1"},
            "ä": [1.5],
        }
        assert remote.calls == [
            (
                "POST",
                "/cb",
                {
                    "kioskModeEnabled": False,
                    "incognitoModeEnabled": False,
                    "browserURL": "https://ui.example/?a=b",
                    "resolution": "high",
                    "region": "us-west",
                },
            )
        ]
        remote.mood = Mood.REFUSES
        reply = await service.new_browser(rooms.web, "low", "about:blank", actor="keeper")
        assert (reply.status, reply.body) == (503, {"error": "not today"})
        for mood in (Mood.NO_JSON, Mood.NO_DATA, Mood.CLOSES, Mood.REDIRECTS, Mood.ENDLESS):
            remote.mood = mood
            with pytest.raises(ProviderFailed):
                await service.new_browser(rooms.web, "low", "about:blank", actor="keeper")
        for resolution, url in (
            ("huge", "about:blank"),
            ("", "about:blank"),
            ("low", "javascript:alert(1)"),
            ("low", "https://a b"),
            ("low", "https://" + "a" * 3000),
            ("low", "https://\x00"),
            ("low", ""),
        ):
            with pytest.raises(BadBrowser):
                await service.new_browser(rooms.web, resolution, url, actor="keeper")


@pytest.mark.parametrize("secret", ["", "env:NO_SUCH_VARIABLE", "file:/no/such/file", "file:/"])
async def test_without_a_secret_nothing_is_sent(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    async with at_remote(web, archive, remote, monkeypatch, secret=secret) as rooms:
        with pytest.raises(RoomSecretMissing):
            await rooms.get()
        assert remote.calls == []


async def test_where_there_are_no_rooms_nobody_waits(web: Context, archive: Archive) -> None:
    assert tasks.workers_of(archive.context, "test") == []
    assert tasks.periods_of(archive.context.settings.rooms) == ()
    with pytest.raises(RoomsNotProvided):
        await service.get_room(web, "saf", actor="")
    with pytest.raises(NoSuchRoom):
        await service.get_room(web, "saf", actor="", may_make=False)
    with pytest.raises(RoomsNotProvided):
        await service.new_browser(web, "low", "about:blank", actor="")
    for action in (service.get_room, service.restart_room, service.delete_room):
        with pytest.raises(BadSiteName):
            await action(web, "a/b", actor="")


async def test_whoever_may_not_make_a_room_only_reads(web: Context, archive: Archive) -> None:
    async with working(web, archive, provider="fake") as rooms:
        with pytest.raises(NoSuchRoom):
            await rooms.get(may_make=False)
        room = await rooms.get()
        assert await rooms.get(may_make=False) == room
        assert room.url.startswith("https://rooms.invalid/control-room-saf-")
        await rooms.restart()
        assert (await rooms.get()).slug != room.slug
        await rooms.delete()
        with pytest.raises(NoSuchRoom):
            await rooms.restart()
        reply = await service.new_browser(rooms.web, "mobile", "about:blank", actor="")
        assert set(reply.body["data"]) == {"instanceURN", "embedURL"}


async def test_a_room_that_was_made_and_not_recorded_is_found_again(web: Context, archive: Archive) -> None:
    provider = FakeRooms()
    lost = await provider.create("saf")
    settings = RoomSettings(provider="fake", timeout_s=60.0)
    context = with_settings(archive.context, rooms=settings)
    getting = asyncio.create_task(service.get_room(with_settings(web, rooms=settings), "saf", actor=""))
    worker, stop = Worker(context, [tasks.kind_for(provider)], name="one"), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    assert (await getting).slug == lost.slug
    stop.set()
    await running


async def test_rooms_of_another_provider_are_replaced(web: Context, archive: Archive) -> None:
    async with working(web, archive, provider="fake") as rooms:
        room = await rooms.get()
    settings = {"provider": "selfhosted", "template": "https://meet.example/{room}?jwt={token}"}
    async with working(web, archive, secret="env:PATH", **settings) as others:
        with pytest.raises(NoSuchRoom):
            await others.get(may_make=False)
        assert (await others.get()).provider == "selfhosted"
        assert (await others.recorded()).slug != room.slug  # type: ignore[union-attr]


async def test_a_room_of_ones_own_has_a_token_that_is_renewed(
    web: Context, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOM_KEY", "a key")
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    on_time = dataclasses.replace(web, clock=clock)
    served = dataclasses.replace(archive, context=dataclasses.replace(archive.context, clock=clock))
    template = "https://meet.example/{room}?jwt={token}&s={site}"
    settings = {"provider": "selfhosted", "template": template, "secret": "env:ROOM_KEY", "token_h": 10}
    async with working(on_time, served, **settings) as rooms:
        first = await rooms.get()
        claims = token_of(first.url, "a key")
        assert (claims["room"], claims["site"], claims["exp"] - claims["iat"]) == (first.slug, "saf", 36_000)
        clock.advance(4 * 3600)
        assert await rooms.get() == first
        clock.advance(2 * 3600)
        # Renewed for whoever may read, since that makes no room.
        later = await rooms.get(may_make=False)
        assert (later.slug, later.url != first.url) == (first.slug, True)
        assert token_of(later.url, "a key")["iat"] - claims["iat"] == 6 * 3600
        await rooms.restart()
        assert (await rooms.get()).slug != first.slug
        reply = await service.new_browser(rooms.web, "low", "https://ui.example", actor="")
        shared = token_of(reply.body["data"]["embedURL"], "a key")
        assert (shared["url"], shared["resolution"]) == ("https://ui.example", "low")


def token_of(url: str, key: str) -> Any:
    """Return the claims in an address, whose signature is compared by another way than it was made."""
    head, body, signature = url.partition("jwt=")[2].partition("&")[0].split(".")
    expected = hmac.new(key.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    assert _bytes(signature) == expected
    assert json.loads(_bytes(head)) == {"alg": "HS256", "typ": "JWT"}
    return json.loads(_bytes(body))


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def test_names_of_rooms_of_ones_own_cannot_be_guessed() -> None:
    provider = SelfHosted(RoomSettings(template="https://x/{room}", secret="env:PATH"), FakeClock())
    slugs = {(await provider.create("saf")).slug for _ in range(100)}
    assert len(slugs) == 100
    assert all(len(slug) > len("control-room-saf-") + 12 for slug in slugs)


async def test_rooms_are_restarted_at_their_hour(web: Context, archive: Archive) -> None:
    clock = FakeClock(datetime(2026, 1, 1, 14, tzinfo=UTC))
    served = dataclasses.replace(archive, context=dataclasses.replace(archive.context, clock=clock))
    hours = {"saf": 15, "gone": 15}
    async with working(web, served, provider="fake", restart_hours=hours) as rooms:
        first, other = await rooms.get(), await rooms.get("mrc")
        await rooms.tend()
        assert (await rooms.get()).slug == first.slug
        clock.advance(3700)
        await rooms.tend()
        second = await rooms.get()
        assert second.slug != first.slug
        await rooms.tend()
        assert (await rooms.get()).slug == second.slug
        clock.advance(86_400)
        await rooms.tend()
        assert (await rooms.get()).slug != second.slug
        assert (await rooms.get("mrc")).slug == other.slug
        assert tasks.periods_of(rooms.worker.settings.rooms) != ()


async def test_a_scheduled_restart_that_fails_is_tried_again(
    web: Context, archive: Archive, remote: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock(datetime(2026, 1, 1, 14, tzinfo=UTC))
    served = dataclasses.replace(archive, context=dataclasses.replace(archive.context, clock=clock))
    async with at_remote(web, served, remote, monkeypatch, restart_hours={"saf": 15}) as rooms:
        await rooms.get()
        clock.advance(3700)
        remote.mood = Mood.REFUSES
        await rooms.tend()
        assert (await rooms.get()).slug == "room-1"
        remote.mood = Mood.GOOD
        await rooms.tend()
        await rooms.settle()
        assert ((await rooms.get()).slug, set(remote.rooms)) == ("room-2", {"room-2"})


def test_a_restart_is_due_once_a_day_and_not_long_after_its_hour() -> None:
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    yesterday, today = noon - timedelta(days=1), noon - timedelta(hours=1)
    assert is_due(12, noon, yesterday)
    assert is_due(11, noon, yesterday)
    assert not is_due(11, noon, today)
    assert not is_due(10, noon, yesterday)
    assert not is_due(13, noon, yesterday)
    assert is_due(23, noon.replace(hour=0, minute=30), yesterday)


async def test_the_web_process_may_only_read_rooms(web: Context, archive: Archive) -> None:
    for statement in ("DELETE FROM control_room", "UPDATE control_room SET url = ''"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with web.database.begin() as connection:
                await connection.exec_driver_sql(statement)
    async with web.database.begin() as connection:
        assert await every(connection) == []
    assert service.order_of(Act.BROWSER, "", actor="").unique_key is None
