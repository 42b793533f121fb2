"""A run takes a file in, and tells of every step what it did; the next one finds nothing to do."""

from __future__ import annotations

from dataclasses import replace

from armillary.base.work import State
from armillary.demo.solar import SolarCube
from tests.support.ingestion import TINY, Observatory, steps_of

CUBE = SolarCube(**TINY)


async def test_a_cube_comes_in_with_all_that_belongs_to_it(observatory: Observatory) -> None:
    order = await observatory.take_in(observatory.put(CUBE))
    assert (order.state, order.error) == (State.COMPLETED, None)
    assert order.response is not None
    cube = await observatory.present(CUBE.oid)
    assert (cube.instrument, cube.date_beg, cube.date_end) == ("CRISP", CUBE.begin, CUBE.end)
    assert await observatory.find() == [CUBE.name]
    assert {name: set(told) for name, told in steps_of(order).items() if name not in ("svo",)} == {
        name: {"done"}
        for name in (
            "read",
            "product",
            "access",
            "header",
            "metadata",
            "tags",
            "derived",
            "previews",
            "snapshot",
        )
    }


async def test_the_same_file_again_is_skipped_step_by_step(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    await observatory.take_in(path)
    before = await observatory.present(CUBE.oid)
    again = await observatory.take_in(path)
    assert again.state is State.COMPLETED
    told = steps_of(again)
    assert told["product"] == ["skipped: unchanged"]
    assert set(told["header"]) == set(told["metadata"]) == {"skipped: the header is the same"}
    assert set(told["derived"]) == {"skipped: the HDUs are the same"}
    assert await observatory.present(CUBE.oid) == before


async def test_a_changed_keyword_is_one_header_and_nothing_else(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    await observatory.take_in(path)
    observatory.put(replace(CUBE, target="AR 14101"))
    told = steps_of(await observatory.take_in(path))
    assert told["header"][0] == "done"
    assert set(told["header"][1:]) == {"skipped: the header is the same"}
