"""What is seen of thousands of cubes at once: which of them something has happened to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from PIL import Image

from armillary.archive.catalog import service as catalog
from armillary.archive.cubes import service as cubes
from armillary.demo.solar import SolarCube
from tests.support.archive import put
from tests.support.ingestion import TINY, Observatory, steps_of

CUBE = SolarCube(**TINY)


def others(count: int) -> list[SolarCube]:
    """Return cubes of the minutes after the first."""
    return [replace(CUBE, begin=CUBE.begin + timedelta(minutes=number)) for number in range(count)]


async def due(observatory: Observatory) -> list[str]:
    """Return the names of the files for which there is something to do."""
    async with observatory.context.database.begin() as connection:
        roots = [one for one in await catalog.list_roots(connection) if one.profile]
    return [place.filename for root in roots for place in await cubes.unsettled(observatory.context, root)]


def picture(path: Path, colour: int) -> Path:
    """Write a small picture."""
    Image.new("L", (32, 24), colour).save(path)
    return path


async def test_nothing_to_do_is_found_without_an_order(observatory: Observatory) -> None:
    for cube in others(3):
        observatory.put(cube)
    first = await observatory.ingest(observatory.root, unsettled=cubes.unsettled)
    await observatory.drain()
    assert (first.ingested, first.skipped, first.failed) == (3, 0, [])
    again = await observatory.submit(observatory.root, unsettled=cubes.unsettled)
    assert (len(again.orders), again.report.skipped) == (0, 3)


async def test_a_picture_that_comes_changes_and_goes_is_seen(observatory: Observatory) -> None:
    one, two = others(2)
    path, _ = observatory.put(one), observatory.put(two)
    await observatory.ingest(observatory.root)
    await observatory.drain()
    assert await due(observatory) == []
    beside = picture(observatory.root / f"{path.stem}.png", 50)
    assert await due(observatory) == [path.name]
    told = steps_of(await observatory.take_in(path))
    assert told["previews"] == ["done"]
    assert told["product"] == ["skipped: unchanged"]
    await observatory.drain()
    assert await due(observatory) == []
    put(beside, picture(observatory.root / "other.png", 200).read_bytes())
    assert await due(observatory) == [path.name]
    await observatory.take_in(path)
    await observatory.drain()
    beside.unlink()
    assert await due(observatory) == [path.name]


async def test_a_picture_that_an_order_named_stays_until_another_order_comes(
    observatory: Observatory,
) -> None:
    path = observatory.put(CUBE)
    picture(observatory.root / "named.png", 90)
    await observatory.take_in(path, image_source="named.png")
    await observatory.drain()
    assert await due(observatory) == []
    picture(observatory.root / f"{path.stem}.png", 50)
    assert await due(observatory) == []
