"""Selections that clients send all day are served by indexes, whatever the size of the archive."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import ANYBODY, OPERATOR, Principal
from armillary.archive.query.grammar import parse
from armillary.archive.query.listing import Lister
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from tests.support.archive import Archive, an_archive

pytestmark = pytest.mark.asyncio(loop_scope="module")
FRAMES = 40_000

# One frame a minute; 200 of an observation, 4000 of a program.
FILL = f"""
INSERT INTO root (name, path, in_place) VALUES ('here', '/nowhere', true);
INSERT INTO file (name)
    SELECT 'N' || to_char(timestamptz '2020-01-01Z' + n * interval '1 minute', 'YYYYMMDD') || 'S'
        || lpad(n::text, 6, '0') || '.fits' FROM generate_series(1, {FRAMES}) AS n;
INSERT INTO version (file_id, root_id, path, filename, container, present, canonical, file_size, data_size,
        file_crc, data_crc, data_md5, mtime_ns, identity, lastmod, entrytime, layout, headers, origin)
    SELECT id, 1, '', name, 'plain', true, true, 1, 1, 0, 0, md5(name), id, '1:' || id,
        timestamptz '2020-01-01Z' + id * interval '1 minute', timestamptz '2020-01-02Z' + id * interval '1 minute',
        '{{}}', repeat('h', 1500)::bytea, 'ingest' FROM file;
INSERT INTO frame (file_id, version_id, site, telescope, instrument, night, started_at, exposure_s, object,
        ra_deg, dec_deg, hpx, program, observation_id, data_label, observation_type, qa_state, release,
        details, keywords, warnings)
    SELECT id, id, 'gemini-north', 'Gemini-North', 'GMOS-N',
        (timestamptz '2020-01-01Z' + id * interval '1 minute')::date,
        timestamptz '2020-01-01Z' + id * interval '1 minute', 60, 'M 1', id % 360, 0, id * 1000000000,
        'GN-2020A-Q-' || id / 4000, 'GN-2020A-Q-' || id / 4000 || '-' || id / 200,
        'GN-2020A-Q-' || id / 4000 || '-' || id / 200 || '-' || id, 'OBJECT', 'Pass', '2021-01-01',
        '{{"mode": "imaging", "spectroscopy": false}}', '{{}}', '{{}}' FROM file;
"""


@dataclasses.dataclass
class Explained:
    """A connection that keeps the plan of each statement instead of running it."""

    connection: AsyncConnection
    plans: list[str]

    async def execute(self, statement: sa.Select[Any]) -> Any:
        """Explain a statement, then run it."""
        query = statement.compile(self.connection.engine, compile_kwargs={"literal_binds": True})
        found = await self.connection.exec_driver_sql(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {query}")
        self.plans.append("\n".join(found.scalars()))
        return await self.connection.execute(statement)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def large(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Archive]:
    async with an_archive(postgres, tmp_path_factory.mktemp("large")) as archive:
        async with archive.context.database.begin() as connection:
            for statement in filter(str.strip, FILL.split(";\n")):
                await connection.exec_driver_sql(statement)
        await analyzed(postgres, archive)
        yield archive


async def analyzed(postgres: EmbeddedServer, archive: Archive) -> None:
    """Let the planner know the tables, which only their owner may."""
    owner = await Database.connect(postgres, Role.OWNER, name=archive.context.database.name, pool_size=1)
    async with owner.begin() as connection:
        await connection.exec_driver_sql("ANALYZE file, version, frame")
    await owner.close()


async def plan_and_rows(large: Archive, path: str, viewer: Principal = ANYBODY) -> tuple[str, int]:
    lister = Lister(viewer, large.context.clock.now().date(), large.context.settings.archive)
    selection = parse(path.split("/"), today=lister.today)
    async with large.context.database.begin() as connection:
        explained: Any = Explained(connection, [])
        found = await lister.frames(explained, selection)
    return explained.plans[0], len(found.rows)


@pytest.mark.parametrize(
    ("path", "rows", "index"),
    [
        ("canonical/date=20200110", 1440, "frame_latest"),
        ("canonical/night=20200110", 1440, "frame_by_night"),
        ("present/GN-2020A-Q-3-60", 200, "frame_by_observation"),
        ("present/GN-2020A-Q-3-60-12000", 1, "frame_by_label"),
        ("present/filename=N20200110S012961", 1, "file_place_unique"),
        ("filepre=N20200110S0130", 100, "file_place_unique"),
        ("entrytimedaterange=2020-01-10T00:00--2020-01-10T01:00", 60, "version_by_entrytime"),
        ("lastmoddaterange=2020-01-10T00:00--2020-01-10T01:00", 60, "version_by_lastmod"),
    ],
)
@pytest.mark.parametrize("viewer", [ANYBODY, OPERATOR], ids=["anybody", "operator"])
async def test_hot_selections_use_their_index(
    large: Archive, path: str, rows: int, index: str, viewer: Principal
) -> None:
    plan, found = await plan_and_rows(large, path, viewer)
    assert found == rows
    assert index in plan, plan
    assert "Seq Scan on frame" not in plan, plan
    assert "Seq Scan on version" not in plan, plan


@pytest.mark.parametrize(("path", "rows"), [("", 500), ("GMOS-N/Pass", 500), ("progid=GN-2020A-Q-3", 2000)])
async def test_long_lists_end_early(large: Archive, path: str, rows: int) -> None:
    plan, found = await plan_and_rows(large, path)
    assert found == rows
    assert "frame_by_program" in plan or "Seq Scan" not in plan, plan


async def test_pages_of_quality_states_begin_where_the_last_one_ended(large: Archive) -> None:
    lister = Lister(ANYBODY, large.context.clock.now().date(), large.context.settings.archive)
    middle = FRAMES // 2
    async with large.context.database.begin() as connection:
        explained: Any = Explained(connection, [])
        rows = await lister.states(
            explained, parse([], today=lister.today), after=(middle, middle), count=500
        )
    assert [row.file_id for row in rows] == list(range(middle + 1, middle + 501))
    assert "Seq Scan" not in explained.plans[0], explained.plans[0]
    assert "rows=20000" not in explained.plans[0], explained.plans[0]
