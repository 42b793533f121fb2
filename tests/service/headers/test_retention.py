"""What the log forgets makes no header worse, and what headers still need it does not forget."""

from __future__ import annotations

import dataclasses

import pytest

from armillary.headers import service
from armillary.headers.exposures.models import ExposureState
from armillary.headers.services.models import Command
from armillary.operations.retention import forget_samples
from tests.support.exposing import INSTRUMENT, SECOND, Observatory

IMAGE, OTHER = "AT_O_20261130_000001", "AT_O_20261130_000002"
HOUR = 3600 * SECOND


@pytest.fixture
def forgetful(observatory: Observatory) -> Observatory:
    """Return an observatory whose log keeps samples for a second."""
    settings = observatory.context.settings
    retention = settings.retention.model_copy(update={"samples_h": 1 / 3600})
    chosen = settings.model_copy(update={"retention": retention})
    observatory.context = dataclasses.replace(observatory.context, settings=chosen)
    return observatory


async def count(observatory: Observatory, t: int) -> int:
    """Return how many samples of the pointing are left of the time until an instant."""
    return len(await observatory.context.bus.range("pointing", "target_status", 0, t))


async def test_a_header_whose_samples_are_forgotten_stays_as_it_is(forgetful: Observatory) -> None:
    camera, t = forgetful.camera, forgetful.camera.now() - 2 * HOUR
    async with forgetful.serving():
        await forgetful.enable()
        await camera.publish(*camera.image(IMAGE, t), *camera.image(OTHER, t + HOUR, airmass=1.7))
        await forgetful.published(IMAGE)
        await forgetful.published(OTHER)
        await forgetful.settled(IMAGE)
        await forgetful.settled(OTHER)

        async def gone() -> bool:
            await forget_samples(forgetful.context)
            return await count(forgetful, t + SECOND) == 0

        await forgetful.until(gone)
        found = await forgetful.command(Command.RECONCILE)
        assert (found["changed"], found["without_header"]) == ([], [])
        await forgetful.command(Command.REBUILD, image_id=IMAGE)
        await forgetful.settled(IMAGE)
        # A late sample lets all later images be looked at.
        await camera.publish(camera.airmass(t - SECOND, 9.0))
        await forgetful.settled(IMAGE)
        found = await forgetful.command(Command.RECONCILE)
        values = await forgetful.values(IMAGE)
        revisions = (await forgetful.exposures())[IMAGE].revisions
    assert found["changed"] == []
    assert revisions == {"raw": 1}
    assert (values["AMSTART"], values["AMEND"], values["DARKTIME"]) == (1.2, 1.21, 1.25)
    replayed = await service.replay(forgetful.context, INSTRUMENT, "20261130")
    # Of what is forgotten nothing can be said, and that is told.
    assert IMAGE in replayed["images"]


async def test_the_log_keeps_what_an_unpublished_header_needs(forgetful: Observatory) -> None:
    camera, t = forgetful.camera, forgetful.camera.now() - 2 * HOUR
    async with forgetful.serving():
        await forgetful.command(Command.START)
        await camera.publish(*camera.image(IMAGE, t), *camera.image(OTHER, t + HOUR, airmass=1.7))
        await forgetful.reached(IMAGE, ExposureState.TELEMETRY_DONE)
        await forgetful.reached(OTHER, ExposureState.TELEMETRY_DONE)
        # Older ones go, which shows that everything of that time has been looked at.
        before = [camera.airmass(t - 3 * HOUR, 3.0), camera.airmass(t - 2 * HOUR, 2.0)]
        await camera.publish(*before)

        async def gone() -> bool:
            await forget_samples(forgetful.context)
            return await count(forgetful, t - 2 * HOUR - 1) == 0

        await forgetful.until(gone)
        await forgetful.command(Command.ENABLE)
        await forgetful.published(IMAGE)
        values = await forgetful.values(IMAGE)
    assert (values["AMSTART"], values["AMEND"], values["DARKTIME"]) == (1.2, 1.21, 1.25)
