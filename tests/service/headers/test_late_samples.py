"""A late sample reaches every header that it concerns, whatever ends or is under way when it comes."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from contextlib import aclosing

import pytest

from armillary.base.metrics import REGISTRY
from armillary.headers.exposures.models import Because, ExposureState
from armillary.headers.services import store
from armillary.headers.services.building import Builder
from armillary.headers.services.configuration import kept
from armillary.headers.services.following import Follower, register
from armillary.headers.services.models import TakenOver
from armillary.headers.services.register import Register
from armillary.operations.retention import forget_samples
from tests.support.clock import FakeClock
from tests.support.exposing import INSTRUMENT, PATIENCE_S, SECOND, Observatory
from tests.support.patience import in_time

IMAGE, OTHER, THIRD = (f"AT_O_20261130_{number:06d}" for number in (1, 2, 3))
HOUR_S = 3600.0


@dataclasses.dataclass
class Parts:
    """What a service consists of, to be set going piece by piece."""

    observatory: Observatory
    known: Register
    follower: Follower
    builder: Builder

    @classmethod
    async def of(cls, observatory: Observatory) -> Parts:
        """Take them of a service that has been enabled and does not run."""
        context = observatory.context
        known = Register(INSTRUMENT)
        async with context.database.raw() as connection:
            epoch, number = await connection.fetchrow("SELECT epoch, config FROM header_service")
            await known.load(connection)
            configuration = await kept(connection, number)
        builder = Builder(context, known, epoch)
        await builder.know(configuration)
        follower = Follower(context, known, configuration, epoch, builder.foresee)
        return cls(observatory, known, follower, builder)

    async def read(self) -> None:
        """Read the bus up to the next samples, as a process that ends right behind them."""
        start = await register(self.observatory.context, INSTRUMENT)
        async with aclosing(self.follower.pages(start)) as pages:
            async for samples in pages:
                if samples:
                    return


async def because(observatory: Observatory, image: str) -> str | None:
    """Return why an exposure is looked at again."""
    async with observatory.context.database.raw() as connection:
        found: str | None = await connection.fetchval(
            "SELECT due_because FROM exposure WHERE image_id = $1", image
        )
    return found


async def a_finished_image(observatory: Observatory, t: int) -> None:
    async with observatory.serving():
        await observatory.enable()
        await observatory.camera.publish(*observatory.camera.image(IMAGE, t))
        await observatory.published(IMAGE)
        await observatory.settled(IMAGE)


async def test_a_process_that_ends_behind_a_late_sample_has_noted_it(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    await a_finished_image(observatory, t)
    await camera.publish(camera.airmass(t + SECOND, 1.5), camera.start(OTHER, t + 10 * SECOND))
    await (await Parts.of(observatory)).read()
    assert await because(observatory, IMAGE) == Because.LATE
    async with observatory.serving():
        await observatory.published(IMAGE, 2)
    assert (await observatory.values(IMAGE))["AMEND"] == 1.5


async def test_a_service_that_was_taken_over_takes_no_events_in(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    await a_finished_image(observatory, t)
    parts = await Parts.of(observatory)
    async with observatory.context.database.raw() as connection:
        await store.take_over(connection, INSTRUMENT)
    await camera.publish(camera.start(OTHER, t + 10 * SECOND))
    with pytest.raises(TakenOver):
        await parts.read()
    assert OTHER not in await observatory.exposures()


async def due_again(observatory: Observatory, image: str) -> int:
    """Let a header be due as if its samples had had their time to come; return the number of the exposure."""
    async with observatory.context.database.raw() as connection:
        query = "UPDATE exposure SET due = 0, due_because = 'd2' WHERE image_id = $1 RETURNING id"
        return int(await connection.fetchval(query, image))


def rendered() -> float:
    """Return how many headers have been rendered in this process."""
    labels = {"instrument": INSTRUMENT, "stage": "render"}
    return REGISTRY.get_sample_value("armillary_header_seconds_count", labels) or 0.0


async def until_rendered(count: float) -> None:
    end = time.monotonic() + PATIENCE_S
    while rendered() < count:
        in_time(end, "headers are rendered")
        await asyncio.sleep(0.01)


async def test_a_late_sample_follows_a_header_that_was_made_without_it(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    await a_finished_image(observatory, t)
    number = await due_again(observatory, IMAGE)
    parts, before = await Parts.of(observatory), rendered()
    async with parts.known.alone([IMAGE]):
        building = asyncio.create_task(parts.builder.build(number))
        await until_rendered(before + 1)
        # It waits to note that nothing is new, and the sample waits behind it.
        await camera.publish(camera.airmass(t + SECOND, 1.5), camera.start(OTHER, t + 10 * SECOND))
        reading = asyncio.create_task(parts.read())
        await asyncio.sleep(0)
    await asyncio.gather(building, reading)
    parts.builder.close()
    assert await because(observatory, IMAGE) == Because.LATE


async def test_a_late_sample_is_noted_while_a_header_is_made_without_it(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    await a_finished_image(observatory, t)
    async with observatory.serving():
        await camera.publish(*camera.image(OTHER, t - 100 * SECOND))
        await observatory.published(OTHER)
        await observatory.settled(OTHER)
        await observatory.settled(IMAGE)
    numbers = [await due_again(observatory, image) for image in (OTHER, IMAGE)]
    parts, before = await Parts.of(observatory), rendered()
    # The other one is kept from its row, and this one gives it some time to be announced first.
    async with parts.known.alone([OTHER]):
        building = [asyncio.create_task(parts.builder.build(number)) for number in numbers]
        await until_rendered(before + 2)
        await camera.publish(camera.airmass(t + SECOND, 1.5), camera.start(THIRD, t + 10 * SECOND))
        await parts.read()
    await asyncio.gather(*building)
    parts.builder.close()
    assert await because(observatory, IMAGE) == Because.LATE
    assert await because(observatory, OTHER) is None


async def test_what_was_made_beforehand_gives_way_to_a_late_sample(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    async with observatory.serving():
        await observatory.enable()
        *begun, end = camera.image(IMAGE, t)
        await camera.publish(*begun)
        await observatory.reached(IMAGE, ExposureState.READOUT)
    await camera.publish(end)
    parts, before = await Parts.of(observatory), rendered()
    await parts.read()
    await until_rendered(before + 1)
    await camera.publish(camera.airmass(t + SECOND, 1.5), camera.start(OTHER, t + 10 * SECOND))
    await parts.read()
    (number,) = (one.id for one in parts.known.due() if one.named == IMAGE)
    await parts.builder.build(number)
    parts.builder.close()
    assert (await observatory.values(IMAGE))["AMEND"] == 1.5


async def test_a_sample_that_waited_for_the_database_is_a_late_one(observatory: Observatory) -> None:
    camera, bus, t = observatory.camera, observatory.context.bus, observatory.camera.now() - 2 * SECOND
    waiting, _, rejects = await bus.judged([camera.airmass(t + SECOND, 1.5)])
    assert not rejects
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*camera.image(IMAGE, t))
        await observatory.published(IMAGE)
        await observatory.settled(IMAGE)
        await bus.store_rows(waiting)
        await observatory.published(IMAGE, 2)
    assert (await observatory.values(IMAGE))["AMEND"] == 1.5


async def test_a_late_sample_behind_an_exposure_ends_its_interpolation(observatory: Observatory) -> None:
    settings, camera = observatory.context.settings, observatory.camera
    path = settings.headers.at(settings.data) / "instruments" / f"{INSTRUMENT}.yaml"
    path.write_text(path.read_text().replace("at: readout_start\n", "at: readout_start\n    pick: interp\n"))
    t = camera.now() - 20 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*camera.image(IMAGE, t))
        await observatory.published(IMAGE)
        await observatory.settled(IMAGE)
        await camera.publish(camera.airmass(t + 3 * SECOND, 3.71))
        await observatory.published(IMAGE, 2)
    assert (await observatory.values(IMAGE))["AMEND"] == pytest.approx(1.71, abs=1e-5)


async def test_samples_of_an_exposure_without_header_are_kept(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    clock = FakeClock(observatory.context.clock.now())
    later = dataclasses.replace(observatory.context, clock=clock)
    clock.advance(100 * HOUR_S)
    readings = [camera.airmass(t + place * SECOND, 1.0 + place) for place in range(-3, 3)]

    async def kept_values() -> list[float]:
        found = await camera.context.bus.range("pointing", "target_status", t - 10 * SECOND, t + 10 * SECOND)
        return [one.payload["airmass"] for one in found]

    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*readings, camera.start(IMAGE, t, exposure=3600.0))
        await observatory.reached(IMAGE, ExposureState.INTEGRATING)
    await forget_samples(later)
    assert await kept_values() == [1.0, 2.0, 3.0]
    async with observatory.serving():
        await camera.publish(camera.end(IMAGE, t + SECOND))
        await observatory.published(IMAGE)
        await observatory.settled(IMAGE)
    await forget_samples(later)
    assert await kept_values() == [3.0]
