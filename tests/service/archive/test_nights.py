"""Counts of nights are what a walk through all frames finds, whatever happened to these and whoever asks."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import ANYBODY, OPERATOR, Level, Principal
from armillary.archive.catalog.counts import fold_counts
from armillary.archive.catalog.service import list_roots, set_visibility
from armillary.archive.catalog.tables import frame
from armillary.archive.query.criteria import terms_of
from armillary.archive.query.nights import counts as nights
from armillary.archive.query.nights.counts import Part, count_nights, counted_total
from armillary.archive.query.visibility import is_known
from tests.service.archive.test_visibility import TODAY, VIEWERS, frames_of
from tests.support.archive import OLD_NS, Archive, put
from tests.support.headers import a_file
from tests.support.recorded import record

NIGHT = date(2026, 1, 1)
COUNTED = """
SELECT night, site, instrument, observation_type, known_from, sum(frames)::bigint AS frames
FROM night_count GROUP BY 1, 2, 3, 4, 5 HAVING sum(frames) <> 0
"""
WALKED = """
SELECT coalesce(night, 'infinity') AS night, site, instrument, observation_type,
    CASE WHEN visibility = 'hidden' AND engineering IS NOT TRUE THEN coalesce(release, 'infinity')
        ELSE '-infinity' END AS known_from, count(*) AS frames
FROM frame GROUP BY 1, 2, 3, 4, 5
"""
AT_ODDS = f"""
WITH counted AS ({COUNTED}), walked AS ({WALKED})
SELECT count(*) FROM (
    (TABLE counted EXCEPT TABLE walked) UNION ALL (TABLE walked EXCEPT TABLE counted)) AS different
