"""What changes here is sent there by itself, and a server that is away delays nothing."""

from __future__ import annotations

import pytest

from armillary.base.alone import alone
from armillary.base.work import NewOrder, submit
from armillary.demo.svo import Fault, Kind, Svo
from armillary.operations.service import status_of
from armillary.publish.svo import outbox, service
from armillary.publish.svo.sending import send_file
from armillary.publish.svo.tasks import SYNC, periods_of
from tests.service.publish.conftest import Publishing, totals
from tests.support.cubes import BEGIN, oid
from tests.support.svo import DATASET

OID = f"{BEGIN}_3950_0-9"


@pytest.fixture
async def alive(publishing: Publishing) -> Publishing:
    """Return an archive that publishes by itself."""
    one = publishing.with_settings(publish=True)
    await service.register(one.context)
    return one


async def follow(archive: Publishing) -> None:
    """Let the feed be looked at, and what it tells be sent."""
    async with archive.context.database.begin() as connection:
        order = NewOrder(kind=outbox.FOLLOW, args={}, unique_key=outbox.FOLLOW)
        await submit(connection, [order], keyed_fifo=False)
    await archive.work()


async def waiting(archive: Publishing) -> list[tuple[str, int]]:
    """Return the keys and attempts of orders that are still to be sent."""
    rows = await archive.sql(
        "SELECT unique_key, attempts FROM work_order WHERE kind = 'svo_send' AND state = 'Queued' ORDER BY 1"
    )
    return [tuple(row) for row in rows]


async def test_what_is_taken_in_or_edited_is_sent(alive: Publishing, svo: Svo) -> None:
    await alive.take("one.fits")
    await follow(alive)
    assert list(svo.world.records[DATASET]) == [OID]
    await alive.set("one.fits", OBJECT="Plage")
    await follow(alive)
    assert svo.world.records[DATASET][OID].values["object"] == "Plage"
    writes = len(svo.writes)
    await follow(alive)
    assert len(svo.writes) == writes == 2
    assert totals(await alive.sync()) == {"unchanged": 1}


async def test_what_was_acknowledged_is_not_sent_again(alive: Publishing, svo: Svo) -> None:
    await alive.take("one.fits")
    assert totals(await alive.sync()) == {"created": 1}
    svo.log.clear()
    await follow(alive)
    assert svo.writes == []
    assert not any(one.path.endswith(f"{OID.replace(':', '%3A')}/") for one in svo.log), "nor looked for"


async def test_a_new_oid_takes_the_place_of_the_old_one(alive: Publishing, svo: Svo) -> None:
    await alive.take("one.fits")
    await follow(alive)
    await alive.set("one.fits", **{"DATE-BEG": "2026-01-01T11:00:00"})
    await follow(alive)
    assert list(svo.world.records[DATASET]) == ["2026-01-01T11:00:00_3950_0-9"]
    assert svo.world.orphans() == []


async def test_a_retired_product_is_deleted(alive: Publishing, svo: Svo) -> None:
    await alive.take_day(2)
    await follow(alive)
    await alive.retire("cube0001.fits")
    await follow(alive)
    assert (list(svo.world.records[DATASET]), svo.world.orphans()) == ([oid(0)], [])
    assert await alive.sql("SELECT oid FROM svo_record") == [(oid(0),)]


async def test_an_older_file_of_the_same_oid_is_not_sent(alive: Publishing, svo: Svo) -> None:
    await alive.take("new.fits", DATE="2026-01-05T00:00:00")
    await follow(alive)
    await alive.take("old.fits", DATE="2026-01-04T00:00:00", OBJECT="older")
    await follow(alive)
    assert svo.world.records[DATASET][OID].values["object"] == "Sunspot"


async def test_the_older_file_of_an_oid_takes_over_when_the_newer_one_is_retired(
    alive: Publishing, svo: Svo
) -> None:
    await alive.take("old.fits", DATE="2026-01-04T00:00:00", OBJECT="older")
    await alive.take("new.fits", DATE="2026-01-05T00:00:00")
    await follow(alive)
    assert svo.world.records[DATASET][OID].values["object"] == "Sunspot"
    await alive.retire("new.fits")
    await follow(alive)
    assert svo.world.records[DATASET][OID].values["object"] == "older"
    (place,) = svo.world.locations.values()
    assert place.file_url.endswith("/old.fits")


