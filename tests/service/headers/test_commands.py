"""Commands are carried out, refused with a reason, or withdrawn; and each is recorded."""

from __future__ import annotations

import pytest

from armillary.headers import service
from armillary.headers.errors import CommandRefused, ConfigurationRefused, ServiceAway, UnknownInstrument
from armillary.headers.services.models import Command
from tests.support.exposing import INSTRUMENT, SECOND, Observatory, configure

IMAGE, OTHER = "AT_O_20261130_000001", "AT_O_20261130_000002"


async def test_the_state_decides_which_commands_are_taken(observatory: Observatory) -> None:
    async with observatory.serving():
        for name in (Command.STANDBY, Command.ENABLE, Command.DISABLE):
            with pytest.raises(CommandRefused, match="STANDBY"):
                await observatory.command(name)
        await observatory.enable()
        for name in (Command.START, Command.ENABLE, Command.STANDBY, Command.EXIT):
            with pytest.raises(CommandRefused, match="ENABLED"):
                await observatory.command(name)
        assert (await observatory.command(Command.STATUS))["state"] == "ENABLED"
        await observatory.command(Command.DISABLE)
        await observatory.command(Command.STANDBY)
    async with observatory.context.database.begin() as connection:
        rows = await connection.exec_driver_sql("SELECT name, actor, outcome FROM header_command ORDER BY id")
        recorded = [tuple(row) for row in rows]
    assert ("start", "a test", "done") in recorded
    assert ("exit", "a test", "refused") in recorded
    assert all(outcome for _, _, outcome in recorded)


async def test_an_exit_ends_the_process(observatory: Observatory) -> None:
    async with observatory.serving():
        await observatory.command(Command.EXIT)
        status = await service.status(observatory.context, INSTRUMENT)
    assert status.state == "OFFLINE"


async def test_a_bad_configuration_is_refused_and_the_old_one_goes_on(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    directory = observatory.context.settings.headers.at(observatory.context.settings.data)
    path = directory / "instruments" / f"{INSTRUMENT}.yaml"
    good = path.read_text()
    async with observatory.serving():
        path.write_text(good.replace("field: airmass", "field: airmess"))
        with pytest.raises(ConfigurationRefused, match="C02"):
            await observatory.command(Command.START)
        path.write_text(good)
        await observatory.enable()
        path.write_text(good.replace("field: airmass", "field: airmess"))
        with pytest.raises(ConfigurationRefused, match="C02"):
            await observatory.command(Command.RELOAD_CONFIG)
    # The one in force is in the database, so a service that begins anew does not look into the directory.
    async with observatory.serving():
        await camera.publish(*camera.image(IMAGE, t))
        await observatory.published(IMAGE)
        assert (await observatory.values(IMAGE))["AMSTART"] == 1.2


async def test_a_reload_concerns_exposures_that_start_later(observatory: Observatory) -> None:
    camera, t = observatory.camera, observatory.camera.now()
    directory = observatory.context.settings.headers.at(observatory.context.settings.data)
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(camera.start(IMAGE, t, exposure=3600.0))
        await observatory.until(observatory.exposures)
        configure(directory, INSTRUMENT, comment="The image")
        await observatory.command(Command.RELOAD_CONFIG)
        await camera.publish(camera.end(IMAGE, t + SECOND), *camera.image(OTHER, t))
        await observatory.published(IMAGE)
        await observatory.published(OTHER)
    headers = [await service.get(observatory.context, INSTRUMENT, image) for image in (IMAGE, OTHER)]
    comments = [header.hdus[0].cards[0].comment for header in headers]
    assert comments == ["Image", "The image"]
    assert headers[0].config_rev != headers[1].config_rev


async def test_a_command_that_nobody_takes_is_withdrawn(observatory: Observatory) -> None:
    with pytest.raises(UnknownInstrument):
        await service.command(observatory.context, INSTRUMENT, Command.START, {}, actor="a test")
    async with observatory.serving():
        await observatory.command(Command.STATUS)
    async with observatory.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE header_beat SET beat = beat - interval '1 minute'")
    with pytest.raises(ServiceAway):
        await service.command(observatory.context, INSTRUMENT, Command.START, {}, actor="a test", wait_s=0.1)
    async with observatory.serving():
        await observatory.command(Command.STATUS)
        assert (await service.status(observatory.context, INSTRUMENT)).state == "STANDBY"
