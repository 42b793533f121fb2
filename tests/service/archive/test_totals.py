"""A total is counted as long as that is cheap, and otherwise says that it is an estimate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from armillary.access.models import ANYBODY, OPERATOR
from armillary.archive.query.criteria import terms_of
from armillary.archive.query.models import Term
from armillary.archive.query.totals import Total, TotalIs, quick_total, total_of
from tests.support.archive import Archive, put

FRAMES = 30
MANY = """
WITH more AS (INSERT INTO file (name) SELECT 'more' || n FROM generate_series(1, 50000) AS n RETURNING id)
INSERT INTO frame (file_id, version_id, details, keywords) SELECT id, -id, '{}', '{}' FROM more
"""


async def total(archive: Archive, criteria: Sequence[Term], *, exact: bool = True, **options: Any) -> Total:
    today = archive.context.clock.now().date()
    viewer = options.pop("viewer", OPERATOR)
    # No count gives up because the machine is busy.
    options = {"patience_ms": 60_000} | options
    async with archive.context.database.begin() as connection:
        return await total_of(connection, criteria, viewer, today=today, exact=exact, **options)


async def a_night(archive: Archive) -> None:
    await archive.ingest(*(put(archive.directory / f"{number}.fits") for number in range(FRAMES)))


async def test_a_count_is_exact_up_to_its_limit(archive: Archive) -> None:
    await a_night(archive)
    assert await total(archive, terms_of()) == Total(FRAMES, TotalIs.EXACT)
    assert await total(archive, terms_of(name="1*")) == Total(11, TotalIs.EXACT)
    assert await total(archive, terms_of(), most=FRAMES) == Total(FRAMES, TotalIs.EXACT)
    given_up = await total(archive, terms_of(), most=FRAMES - 1)
    assert given_up.total_is == TotalIs.ESTIMATE
    assert given_up.total >= FRAMES


async def test_a_count_that_takes_too_long_becomes_an_estimate(archive: Archive) -> None:
    await a_night(archive)
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql(MANY)
    await archive.context.database.refresh("frame")
    found = await total(archive, terms_of(), patience_ms=1)
    assert found.total_is == TotalIs.ESTIMATE
    assert abs(found.total - 50_000) < 5000
    assert (await total(archive, terms_of())).total == 50_000 + FRAMES


async def test_an_estimate_is_that_of_the_planner(archive: Archive) -> None:
    await a_night(archive)
    await archive.context.database.refresh("frame", "file", "version")
    assert await total(archive, terms_of(), exact=False) == Total(FRAMES, TotalIs.ESTIMATE)


async def test_circles_are_counted_since_nobody_can_estimate_them(archive: Archive) -> None:
    await a_night(archive)
    for viewer in (OPERATOR, ANYBODY):
        around = terms_of(cone="10.0,20.0,0.1")
        assert (await total(archive, around, exact=False, viewer=viewer)).total_is == TotalIs.EXACT


async def quick(archive: Archive, criteria: Sequence[Term], **options: Any) -> Total:
    today = archive.context.clock.now().date()
    options = {"patience_ms": 60_000} | options
    async with archive.context.database.begin() as connection:
        return await quick_total(connection, criteria, OPERATOR, today=today, **options)


async def test_a_quick_total_is_exact_or_says_that_there_are_more(archive: Archive) -> None:
    await a_night(archive)
    assert await quick(archive, terms_of(), most=1) == Total(FRAMES, TotalIs.EXACT)
    named = terms_of(name="*")
    assert await quick(archive, named, most=FRAMES) == Total(FRAMES, TotalIs.EXACT)
    assert await quick(archive, named, most=FRAMES - 1) == Total(FRAMES - 1, TotalIs.AT_LEAST)


async def test_a_quick_total_that_takes_too_long_is_told_as_unknown(archive: Archive) -> None:
    await a_night(archive)
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql(MANY)
    unindexed = terms_of(keywords=["NOWHERE=1"])
    assert await quick(archive, unindexed, patience_ms=1) == Total(0, TotalIs.AT_LEAST)
    assert await quick(archive, unindexed) == Total(0, TotalIs.EXACT)
