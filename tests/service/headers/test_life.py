"""An exposure becomes a header, whatever happens to its events and samples."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from armillary.headers import service
from armillary.headers.delivery.models import HeaderCreated
from armillary.headers.exposures.models import ExposureState
from armillary.headers.services.models import Command
from tests.support.exposing import SECOND, Observatory

IMAGE, OTHER = "AT_O_20261130_000001", "AT_O_20261130_000002"


async def test_an_exposure_becomes_a_header(observatory: Observatory) -> None:
    camera = observatory.camera
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*camera.image(IMAGE, camera.now() - 2 * SECOND))
        found = await observatory.published(IMAGE)
        values = await observatory.values(IMAGE)
    assert found.state is ExposureState.PUBLISHED
    assert values["OBSID"] == IMAGE
    assert values["DARKTIME"] == 1.25
    assert (values["AMSTART"], values["AMEND"]) == (1.2, 1.21)
    assert [one.image_id for one in (await observatory.announced()).headers] == [IMAGE]


async def test_events_in_any_order_make_one_header(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 60 * SECOND
    hashes = set()
    async with observatory.serving():
        await observatory.enable()
        for number, order in enumerate(itertools.permutations(range(4))):
            events = [one for one in camera.image(IMAGE, t) if one.kind == "event"]
            image = f"AT_O_20261130_{number:06d}"
            named = [_renamed(one, image) for one in events]
            await camera.publish(*(named[place] for place in order))
        for number in range(24):
            image = f"AT_O_20261130_{number:06d}"
            await observatory.published(image)
            values = await observatory.values(image)
            hashes.add(tuple((key, value) for key, value in values.items() if key not in _OF_IMAGE))
            assert values["OBSID"] == image
        announced = await observatory.announced()
    assert len(hashes) == 1
    assert [one.image_id for one in announced.headers] == sorted({one.image_id for one in announced.headers})


_OF_IMAGE = ("OBSID", "DATE", "FILENAME")


def _renamed(sample: object, image: str) -> object:
    import msgspec

    return msgspec.structs.replace(sample, payload={**sample.payload, "image_id": image})  # type: ignore[attr-defined]


async def test_two_images_that_start_together_keep_their_own_values(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 2 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(
            camera.start(IMAGE, t, exposure=5.0),
            camera.start(OTHER, t, exposure=7.0),
            camera.end(OTHER, t + SECOND, dark=7.5),
            camera.end(IMAGE, t + SECOND, dark=5.5),
        )
        await observatory.published(IMAGE)
        await observatory.published(OTHER)
        first, second = await observatory.values(IMAGE), await observatory.values(OTHER)
    assert (first["EXPTIME"], first["DARKTIME"]) == (5.0, 5.5)
    assert (second["EXPTIME"], second["DARKTIME"]) == (7.0, 7.5)


@pytest.mark.parametrize("lost", ["start", "timeout", "end"])
async def test_an_image_is_closed_whatever_is_lost(observatory: Observatory, lost: str) -> None:
    camera, t = observatory.camera, observatory.camera.now()
    events = {
        "start": camera.start(IMAGE, t, exposure=None if lost == "timeout" else 1.0),
        "readout": camera.readout(IMAGE, t + SECOND),
        "end": camera.end(IMAGE, t + SECOND),
    }
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*(one for name, one in events.items() if name != lost))
        found = await observatory.published(IMAGE)
        header = await service.get(observatory.context, observatory.instrument, IMAGE)
    if lost == "end":
        assert header.moments["end"].flag == "deadline"
        assert not header.complete
    if lost == "start":
        assert header.moments["integration_start"].flag == "fallback:readout_start"
    assert found.revisions == {"raw": 1}


async def test_a_late_end_completes_the_header(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now()
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(camera.start(IMAGE, t, exposure=0.1), camera.readout(IMAGE, t + SECOND))
        await observatory.published(IMAGE)
        assert (await observatory.values(IMAGE))["DARKTIME"] is None
        await observatory.settled(IMAGE)
        await camera.publish(camera.end(IMAGE, t + SECOND))
        await observatory.published(IMAGE, 2)
        assert (await observatory.values(IMAGE))["DARKTIME"] == 1.25
        assert (await observatory.values(IMAGE, 1))["DARKTIME"] is None
        told = [one for one in (await observatory.announced()).headers if isinstance(one, HeaderCreated)]
    assert [(one.revision, one.supersedes, one.complete) for one in told] == [(1, None, False), (2, 1, True)]


async def test_a_late_sample_makes_a_revision_and_an_early_one_none(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*camera.image(IMAGE, t))
        await observatory.published(IMAGE)
        await observatory.settled(IMAGE)
        await camera.publish(camera.airmass(t + SECOND, 1.5), camera.airmass(t + 3 * SECOND, 9.0))
        await observatory.published(IMAGE, 2)
        assert (await observatory.values(IMAGE))["AMEND"] == 1.5
        await observatory.settled(IMAGE)
        await observatory.command(Command.REBUILD, image_id=IMAGE)
        await observatory.settled(IMAGE)
        assert (await observatory.exposures())[IMAGE].revisions == {"raw": 2}


async def test_events_that_come_twice_have_no_effect(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    samples = camera.image(IMAGE, t)
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*samples)
        await observatory.published(IMAGE)
        await camera.publish(*samples)
        await camera.publish(camera.start(IMAGE, t), camera.end(IMAGE, t + SECOND + SECOND // 4))
        await camera.publish(*camera.image(OTHER, t + 5 * SECOND))
        await observatory.published(OTHER)
        await observatory.settled(IMAGE)
        assert (await observatory.exposures())[IMAGE].revisions == {"raw": 1}


async def test_an_image_id_that_is_used_again_is_kept_apart(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 100 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(camera.start(IMAGE, t, exposure=5.0), camera.end(IMAGE, t + SECOND, dark=5.5))
        await observatory.published(IMAGE)
        await camera.publish(
            camera.start(IMAGE, t + 50 * SECOND, exposure=7.0), camera.end(IMAGE, t + 51 * SECOND, dark=7.5)
        )
        await observatory.published(f"{IMAGE}~2")
        first, second = await observatory.values(IMAGE), await observatory.values(f"{IMAGE}~2")
    assert (first["EXPTIME"], first["DARKTIME"]) == (5.0, 5.5)
    assert (second["EXPTIME"], second["DARKTIME"]) == (7.0, 7.5)


async def test_garbage_has_a_reason_and_stops_nothing(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(
            camera.sample("start_integration", t),
            camera.sample("start_integration", t, image_id=["no", "name"]),
            camera.sample("start_integration", t, image_id="../../etc"),
            camera.airmass(t - SECOND, float("nan")),
            camera.start(IMAGE, t, exposure="soon", timeout="never"),  # type: ignore[arg-type]
            camera.end(IMAGE, t + SECOND, dark=float("inf")),
        )
        await observatory.published(IMAGE)
        reasons = await observatory.reasons(IMAGE)
        await camera.publish(*camera.image(OTHER, t))
        await observatory.published(OTHER)
        status = await service.status(observatory.context, observatory.instrument)
        names = set(await observatory.exposures())
    assert status.state == "ENABLED"
    assert names == {IMAGE, OTHER}
    assert (reasons["AMSTART"], reasons["DARKTIME"]) == ("invalid", "invalid")
    assert reasons["AIRTEMP"] == "never_seen"


async def test_what_is_missed_while_disabled_is_built_on_the_next_enable(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    async with observatory.serving():
        await observatory.command(Command.START)
        await camera.publish(*camera.image(IMAGE, t))
        await observatory.reached(IMAGE, ExposureState.TELEMETRY_DONE)
        await observatory.command(Command.STANDBY)
        await camera.publish(*camera.image(OTHER, t))
        # Long enough for a service that follows: it takes events in within milliseconds.
        await asyncio.sleep(0.5)
        assert OTHER not in await observatory.exposures()
        await observatory.enable()
        await observatory.published(IMAGE)
        await observatory.published(OTHER)


async def test_the_state_is_remembered_and_exposures_go_on(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now()
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(camera.start(IMAGE, t, exposure=3600.0))
        await observatory.reached(IMAGE, ExposureState.INTEGRATING)
    await camera.publish(camera.readout(IMAGE, t + SECOND), camera.end(IMAGE, t + SECOND))
    async with observatory.serving():
        await observatory.published(IMAGE)
        assert (await service.status(observatory.context, observatory.instrument)).state == "ENABLED"


async def test_a_second_service_is_passive_until_the_first_ends(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    stop = asyncio.Event()
    async with observatory.serving():
        await observatory.enable()
        second = asyncio.create_task(service.run(observatory.context, observatory.instrument, stop))
        await camera.publish(*camera.image(IMAGE, t))
        await observatory.published(IMAGE)
        epoch = await _epoch(observatory)
    await camera.publish(*camera.image(OTHER, t))
    await observatory.published(OTHER)
    assert await _epoch(observatory) == epoch + 1
    stop.set()
    await second


async def _epoch(observatory: Observatory) -> int:
    async with observatory.context.database.begin() as connection:
        return int((await connection.exec_driver_sql("SELECT epoch FROM header_service")).scalar_one())