async def test_of_two_files_of_one_oid_only_the_newer_one_is_ever_sent(alive: Publishing, svo: Svo) -> None:
    """Their orders may run beside each other: who comes last is no matter of chance."""
    await alive.take("new.fits", DATE="2026-01-05T00:00:00")
    await alive.take("old.fits", DATE="2026-01-04T00:00:00", OBJECT="older")
    for name in ("old.fits", "new.fits"):
        sent = await send_file(alive.context, (await alive.version(name)).file_id)
        assert sent == {OID: "created" if name == "new.fits" else "superseded"}
    assert len(svo.writes) == 1


async def test_a_restricted_product_is_looked_at_again_on_its_day(alive: Publishing, svo: Svo) -> None:
    await alive.take("one.fits", RELEASE="2199-01-01")
    await follow(alive)
    (place,) = svo.world.locations.values()
    assert place.offline
    ((key, attempts),) = await waiting(alive)
    assert (key.split(":")[1], attempts) == ("release", 0)
    rows = await alive.sql("SELECT not_before::date::text FROM work_order WHERE unique_key = $1", key)
    assert rows == [("2199-01-01",)]
    await alive.set("one.fits", RELEASE="2026-01-01")
    await follow(alive)
    assert not svo.world.locations[place.id].offline


async def test_a_server_that_is_away_is_left_alone_and_then_served(alive: Publishing, svo: Svo) -> None:
    svo.fail(Fault(Kind.STATUS, times=10_000, status=503))
    await alive.take_day(2)
    await follow(alive)
    assert len(await waiting(alive)) == 2
    rows = await alive.sql("SELECT name, away_until > now(), error FROM export_destination")
    ((name, is_away, error),) = rows
    assert (name, is_away) == ("SVO", True)
    assert "does not answer" in error
    svo.faults.clear()
    await alive.sql("UPDATE export_destination SET away_until = NULL")
    await alive.sql("UPDATE work_order SET not_before = now() WHERE state = 'Queued'")
    await alive.work()
    assert sorted(svo.world.records[DATASET]) == [oid(0), oid(1)]
    assert await alive.sql("SELECT away_until, error FROM export_destination") == [(None, None)]


async def test_who_does_not_publish_follows_nothing(alive: Publishing, svo: Svo) -> None:
    await service.register(alive.with_settings(publish=False).context)
    assert await alive.sql("SELECT name FROM feed_consumer WHERE name = 'svo'") == []
    assert await alive.sql("SELECT active FROM export_destination WHERE name = 'SVO'") == [(False,)]


async def test_a_sync_is_due_as_often_as_the_settings_say(publishing: Publishing, svo: Svo) -> None:
    assert periods_of(publishing.context.settings.svo) == ()
    often = publishing.context.settings.svo.model_validate({"sync_every": "PT6H", "datasets": {"a": "b"}})
    (period,) = periods_of(often)
    assert (period.kind, period.every_s) == (SYNC, 6 * 3600.0)


async def order_a_sync(archive: Publishing) -> None:
    async with archive.context.database.begin() as connection:
        await submit(connection, [NewOrder(kind=SYNC, args={}, unique_key=SYNC)], keyed_fifo=False)
    await archive.work()


async def test_a_sync_by_itself_does_what_the_command_does(publishing: Publishing, svo: Svo) -> None:
    await publishing.take_day(2)
    await order_a_sync(publishing)
    assert sorted(svo.world.records[DATASET]) == [oid(0), oid(1)]
    rows = await publishing.sql(
        "SELECT state, response->'value'->>'created' FROM work_order WHERE kind = $1", SYNC
    )
    assert rows == [("Completed", "2")]


async def test_a_sync_waits_for_the_end_of_one_that_runs(publishing: Publishing, svo: Svo) -> None:
    async with alone(publishing.context.database, service.LOCK):
        await order_a_sync(publishing)
    rows = await publishing.sql("SELECT state, attempts, error FROM work_order WHERE kind = $1", SYNC)
    ((state, attempts, error),) = rows
    assert (state, attempts) == ("Queued", 0)
    assert "is running" in error


async def test_a_sync_that_did_not_do_all_is_a_failure_to_be_seen(publishing: Publishing, svo: Svo) -> None:
    await publishing.take_day(2)
    svo.fail(Fault(Kind.STATUS, "POST", status=400))
    await order_a_sync(publishing)
    (failure,) = (await status_of(publishing.context)).failures
    assert (failure.kind, failure.attempts) == (SYNC, 1)
    assert oid(0) in failure.reason
    assert "status 400" in failure.reason or "The server is away" in failure.reason
