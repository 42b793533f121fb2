"""An exposure becomes a header, whatever happens to its events."""

from __future__ import annotations

from armillary.headers.exposures.models import State
from tests.support.exposing import SECOND, Observatory

IMAGE = "AT_O_20261130_000001"


async def test_an_exposure_becomes_a_header(observatory: Observatory) -> None:
    camera = observatory.camera
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*camera.image(IMAGE, camera.now() - 2 * SECOND))
        found = await observatory.published(IMAGE)
        values = await observatory.values(IMAGE)
    assert found.state is State.PUBLISHED
    assert values["OBSID"] == IMAGE
    assert values["DARKTIME"] == 1.25
    assert (values["AMSTART"], values["AMEND"]) == (1.2, 1.21)
    assert [one.image_id for one in (await observatory.announced()).headers] == [IMAGE]
