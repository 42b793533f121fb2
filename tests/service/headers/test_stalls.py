"""Disks and databases that refuse for a while cost nothing but time, and one image's trouble is its own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.signals import PostgresSignals
from armillary.headers import service
from armillary.headers.delivery.annex import Annex
from armillary.headers.delivery.models import HeaderCreated, HeaderFailed
from armillary.headers.errors import AnnexUnusable, HeaderNotMade
from armillary.headers.exposures.models import ExposureState
from armillary.headers.services.models import Command
from tests.support.exposing import INSTRUMENT, SECOND, Observatory
from tests.support.relays import relayed

IMAGES = [f"AT_O_20261130_{number:06d}" for number in range(1, 4)]
IMAGE, OTHER, _ = IMAGES
IN_THE_WAY = """
CREATE FUNCTION in_the_way() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.image_id = '{image}' THEN RAISE EXCEPTION 'not this one' USING ERRCODE = '{code}'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER in_the_way BEFORE INSERT ON header_revision FOR EACH ROW EXECUTE FUNCTION in_the_way()
"""


async def execute(observatory: Observatory, server: EmbeddedServer, statement: str) -> None:
    """Execute a statement as the owner of the database."""
    async with observatory.context.database.raw() as connection:
        name = await connection.fetchval("SELECT current_database()")
    database = await Database.connect(server, Role.OWNER, name=name, pool_size=1)
    try:
        async with database.raw() as connection:
            await connection.execute(statement)
    finally:
        await database.close()


async def objects(observatory: Observatory) -> list[Any]:
    async with observatory.context.database.raw() as connection:
        found: list[Any] = await connection.fetch(
            "SELECT key, stored, attempts, sha256, size_bytes FROM header_object ORDER BY key"
        )
    return found


async def all_stored(observatory: Observatory) -> list[Any]:
    """Wait until every object is in the annex."""

    async def ask() -> list[Any] | None:
        found = await objects(observatory)
        return found if found and all(one["stored"] for one in found) else None

    return await observatory.until(ask)


def annex_of(observatory: Observatory) -> Path:
    return observatory.context.settings.data / "annex"


@pytest.mark.parametrize("place", ["", INSTRUMENT])
async def test_a_disk_that_stalls_holds_nothing_up(observatory: Observatory, place: str) -> None:
    observatory = observatory.such(retry_first_s=0.05)
    in_the_way = annex_of(observatory) / place
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("no directory")
    camera, t = observatory.camera, observatory.camera.now() - 60 * SECOND
    async with observatory.serving():
        await observatory.enable()
        epoch = await _epoch(observatory)
        for number, image in enumerate(IMAGES):
            await camera.publish(*camera.image(image, t + number * 5 * SECOND, airmass=1.0 + number))
            await observatory.published(image)

        async def refused() -> bool:
            found = await objects(observatory)
            return len(found) == 9 and (not place or all(one["attempts"] for one in found))

        await observatory.until(refused)
        values = [await observatory.values(image) for image in IMAGES]
        if not place:
            with pytest.raises(AnnexUnusable):
                await observatory.command(Command.RECONCILE)
        in_the_way.unlink()
        stored = await all_stored(observatory)
        announced = [one for one in (await observatory.announced()).headers if isinstance(one, HeaderCreated)]
        assert await _epoch(observatory) == epoch
    assert [(one["AMSTART"], one["AMEND"]) for one in values] == [(1.0, 1.01), (2.0, 2.01), (3.0, 3.01)]
    for one in stored:
        body = (annex_of(observatory) / one["key"]).read_bytes()
        assert (len(body), hashlib.sha256(body).hexdigest()) == (one["size_bytes"], one["sha256"])
    # Once each, although the objects came later.
    assert [one.image_id for one in announced] == IMAGES
    for one in announced:
        told = {each.media_type: each.sha256 for each in one.objects if not each.stored}
        kept = {each.media_type: each.sha256 for each in one.objects if each.stored}
        assert told.items() <= kept.items()


async def test_what_an_upload_left_is_replaced_whole(observatory: Observatory) -> None:
    part = annex_of(observatory) / f"{INSTRUMENT}/header/20261130/{IMAGE}/{IMAGE}.raw.r1.fits"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"SIMPLE  =")
    camera, t = observatory.camera, observatory.camera.now() - 60 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*camera.image(IMAGE, t))
        await all_stored(observatory)
        (told,) = (await observatory.announced()).headers
    assert isinstance(told, HeaderCreated)
    sent = {one.sha256 for one in told.objects if one.media_type == "application/fits"}
    assert sent == {hashlib.sha256(part.read_bytes()).hexdigest()}


async def test_an_annex_that_is_away_for_days_is_tried_again_all_the_same(observatory: Observatory) -> None:
    in_the_way = annex_of(observatory) / INSTRUMENT
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("no directory")
    camera, t = observatory.camera, observatory.camera.now() - 60 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*camera.image(IMAGE, t))
        await observatory.published(IMAGE)
    async with observatory.context.database.raw() as connection:
        await connection.execute("UPDATE header_object SET attempts = 5000, not_before = now()")
        await Annex.of(observatory.context).fill(INSTRUMENT)
        waits = "extract(epoch FROM not_before - now()) BETWEEN 200 AND 300"
        query = f"SELECT bool_and(attempts = 5001 AND {waits}) FROM header_object"
        assert await connection.fetchval(query) is True


async def test_an_image_that_cannot_be_written_fails_alone_and_is_tried_again(
    observatory: Observatory, postgres: EmbeddedServer
) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 60 * SECOND
    await execute(observatory, postgres, IN_THE_WAY.format(image=IMAGE, code="P0001"))
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*camera.image(IMAGE, t), *camera.image(OTHER, t + 5 * SECOND))
        await observatory.published(OTHER)
        failed = await observatory.reached(IMAGE, ExposureState.FAILED)
        assert "not this one" in (failed.reason or "")
        with pytest.raises(HeaderNotMade, match="not this one"):
            await service.get(observatory.context, INSTRUMENT, IMAGE)

        async def again() -> bool:
            return (await observatory.exposures())[IMAGE].attempts >= 2

        await observatory.until(again)
        assert (await service.status(observatory.context, INSTRUMENT)).state == "ENABLED"
        told = [one for one in (await observatory.announced()).headers if isinstance(one, HeaderFailed)]
        assert [(one.image_id, one.attempts) for one in told] == [(IMAGE, 1)]
        await execute(observatory, postgres, "DROP TRIGGER in_the_way ON header_revision")
        await observatory.published(IMAGE)
        assert (await observatory.values(IMAGE))["OBSID"] == IMAGE


async def test_a_database_without_room_is_waited_for(
    observatory: Observatory, postgres: EmbeddedServer
) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 60 * SECOND
    await execute(observatory, postgres, IN_THE_WAY.format(image=IMAGE, code="53100"))
    async with observatory.serving():
        await observatory.enable()
        epoch = await _epoch(observatory)
        await camera.publish(*camera.image(IMAGE, t), *camera.image(OTHER, t + 5 * SECOND))

        async def interrupted() -> bool:
            return await _epoch(observatory) > epoch

        await observatory.until(interrupted)
        await execute(observatory, postgres, "DROP TRIGGER in_the_way ON header_revision")
        await observatory.published(IMAGE)
        await observatory.published(OTHER)
        announced = (await observatory.announced()).headers
    assert sorted(one.image_id for one in announced) == [IMAGE, OTHER]
    assert all(isinstance(one, HeaderCreated) for one in announced)


async def _epoch(observatory: Observatory) -> int:
    async with observatory.context.database.begin() as connection:
        return int((await connection.exec_driver_sql("SELECT epoch FROM header_service")).scalar_one())


@asynccontextmanager
async def through_a_relay(
    observatory: Observatory, server: EmbeddedServer
) -> AsyncIterator[tuple[Observatory, Any]]:
    """Let a service reach the database by a relay, which can be closed; the camera goes on without it."""
    socket = Path(str(server.dsn.host)) / f".s.PGSQL.{server.dsn.port}"
    async with relayed(socket) as relay, observatory.context.database.raw() as connection:
        name = await connection.fetchval("SELECT current_database()")
        dsn = f"postgresql://{Role.WORKER}@127.0.0.1:{relay.port}/{name}"
        database = await Database.connect(dsn, Role.WORKER, name=name, pool_size=6, away_s=0.2)
        signals = PostgresSignals(database)
        context = replace(observatory.context, database=database, signals=signals)
        try:
            yield Observatory(context, observatory.camera), relay
        finally:
            await signals.close()
            await database.close()


async def test_a_service_goes_on_where_it_was_when_the_log_is_back(
    observatory: Observatory, postgres: EmbeddedServer
) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 600 * SECOND
    images = [f"AT_O_20261130_{number:06d}" for number in range(1, 13)]
    async with through_a_relay(observatory, postgres) as (remote, relay):
        running = asyncio.create_task(_served(remote))
        await observatory.enable()
        for number, image in enumerate(images):
            samples = camera.image(image, t + number * 5 * SECOND)
            await camera.publish(*samples[:3])
            if number % 4 == 1:
                await relay.close()
            await camera.publish(*samples[3:])
            if number % 4 == 3:
                await relay.open()
        for image in images:
            await observatory.published(image)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        announced = (await observatory.announced()).headers
    assert sorted(one.image_id for one in announced) == images
    assert {one.revisions["raw"] for one in (await observatory.exposures()).values()} == {1}


async def _served(observatory: Observatory) -> None:
    async with observatory.serving():
        await asyncio.Event().wait()
