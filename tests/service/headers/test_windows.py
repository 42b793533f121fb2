"""Each image has the values of its own time, whatever else arrives before its header is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from armillary.headers import service
from tests.support.exposing import INSTRUMENT, SECOND, Observatory, configure

IMAGE, OTHER = "AT_O_20261130_000001", "AT_O_20261130_000002"
MAXIMUM = """
    source: {from: met, topic: station, field: temperature}
    at: {window: [integration_start, shutter_close]}
    pick: max
    max_age: 300s
    comment: Highest while the shutter was open"""
SETTLING = """
    source: {from: met, topic: station, field: temperature}
    at: end
    max_age: 300s
    settle: 250ms
    comment: At the end"""


@pytest.fixture
def windowed(observatory: Observatory) -> Observatory:
    """Return an observatory whose headers hold the highest temperature of each image."""
    configure(_directory(observatory), INSTRUMENT, more={"AIRMAX": MAXIMUM})
    return observatory


def _directory(observatory: Observatory) -> Path:
    return observatory.context.settings.headers.at(observatory.context.settings.data)


async def test_a_topic_that_was_silent_at_the_start_gives_the_value_of_the_window(
    windowed: Observatory,
) -> None:
    camera, t = windowed.camera, windowed.camera.now() - 20 * SECOND
    warm, hot = (
        camera.sample("station", t + at, source="weather", temperature=value)
        for at, value in ((SECOND // 2, 3.5), (SECOND + SECOND // 8, 40.0))
    )
    async with windowed.serving():
        await windowed.enable()
        await camera.publish(*camera.image(IMAGE, t), hot, warm)
        await windowed.published(IMAGE)
        values, reasons = await windowed.values(IMAGE), await windowed.reasons(IMAGE)
    assert values["AIRMAX"] == 3.5
    # Before the image nobody had said anything.
    assert reasons["AIRTEMP"] == "never_seen"


async def test_what_changes_after_the_shutter_is_no_news(windowed: Observatory) -> None:
    camera, t = windowed.camera, windowed.camera.now() - 20 * SECOND
    before = camera.sample("station", t - SECOND, source="weather", temperature=8.0)
    async with windowed.serving():
        await windowed.enable()
        await camera.publish(before, *camera.image(IMAGE, t))
        await windowed.published(IMAGE)
        await windowed.settled(IMAGE)
        late = camera.sample("station", t + SECOND + 1, source="weather", temperature=40.0)
        # The next image shows that the late sample has been looked at.
        await camera.publish(late)
        await camera.publish(*camera.image(OTHER, t + 5 * SECOND))
        await windowed.published(OTHER)
        await windowed.settled(IMAGE)
        assert (await windowed.values(IMAGE))["AIRMAX"] == 8.0
        assert (await windowed.values(OTHER))["AIRMAX"] == 40.0
        assert (await windowed.exposures())[IMAGE].revisions == {"raw": 1}


async def test_the_data_of_the_next_image_are_not_mixed_in(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    first = camera.image(IMAGE, t, airmass=1.2)
    second = camera.image(OTHER, t + 2 * SECOND, airmass=1.7)
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*first[:3])
        await camera.publish(*second)
        await observatory.published(OTHER)
        await camera.publish(*first[3:])
        await observatory.published(IMAGE)
        one, two = await observatory.values(IMAGE), await observatory.values(OTHER)
    assert (one["OBSID"], one["AMSTART"], one["AMEND"]) == (IMAGE, 1.2, 1.21)
    assert (two["OBSID"], two["AMSTART"], two["AMEND"]) == (OTHER, 1.7, 1.71)


async def test_a_source_that_hangs_costs_its_keyword_alone(observatory: Observatory) -> None:
    configure(_directory(observatory), INSTRUMENT, more={"AIREND": SETTLING})
    camera = observatory.camera
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*camera.image(IMAGE, camera.now() - SECOND - SECOND // 4))
        await observatory.published(IMAGE)
        reasons, causes = await observatory.reasons(IMAGE), await observatory.causes(IMAGE)
        values = await observatory.values(IMAGE)
        status = await service.status(observatory.context, INSTRUMENT)
    # It waited for the sample, and no longer than D1.
    assert causes[-2:] == ["settle", "settle"]
    assert reasons["AIREND"] in ("never_seen", "late")
    assert (values["DARKTIME"], values["AMEND"]) == (1.25, 1.21)
    assert status.state == "ENABLED"
