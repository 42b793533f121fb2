"""Which file a cube is: the same oid in another file, another oid in the same file, one file of two oids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.cubes import service as cubes
from armillary.archive.cubes import store
from armillary.archive.intake.paths import retired_of
from armillary.base.work import State
from armillary.demo.solar import SolarCube
from tests.support.archive import OLD_NS
from tests.support.ingestion import TINY, Observatory, outcomes_of, steps_of
from tests.support.taking_in import ask, catalogue, latest, rows, run_one

CUBE = SolarCube(**TINY)
LATER = replace(CUBE, made="2026-06-24T12:00:00")
MOVED = replace(CUBE, begin=CUBE.begin.replace(minute=11))
"""The same cube after its start time was corrected."""
SECOND_NS = 1_000_000_000


def value_of(order: Any) -> Mapping[str, Any]:
    """Return what an order brought."""
    assert order.state is State.COMPLETED, order.error
    value: Mapping[str, Any] = order.response.value
    return value


async def placed(observatory: Observatory) -> dict[str, str]:
    """Return the path of each cube by its oid."""
    return dict(await rows(observatory, "SELECT oid, path FROM cube ORDER BY oid"))


async def spans(observatory: Observatory) -> list[tuple[Any, ...]]:
    """Return each observation with how many cubes it has, and whether its span is that of them."""
    query = """
    SELECT o.key, count(c.id), o.date_beg = min(c.date_beg) AND o.date_end = max(c.date_end)
    FROM observation AS o LEFT JOIN cube AS c ON c.observation_id = o.id GROUP BY o.id ORDER BY o.key
    """
    return await rows(observatory, query)


async def test_a_cube_follows_the_file_of_the_later_date(observatory: Observatory) -> None:
    await observatory.take_in(observatory.put(CUBE, name="a.fits"))
    before = await observatory.present(CUBE.oid)
    order = await observatory.take_in(observatory.put(LATER, name="b.fits"))
    assert (value_of(order)["outcome"], value_of(order)["created"]) == ("ingested", False)
    after = await observatory.present(CUBE.oid)
    assert (after.id, after.path, after.added) == (before.id, "b.fits", before.added)
    assert await spans(observatory) == [(CUBE.date_beg, 1, True)]


async def test_the_file_that_a_cube_has_left_is_shown_no_more(observatory: Observatory) -> None:
    await observatory.take_in(observatory.put(CUBE, name="a.fits"))
    await observatory.take_in(observatory.put(LATER, name="b.fits"))
    assert await observatory.find() == ["b.fits"]


async def test_an_older_file_is_superseded_and_changes_nothing(observatory: Observatory) -> None:
    await observatory.take_in(observatory.put(LATER, name="b.fits"))
    before = await catalogue(observatory)
    order = await observatory.take_in(observatory.put(CUBE, name="a.fits", mtime_ns=OLD_NS + SECOND_NS))
    found = value_of(order)
    assert (found["outcome"], found["oid"]) == ("superseded", CUBE.oid)
    assert "b.fits" in found["why"]
    assert steps_of(order) == {"read": ["done"], "product": [f"skipped: superseded: {found['why']}"]}
    assert await catalogue(observatory) == before


async def test_files_that_are_superseded_or_left_are_not_ordered_again_as_they_are(
    observatory: Observatory,
) -> None:
    """A watched folder would have them read at every look."""
    older, later = observatory.put(CUBE, name="a.fits"), observatory.put(LATER, name="b.fits")
    for path in (older, later):
        await observatory.take_in(path)
    assert await _left_alone(observatory) == {"a.fits": _state(older)}
    other = observatory.put(CUBE, name="c.fits", mtime_ns=OLD_NS - SECOND_NS)
    await observatory.take_in(other)
    assert await _left_alone(observatory) == {"a.fits": _state(older), "c.fits": _state(other)}
    await observatory.take_in(older, force=True)
    assert await _left_alone(observatory) == {"b.fits": _state(later), "c.fits": _state(other)}


async def _left_alone(observatory: Observatory) -> Mapping[str, tuple[int, int]]:
    """Return size and time stamp of the files that watched folders leave alone."""
    async with observatory.context.database.begin() as connection:
        (root_id,) = (await connection.exec_driver_sql("SELECT id FROM root WHERE profile IS NOT NULL")).one()
        return await retired_of(connection, root_id)


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


@pytest.mark.parametrize("made", ["2026-06-23T12:00:00", ""])
async def test_of_equal_dates_or_none_the_later_time_stamp_wins(observatory: Observatory, made: str) -> None:
    cube = replace(CUBE, made=made)
    await observatory.take_in(observatory.put(cube, name="a.fits"))
    older = await observatory.take_in(observatory.put(cube, name="b.fits", mtime_ns=OLD_NS - SECOND_NS))
    newer = await observatory.take_in(observatory.put(cube, name="c.fits", mtime_ns=OLD_NS + SECOND_NS))
    assert outcomes_of([older, newer]) == ["superseded", "ingested"]
    assert await placed(observatory) == {CUBE.oid: "c.fits"}


async def test_a_file_without_date_and_one_with_are_compared_by_their_time_stamps(
    observatory: Observatory,
) -> None:
    await observatory.take_in(observatory.put(LATER, name="a.fits"))
    undated = replace(CUBE, made="")
    order = await observatory.take_in(observatory.put(undated, name="b.fits", mtime_ns=OLD_NS + SECOND_NS))
    assert value_of(order)["outcome"] == "ingested"


async def test_an_older_file_takes_over_if_it_is_forced_and_stays(observatory: Observatory) -> None:
    await observatory.take_in(observatory.put(LATER, name="b.fits"))
    path = observatory.put(CUBE, name="a.fits")
    order = await observatory.take_in(path, force=True)
    assert value_of(order)["outcome"] == "ingested"
    assert await placed(observatory) == {CUBE.oid: "a.fits"}
    again = await observatory.take_in(path)
    assert (value_of(again)["outcome"], value_of(again)["why"]) == ("skipped", "unchanged")


async def test_an_older_file_takes_over_if_the_later_one_is_gone(observatory: Observatory) -> None:
    later = observatory.put(LATER, name="b.fits")
    await observatory.take_in(later)
    later.unlink()
    order = await observatory.take_in(observatory.put(CUBE, name="a.fits"))
    assert value_of(order)["outcome"] == "ingested"
    assert await placed(observatory) == {CUBE.oid: "a.fits"}
    assert await observatory.find() == ["a.fits"]


async def test_another_oid_in_the_same_file_is_another_cube(observatory: Observatory) -> None:
    path = observatory.put(CUBE, name="a.fits")
    await observatory.take_in(path)
    before = await observatory.present(CUBE.oid)
    observatory.put(MOVED, name="a.fits")
    order = await observatory.take_in(path)
    after = await observatory.present(MOVED.oid)
    assert after.id != before.id
    assert await placed(observatory) == {MOVED.oid: "a.fits"}
    assert await spans(observatory) == [(MOVED.date_beg, 1, True)]
    assert value_of(order)["oid"] == MOVED.oid


async def test_the_span_of_the_observation_left_is_that_of_the_cubes_that_stay(
    observatory: Observatory,
) -> None:
    first, second = (replace(one, point_id="p") for one in (CUBE, MOVED))
    path = observatory.put(second, name="b.fits")
    for one in (observatory.put(first, name="a.fits"), path):
        await observatory.take_in(one)
    assert await spans(observatory) == [("p", 2, True)]
    third = replace(MOVED, begin=MOVED.begin.replace(hour=7), point_id="q")
    observatory.put(third, name="b.fits")
    await observatory.take_in(path)
    assert await spans(observatory) == [("p", 1, True), ("q", 1, True)]
    assert await placed(observatory) == {first.oid: "a.fits", third.oid: "b.fits"}


async def test_the_cube_of_a_corrected_file_may_be_another_that_was_there(observatory: Observatory) -> None:
    await observatory.take_in(observatory.put(MOVED, name="b.fits"))
    path = observatory.put(CUBE, name="a.fits")
    await observatory.take_in(path)
    observatory.put(replace(MOVED, made=LATER.made), name="a.fits")
    await observatory.take_in(path)
    assert await placed(observatory) == {MOVED.oid: "a.fits"}
    assert await spans(observatory) == [(MOVED.date_beg, 1, True)]


async def test_a_second_oid_is_refused_unless_it_is_additional(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    await observatory.take_in(path)
    before = await catalogue(observatory)
    refused = await observatory.take_in(path, oid="mine")
    assert (refused.state, refused.error_code) == (State.FAILED, "second_oid")
    assert "additional" in str(refused.error)
    assert await catalogue(observatory) == before
    order = await observatory.take_in(path, oid="mine", additional=True)
    assert (value_of(order)["oid"], set(await placed(observatory))) == ("mine", {CUBE.oid, "mine"})
    assert await spans(observatory) == [(CUBE.date_beg, 2, True)]


async def test_an_additional_cube_has_all_that_the_first_one_has(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    await observatory.take_in(path)
    await observatory.take_in(path, oid="mine", additional=True)
    query = """
    SELECT c.oid, array(SELECT d.kind FROM cube_derived AS d WHERE d.cube_id = c.id ORDER BY d.kind),
        array(SELECT t.term FROM cube_tag AS t WHERE t.cube_id = c.id ORDER BY t.term)
    FROM cube AS c ORDER BY c.oid
    """
    (_, *first), (_, *second) = await rows(observatory, query)
    assert first == second
    assert first[0]


async def test_both_cubes_of_a_file_change_with_it(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    await observatory.take_in(path)
    await observatory.take_in(path, oid="mine", additional=True)
    observatory.put(replace(CUBE, instrument="CHROMIS"))
    await observatory.take_in(path)
    assert await rows(observatory, "SELECT DISTINCT instrument FROM cube") == [("CHROMIS",)]
    assert len(await placed(observatory)) == 2


async def test_the_cube_that_headers_name_follows_them_beside_an_additional_one(
    observatory: Observatory,
) -> None:
    path = observatory.put(CUBE, name="a.fits")
    await observatory.take_in(path)
    await observatory.take_in(path, oid="mine", additional=True)
    observatory.put(MOVED, name="a.fits")
    await observatory.take_in(path)
    assert set(await placed(observatory)) == {MOVED.oid, "mine"}


async def test_a_given_oid_stays_when_the_file_comes_without_one(observatory: Observatory) -> None:
    path = observatory.put(CUBE, name="a.fits")
    await observatory.take_in(path, oid="mine")
    for cube in (CUBE, replace(CUBE, target="other"), MOVED):
        observatory.put(cube, name="a.fits")
        assert value_of(await observatory.take_in(path))["oid"] == "mine"
    assert await placed(observatory) == {"mine": "a.fits"}


async def test_an_oid_that_is_given_as_the_headers_have_it_stays_as_well(observatory: Observatory) -> None:
    path = observatory.put(CUBE, name="a.fits")
    await observatory.take_in(path)
    await observatory.take_in(path, oid=CUBE.oid)
    observatory.put(MOVED, name="a.fits")
    await observatory.take_in(path)
    assert await placed(observatory) == {CUBE.oid: "a.fits"}


async def test_an_oid_that_is_busy_costs_no_attempt(observatory: Observatory) -> None:
    submitted = await ask(observatory, observatory.put(CUBE))
    async with observatory.context.database.begin() as connection:
        assert await store.hold_oids(connection, [CUBE.oid])
        assert await run_one(observatory)
        run = await latest(observatory, submitted)
        assert (run.view.state, run.view.attempts, run.view.error_code) == (State.QUEUED, 0, None)
        assert run.view.started is not None
        assert 0 < (run.view.not_before - run.view.started).total_seconds() < 5
    await observatory.run([submitted.order])
    assert (await observatory.order(submitted.order)).state is State.COMPLETED


async def test_a_cube_that_another_file_took_meanwhile_is_left_to_it(observatory: Observatory) -> None:
    """The file gets another oid while a second file, taken in at the same time, takes the first oid over."""
    first = observatory.put(CUBE, name="a.fits")
    await observatory.take_in(first)
    observatory.put(MOVED, name="a.fits")
    second = observatory.put(LATER, name="b.fits")
    submitted = await ask(observatory, first)
    assert await run_one(observatory, midway=lambda: _take_in_alone(observatory, second))
    await observatory.run([submitted.order])
    assert (await observatory.order(submitted.order)).state is State.COMPLETED
    assert await placed(observatory) == {CUBE.oid: "b.fits", MOVED.oid: "a.fits"}


async def _take_in_alone(observatory: Observatory, path: Path) -> None:
    await ask(observatory, path)
    assert await run_one(observatory)


async def _retire(observatory: Observatory, oid: str) -> None:
    async with observatory.context.database.begin() as connection:
        now = observatory.context.clock.now()
        place = await cubes.place_of_oid(connection, oid)
        assert place is not None
        await cubes.retire(connection, place, now=now, actor="test")


async def test_a_cube_that_is_retired_is_shown_no_more_though_its_file_is_gone(
    observatory: Observatory,
) -> None:
    path = observatory.put(CUBE)
    await observatory.take_in(path)
    submitted = await ask(observatory, path)
    path.unlink()
    observatory.put(replace(CUBE, filter="6173"))  # or the root would seem to be away
    assert await run_one(observatory)
    assert (await observatory.order(submitted.order)).error_code == "file_vanished"
    await _retire(observatory, CUBE.oid)
    assert (await placed(observatory), await observatory.find()) == ({}, [])


@pytest.mark.parametrize("changed", [False, True])
async def test_a_file_that_was_retired_meanwhile_is_taken_in_anew(
    observatory: Observatory, *, changed: bool
) -> None:
    path = observatory.put(CUBE)
    await observatory.take_in(path)
    observatory.put(replace(CUBE, target="other") if changed else CUBE)
    submitted = await ask(observatory, path)
    assert await run_one(observatory, midway=lambda: _retire(observatory, CUBE.oid))
    await observatory.run([submitted.order])
    order = await observatory.order(submitted.order)
    assert value_of(order)["outcome"] == "ingested"
    cube = await observatory.present(CUBE.oid)
    assert value_of(order)["cube"] == cube.id
    assert await observatory.find() == [CUBE.name]
    assert await rows(observatory, "SELECT kind FROM cube_derived WHERE cube_id = $1", cube.id)


async def test_a_file_that_moves_takes_its_cube_along(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    await observatory.take_in(path)
    before = await observatory.present(CUBE.oid)
    (observatory.root / "later").mkdir()
    moved = path.rename(observatory.root / "later" / path.name)
    await observatory.take_in(moved)
    after = await observatory.present(CUBE.oid)
    assert (after.id, after.file_id, after.path) == (before.id, before.file_id, f"later/{path.name}")
    assert await observatory.find() == [path.name]
