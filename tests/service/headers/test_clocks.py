"""Samples have the times that their payloads tell, on whatever clock; what a wrong clock tells is flagged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from armillary.base.bus.models import Sample, Stored
from armillary.headers import service
from armillary.headers.services.models import Command
from armillary.sky.instants import tai_of_utc
from tests.support.exposing import INSTRUMENT, SECOND, Observatory

IMAGE = "AT_O_20261130_000001"
LEAP = 1_483_228_800
"""2017-01-01T00:00:00 UTC: a second was added before."""


@pytest.fixture
async def clocked(observatory: Observatory) -> AsyncIterator[Observatory]:
    """Open an observatory whose weather station says by itself when it measured, in UTC."""
    tell(observatory, "observed")
    async with service.source_clocks(observatory.context):
        yield observatory


def tell(observatory: Observatory, field: str) -> None:
    settings = observatory.context.settings
    path = settings.headers.at(settings.data) / "instruments" / f"{INSTRUMENT}.yaml"
    before = path.read_text()
    path.write_text(before.replace("clock: utc, max_age", f"clock: utc, time: {field}, max_age"))


def weather(observatory: Observatory, t_event: int | None = None, **payload: Any) -> Sample:
    return observatory.camera.sample("station", t_event, source="weather", **payload)  # type: ignore[arg-type]


async def stored(observatory: Observatory) -> list[Stored]:
    return await observatory.context.bus.range("weather", "station", 0, 1 << 62)


async def test_the_time_in_a_payload_is_converted_once(clocked: Observatory) -> None:
    around = [LEAP - 0.5, LEAP + 0.5, "2016-12-31T23:59:60.500"]
    await clocked.camera.publish(*(weather(clocked, temperature=8.0, observed=one) for one in around))
    found = await stored(clocked)
    assert [one.t_event for one in found] == [
        tai_of_utc((LEAP - 1) * SECOND) + SECOND // 2,
        tai_of_utc((LEAP - 1) * SECOND) + 3 * SECOND // 2,
        tai_of_utc(LEAP * SECOND) + SECOND // 2,
    ]
    assert found[2].t_event - found[0].t_event == 2 * SECOND
    assert not any(one.assumed for one in found)
    assert all(one.skewed for one in found)


async def test_the_envelope_counts_before_the_payload(clocked: Observatory) -> None:
    await clocked.camera.publish(weather(clocked, LEAP * SECOND, observed=LEAP + 100.0))
    assert [one.t_event for one in await stored(clocked)] == [LEAP * SECOND]


@pytest.mark.parametrize("odd", [None, "yesterday", float("nan"), float("inf"), 1e300, -100.0, True, [1.0]])
async def test_a_time_that_is_none_is_that_of_arrival(clocked: Observatory, odd: Any) -> None:
    await clocked.camera.publish(weather(clocked, temperature=8.0, observed=odd))
    (found,) = await stored(clocked)
    assert (found.assumed, found.t_event) == (True, found.t_received)


async def test_a_clock_that_jumps_back_is_flagged_and_its_samples_ordered_by_what_they_say(
    clocked: Observatory,
) -> None:
    camera, t = clocked.camera, clocked.camera.now() - 20 * SECOND
    utc_s = (t - tai_of_utc(0)) / SECOND - 27.0
    right = tai_of_utc(round(utc_s * SECOND))
    async with clocked.serving():
        await clocked.enable()
        await camera.publish(
            weather(clocked, temperature=8.0, observed=utc_s - 10.0),
            weather(clocked, temperature=-40.0, observed=utc_s - 86_400.0),
            *camera.image(IMAGE, right),
        )
        await clocked.published(IMAGE)
        values = await clocked.values(IMAGE)
        status = await clocked.command(Command.STATUS)
    found = await stored(clocked)
    assert [one.payload["temperature"] for one in found] == [-40.0, 8.0]
    assert found[0].skewed
    # The value in force is the latest by its own time, and not the one that came last.
    assert values["AIRTEMP"] == 8.0
    assert status["state"] == "ENABLED"


async def test_a_configuration_that_changes_is_followed(observatory: Observatory) -> None:
    async with service.source_clocks(observatory.context):
        await observatory.camera.publish(weather(observatory, observed=float(LEAP)))
        assert [one.assumed for one in await stored(observatory)] == [True]
        tell(observatory, "observed")

        async def told() -> bool:
            await observatory.camera.publish(weather(observatory, observed=float(LEAP)))
            return (await stored(observatory))[0].t_event == tai_of_utc(LEAP * SECOND)

        await observatory.until(told)
