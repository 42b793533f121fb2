"""Benchmark 4b: searches among a million frames, and cones against q3c.

The statements are those that the program sends: they are overheard, then prepared and executed as its driver does
it. The time of a search is the execution time that PostgreSQL itself measures, the median over many different
questions. Cones are compared over the socket, planning included, both sides returning ids: ours as a part of the
catalog with all its columns and indexes, q3c on a table of nothing but id and position, in the order of its index.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.dialects.postgresql import asyncpg as dialect

from armillary.access.models import ANYBODY
from armillary.archive.catalog.tables import frame
from armillary.archive.query.cones import Cone, in_cone
from armillary.archive.query.criteria import terms_of
from armillary.archive.query.cursors import write_cursor
from armillary.archive.query.models import Term
from armillary.archive.query.search import search
from armillary.base.database import Role
from armillary.context import Context, open_context
from armillary.demo.filling import fill
from armillary.demo.frames import STATIONS
from armillary.settings import DatabaseSettings, Settings
from armillary.sky.healpix import cone_ranges
from benchmarks.q3c import CONE, is_installed, q3c
from benchmarks.scratch import scratch
from benchmarks.table import Again, Row, finish

FRAMES, QUESTIONS, ROUNDS = 1_000_000, 60, 3
RADIUS_DEG = 0.1
LIMIT, LIMIT_S = "limit of 1 ms", 1e-3
ACCOUNT = "daemon"
TODAY = date(2026, 1, 1)
Question = tuple[Sequence[Term], str | None]


@dataclass
class Overheard:
    """A connection that keeps the queries which go over it."""

    connection: Any
    queries: list[sa.Select[Any]] = field(default_factory=list)

    async def execute(self, query: sa.Select[Any]) -> Any:
        """Keep a query, then run it."""
        self.queries.append(query)
        return await self.connection.execute(query)


@dataclass(frozen=True)
class Statement:
    """The text of a statement and its parameters."""

    text: str
    values: tuple[Any, ...]

    @classmethod
    def of(cls, query: sa.Select[Any]) -> Statement:
        """Compile a query as the program does."""
        compiled: Any = query.compile(dialect=dialect.dialect(), compile_kwargs={"render_postcompile": True})
        return cls(str(compiled), tuple(compiled.params[name] for name in compiled.positiontup))


def latest_of_a_site(_dice: random.Random) -> Iterator[Question]:
    """The latest 100 frames of a site."""
    yield from ((terms_of(site=station.site), None) for station in STATIONS)


def site_filter_exposure_dates(dice: random.Random) -> Iterator[Question]:
    """The latest 100 frames of a site in one filter, of more than 100 s, of three months."""
    while True:
        station = dice.choice(STATIONS)
        filters = dice.choice(list(station.instruments.values()))[1]
        since = _instant(dice)
        yield (
            terms_of(
                site=station.site,
                filter=dice.choice(filters),
                exposure_min_s=100.0,
                since=since,
                until=since + timedelta(days=91),
            ),
            None,
        )


def by_name(dice: random.Random) -> Iterator[Question]:
    """One frame by its name."""
    while True:
        yield terms_of(name=f"N{_instant(dice):%Y%m%d}Y{dice.randint(1, 150):04d}.fits"), None


def deep_page(dice: random.Random) -> Iterator[Question]:
    """A page of 100, somewhere among a million."""
    while True:
        yield terms_of(), write_cursor(_instant(dice), dice.randrange(FRAMES))


def _instant(dice: random.Random) -> datetime:
    return datetime(2021, 1, 1, tzinfo=UTC) + timedelta(days=dice.uniform(0, 1700))


def cones(positions: NDArray[np.float64]) -> list[Cone]:
    """Return cones around frames, so that crowded places are asked for as often as they are observed."""
    chosen = np.random.default_rng(7).choice(len(positions), QUESTIONS, replace=False)
    around = [Cone(float(ra), float(dec), RADIUS_DEG) for _, ra, dec in positions[chosen]]
    return [
        *around[:-3],
        Cone(0.0, 90.0, RADIUS_DEG),
        Cone(0.0, -90.0, RADIUS_DEG),
        Cone(359.95, 0.0, RADIUS_DEG),
    ]


async def statements(context: Context, questions: Sequence[Question]) -> list[Statement]:
    """Return what the program sends for each question: the statement of the page."""
    found = []
    async with context.database.begin() as connection:
        for criteria, cursor in questions:
            heard: Any = Overheard(connection)
            await search(heard, criteria, ANYBODY, today=TODAY, cursor=cursor)
            found.append(Statement.of(heard.queries[0]))
    return found


async def execution_s(session: asyncpg.Connection, asked: Sequence[Statement]) -> float:
    """Return the median execution time, as PostgreSQL measures it, of prepared statements."""
    names = {text: f"probe_{number}" for number, text in enumerate({one.text for one in asked})}
    for text, name in names.items():
        await session.execute(f"PREPARE {name} AS {text}")
    times: list[float] = []
    for number in range(ROUNDS + 1):
        for one in asked:
            values = ", ".join(map(_literal, one.values))
            execute = f"EXECUTE {names[one.text]}" + (f"({values})" if values else "")
            told = await session.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {execute}")
            if number:
                times.append(json.loads(told)[0]["Execution Time"] / 1000)
    await session.execute("DEALLOCATE ALL")
    return median(times)


def _literal(value: Any) -> str:
    shown = "{" + ",".join(map(str, value)) + "}" if isinstance(value, list | tuple) else str(value)
    return "'" + shown.replace("'", "''") + "'"


async def assert_same_without_indexes(session: asyncpg.Connection, statement: Statement) -> None:
    """Fail unless a walk through whole tables finds the same rows."""
    expected = await session.fetch(statement.text, *statement.values)
    async with session.transaction():
        for method in ("indexscan", "indexonlyscan", "bitmapscan", "nestloop"):
            await session.execute(f"SET LOCAL enable_{method} = off")
        if await session.fetch(statement.text, *statement.values) != expected:
            raise AssertionError("an index led to other rows than the table holds")


def inside(positions: NDArray[np.float64], cone: Cone) -> set[int]:
    """Return the ids in a cone by the haversine formula, one position after the other."""
    (lon, lat), (ras, decs) = np.radians([cone.ra_deg, cone.dec_deg]), np.radians(positions[:, 1:].T)
    hav = np.sin((decs - lat) / 2) ** 2 + np.cos(lat) * np.cos(decs) * np.sin((ras - lon) / 2) ** 2
    chosen = 2 * np.arcsin(np.sqrt(hav)) <= np.radians(cone.radius_deg)
    return {int(one) for one in positions[chosen, 0]}


@dataclass
class Compared:
    """Seconds of each way to ask for the ids in cones."""

    ours: list[float] = field(default_factory=list)
    q3c: list[float] = field(default_factory=list)
    generic: list[float] = field(default_factory=list)


async def compare_cones(
    session: asyncpg.Connection, peer: asyncpg.Connection, positions: NDArray[np.float64]
) -> Compared:
    """Ask both for the same cones in turn; the ids have to be those of a walk through all positions."""
    asked = [Statement.of(sa.select(frame.c.file_id).where(in_cone(one))) for one in cones(positions)]
    if len({one.text for one in asked}) > 1:
        raise AssertionError("cones differ in the text of their statement, which has to be prepared again")
    mine, theirs = await session.prepare(asked[0].text), await peer.prepare(CONE)
    await peer.execute("SET plan_cache_mode = force_generic_plan")
    kept = await peer.prepare(CONE + " ")
    times = Compared()
    for number in range(ROUNDS + 1):
        for cone, statement in zip(cones(positions), asked, strict=True):
            place = (cone.ra_deg, cone.dec_deg, cone.radius_deg)
            start = time.perf_counter()
            # Part of the question: q3c finds its ranges on the server.
            cone_ranges(*place)
            found = {row[0] for row in await mine.fetch(*statement.values)}
            ours = time.perf_counter() - start
            await peer.execute("SET plan_cache_mode = auto")
            planned, by_q3c = await _timed(theirs, place)
            await peer.execute("SET plan_cache_mode = force_generic_plan")
            generic, _ = await _timed(kept, place)
            if not number:
                if not found == by_q3c == inside(positions, cone):
                    raise AssertionError(f"{cone}: not the same frames")
                continue
            times.ours.append(ours)
            times.q3c.append(planned)
            times.generic.append(generic)
    return times


async def _timed(statement: Any, values: Sequence[Any]) -> tuple[float, set[int]]:
    start = time.perf_counter()
    found = {row[0] for row in await statement.fetch(*values)}
    return time.perf_counter() - start, found


async def _search_rows(context: Context, session: asyncpg.Connection, around: Sequence[Cone]) -> list[Row]:
    dice = random.Random(4)  # not for secrets
    groups: list[tuple[str, list[Question]]] = [
        (_title(make), [question for question, _ in zip(make(dice), range(QUESTIONS), strict=False)])
        for make in (latest_of_a_site, site_filter_exposure_dates, by_name, deep_page)
    ]
    groups.append(
        (f"a cone of {RADIUS_DEG} deg, whole frames", [(terms_of(cone=one), None) for one in around])
    )
    rows = []
    for number, (title, questions) in enumerate(groups, 1):
        asked = await statements(context, questions)
        await assert_same_without_indexes(session, asked[0])
        seconds = await execution_s(session, asked)
        rows.append(Row(f"4b.{number}", f"1 M frames: {title}", seconds, {LIMIT: LIMIT_S}, {LIMIT: 1.0}))
    return rows


def _title(question: Any) -> str:
    text = str(question.__doc__).rstrip(".")
    return text[0].lower() + text[1:]


async def _measure(folder: Path, again: Again) -> list[Row]:
    settings = Settings(data=folder, database=DatabaseSettings(account=ACCOUNT))
    async with open_context(settings, Role.WORKER) as context:
        await fill(context, FRAMES)
        session = await context.database.dedicated()
        try:
            known = "SELECT file_id, ra_deg, dec_deg FROM frame WHERE hpx IS NOT NULL ORDER BY file_id"
            found = [tuple(row) for row in await session.fetch(known)]
            positions = np.array(found, dtype=float)
            while True:
                rows = await _search_rows(context, session, cones(positions))
                rows.append(await _cone_row(session, found, positions))
                if not again(rows):
                    return rows
        finally:
            await session.close()


async def _cone_row(session: asyncpg.Connection, found: Sequence[Any], positions: NDArray[np.float64]) -> Row:
    work = f"1 M frames: ids in a cone of {RADIUS_DEG} deg, planned, over the socket"
    if not is_installed():
        asked = [Statement.of(sa.select(frame.c.file_id).where(in_cone(one))) for one in cones(positions)]
        seconds = await execution_s(session, asked)
        return Row("4b.6", f"{work}; q3c is not installed", seconds, {LIMIT: LIMIT_S}, {LIMIT: 1.0})
    async with q3c(found) as peer:
        times = await compare_cones(session, peer, positions)
    peers = {"q3c": median(times.q3c), "q3c, generic plan forced": median(times.generic)}
    return Row("4b.6", work, median(times.ours), peers, {"q3c": 3.0})


def rows(again: Again = lambda _rows: False) -> list[Row]:
    """Measure and return the rows of benchmark 4b; a second measurement asks the same frames."""
    with scratch() as folder:
        return asyncio.run(_measure(folder / "data", again))


if __name__ == "__main__":
    finish(rows())
