"""An edit of a header is an edit of what its cube says, and so is its revert."""

from __future__ import annotations

from sqlalchemy import text

from armillary.demo.solar import SolarCube
from tests.support.archive import put
from tests.support.cubes import a_cube
from tests.support.ingestion import TINY, Observatory

CUBE = SolarCube(**TINY, point_id="AR14100")


async def test_a_cube_says_what_its_header_says_after_an_edit_and_its_revert(
    observatory: Observatory,
) -> None:
    await observatory.take_in(observatory.put(CUBE))
    before = await observatory.present(CUBE.oid)
    assert before.grouping_tag is None
    await observatory.set(CUBE.name, POINT_ID="AR14100_mosaic")
    await observatory.drain()
    edited = await observatory.present(CUBE.oid)
    assert (edited.id, edited.grouping_tag) == (before.id, "mosaic")
    assert edited.observation_id != before.observation_id
    await observatory.revert(CUBE.name)
    await observatory.drain()
    assert (await observatory.present(CUBE.oid)).grouping_tag is None
    history = await observatory.history(CUBE.name)
    assert [one.origin for one in history.versions] == ["ingest", "edit", "revert"]


async def test_an_edit_of_the_start_makes_another_cube_of_the_file(observatory: Observatory) -> None:
    await observatory.take_in(observatory.put(CUBE))
    await observatory.set(CUBE.name, **{"DATE-BEG": "2026-06-21T08:11:00"})
    await observatory.drain()
    assert await observatory.cube(CUBE.oid) is None
    now = await observatory.present(CUBE.oid.replace("08:10", "08:11"))
    assert now.path == CUBE.name


async def test_an_edit_of_another_keyword_releases_no_cube(observatory: Observatory) -> None:
    path = put(observatory.root / "a.fits", a_cube(TELESCOP="GREGOR", SOLARNET=None, RELEASE=None))
    assert (await observatory.take_in(path)).error is None
    await observatory.set(path.name, REL_DATE="2020-01-01")
    await observatory.drain()
    async with observatory.context.database.begin() as connection:
        releases = (await connection.execute(text("SELECT release FROM frame"))).scalars().all()
    assert releases == [None]