"""
FRAMES, WRITERS, STEPS = 120, 4, 40


async def at_odds(connection: AsyncConnection) -> int:
    """Return how many counts are not those of a walk through the frames, both as of one instant."""
    return int((await connection.exec_driver_sql(AT_ODDS)).scalar() or 0)


def a_frame(dice: random.Random, file_id: int) -> dict[str, Any]:
    day = dice.choice([None, *(NIGHT + timedelta(days=number) for number in range(3))])
    return {
        "file_id": file_id, "version_id": 1, "details": {}, "keywords": {}, "warnings": [], "night": day,
        "site": dice.choice([None, "cpt"]), "instrument": dice.choice([None, "fa14", "fa16"]),
        "observation_type": dice.choice([None, "BIAS"]), "visibility": dice.choice([None, "open", "hidden"]),
        "engineering": dice.choice([None, False, True]), "release": dice.choice([None, TODAY]),
    }  # fmt: skip


async def write_at_random(archive: Archive, ids: list[int], dice: random.Random) -> None:
    """Add, replace, change and remove frames of some files, several of them in a transaction, some in vain."""
    for _ in range(STEPS):
        chosen = dice.sample(ids, dice.randint(1, 5))
        of_files = frame.c.file_id.in_(chosen)
        async with archive.context.database.begin() as connection:
            work = await connection.begin_nested()
            match dice.randrange(3):
                case 0:
                    await connection.execute(sa.delete(frame).where(of_files))
                    await connection.execute(sa.insert(frame), [a_frame(dice, one) for one in chosen])
                case 1:
                    await connection.execute(sa.delete(frame).where(of_files))
                case _:
                    values = {k: v for k, v in a_frame(dice, 0).items() if k != "file_id"}
                    await connection.execute(sa.update(frame).where(of_files).values(values))
            if dice.random() < 0.2:
                await work.rollback()


async def fold(archive: Archive, *, nights: int) -> int:
    async with archive.context.database.begin() as connection:
        return await fold_counts(connection, nights=nights)


async def test_counts_are_right_at_every_instant_of_a_random_history(archive: Archive) -> None:
    async with archive.context.database.begin() as connection:
        query = "INSERT INTO file (name) SELECT 'f' || n FROM generate_series(1, $1::int) AS n RETURNING id"
        ids = list((await connection.exec_driver_sql(query, (FRAMES,))).scalars())
    share = FRAMES // WRITERS
    writers = [
        asyncio.create_task(
            write_at_random(archive, ids[n * share : (n + 1) * share], random.Random(n))  # not for secrets
        )
        for n in range(WRITERS)
    ]
    looks = folded = 0
    while not all(one.done() for one in writers):
        async with archive.context.database.begin() as connection:
            assert await at_odds(connection) == 0
            looks += 1
        # Two at once, and of few nights, so that they are in each other's way.
        folded += sum(await asyncio.gather(fold(archive, nights=1), fold(archive, nights=2)))
    await asyncio.gather(*writers)
    assert min(looks, folded) > 1
    async with archive.context.database.begin() as connection:
        while await fold_counts(connection):
            pass
        assert await at_odds(connection) == 0
        left = "SELECT count(*) FILTER (WHERE NOT folded), count(*) FROM night_count"
        unfolded, rows = (await connection.exec_driver_sql(left)).one()
        assert (unfolded, rows <= FRAMES) == (0, True)


async def test_counts_follow_what_becomes_of_files(archive: Archive) -> None:
    here = archive.directory / "here"
    paths = [
        put(here / f"{n}.fits", a_file(cards=[("DATE-OBS", "2026-01-01", ""), ("N", n, "")]))
        for n in range(4)
    ]
    await archive.ingest(*paths)
    await archive.set("0.fits", **{"DATE-OBS": "2026-01-05"})
    await archive.set("1.fits", OBSTYPE="BIAS")
    await archive.revert("1.fits")
    # Another content at the same place takes the place of the first.
    put(paths[2], a_file(cards=[("DATE-OBS", "2026-01-09", "")]), mtime_ns=OLD_NS + 1)
    await archive.ingest(paths[2])
    async with archive.context.database.begin() as connection:
        root = next(one for one in await list_roots(connection) if one.path == here)
    await set_visibility(archive.context, root.name, Level.HIDDEN)
    async with archive.context.database.begin() as connection:
        assert await at_odds(connection) == 0
        told = await count_nights(connection, (), OPERATOR, today=TODAY)
        assert [(one.night.day, one.frames) for one in told] == [(9, 1), (5, 1), (1, 2)]
        assert await count_nights(connection, (), ANYBODY, today=TODAY) == []
        await connection.exec_driver_sql("DELETE FROM frame")
        assert await count_nights(connection, (), OPERATOR, today=TODAY) == []


async def test_nobody_counts_what_a_search_would_hide(archive: Archive) -> None:
    async with archive.context.database.begin() as connection:
        rows = await frames_of(connection)
        await connection.exec_driver_sql("UPDATE frame SET night = '2026-01-01'::date + (file_id % 5)::int")
        for row in rows:
            row["night"] = NIGHT + timedelta(days=row["file_id"] % 5)
        for name, who in VIEWERS.items():
            known = [row for row in rows if is_known(row, who, TODAY)]
            by = await count_nights(connection, (), who, today=TODAY, by=[Part.INSTRUMENT])
            expected = Counter((row["night"], row["instrument"]) for row in known)
            assert {(one.night, *one.parts): one.frames for one in by} == expected, name
            # The same without the help of counts: nobody counts by program.
            for program in ("P1", "P2"):
                of_program = terms_of(program=program)
                found = await count_nights(connection, of_program, who, today=TODAY)
                expected = Counter(row["night"] for row in known if row["program"] == program)
                assert {one.night: one.frames for one in found} == expected, (name, program)
            of_team = terms_of(instrument="P1")
            total = await counted_total(connection, of_team, who, today=TODAY)
            assert total == sum(row["instrument"] == "P1" for row in known), name


@pytest.fixture
async def months(archive: Archive) -> Archive:
    """Return an archive with a frame on each of 60 nights, on every third two."""
    told = {"site": "cpt", "filter": "gp"}
    frames = [{**told, "instrument": "fa14", "night": NIGHT + timedelta(days=day)} for day in range(60)]
    frames += [
        {**told, "instrument": "fa16", "night": NIGHT + timedelta(days=day)} for day in range(0, 60, 3)
    ]
    await record(archive, {f"{number}.fits": one for number, one in enumerate(frames)})
    return archive


async def counts(archive: Archive, viewer: Principal = OPERATOR, **asked: Any) -> list[tuple[str, int]]:
    criteria = {
        k: asked.pop(k) for k in ("filter", "instrument", "night", "night_until", "site") if k in asked
    }
    async with archive.context.database.begin() as connection:
        found = await count_nights(connection, terms_of(**criteria), viewer, today=TODAY, **asked)
        return [(f"{one.night:%m-%d}", one.frames) for one in found]


@pytest.mark.parametrize("criteria", [{}, {"site": "cpt"}, {"filter": "gp"}])
async def test_nights_are_those_that_are_asked_for(months: Archive, criteria: dict[str, Any]) -> None:
    february = await counts(months, first=date(2026, 2, 1), last=date(2026, 2, 28), **criteria)
    assert (february[0], february[-1], len(february)) == (("02-28", 1), ("02-01", 1), 28)
    assert sum(frames for _, frames in february) == 28 + 9
    assert await counts(months, newest=2, **criteria) == [("03-01", 1), ("02-28", 1)]
    assert await counts(months, newest=2, last=date(2026, 1, 7), **criteria) == [("01-07", 2), ("01-06", 1)]
    assert await counts(months, night=date(2026, 1, 4), **criteria) == [("01-04", 2)]


async def test_one_answer_tells_of_so_many_nights(months: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nights, "MOST_NIGHTS", 5)
    newest = [("03-01", 1), ("02-28", 1), ("02-27", 2), ("02-26", 1), ("02-25", 1)]
    assert await counts(months) == await counts(months, first=NIGHT) == newest
    assert await counts(months, first=NIGHT, last=date(2026, 3, 1)) == newest
    assert await counts(months, first=date(2026, 2, 25), last=date(2026, 3, 1)) == newest
    # These lie further apart than there may be nights.
    sparse = await counts(months, instrument="fa16")
    assert [night for night, _ in sparse] == ["02-27", "02-24", "02-21", "02-18", "02-15"]


async def test_nights_without_such_frames_are_left_out(months: Archive) -> None:
    assert await counts(months, site="lsc") == await counts(months, filter="rp") == []
    assert await counts(months, newest=5, site="lsc") == []
