"""The exposures of a night, and the nights beside it, are found in the index of their site, however long it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from armillary.access.models import ANYBODY, OPERATOR, Principal
from armillary.archive.query.service import exposures, night_beside, terms_of
from armillary.base.postgres.server import EmbeddedServer
from tests.support.archive import Archive, an_archive
from tests.support.plans import Overheard, plan_of, planner

pytestmark = pytest.mark.asyncio(loop_scope="module")
NIGHTS, PER_NIGHT = 1000, 20
START = datetime(2020, 1, 1, tzinfo=UTC)
TODAY = date(2026, 1, 1)
FILL = f"""
INSERT INTO root (name, path, in_place, watched) VALUES ('nights', '/nights', false, false);
INSERT INTO file (name) SELECT 'f' || n || '.fits' FROM generate_series(0, {NIGHTS * PER_NIGHT - 1}) AS n;
INSERT INTO version (file_id, root_id, path, filename, container, present, canonical, file_size, data_size,
    file_crc, data_crc, mtime_ns, identity, lastmod, entrytime, layout, headers, origin)
SELECT id, (SELECT id FROM root WHERE name = 'nights'), '', name, 'plain', true, true, 5760, 5760, id, id, 0,
    id::text, now(), now(), '{{"hdus": [], "trailing": [0, 0]}}', 'h'::bytea, 'ingest' FROM file;
INSERT INTO frame (file_id, version_id, details, keywords, warnings, site, started_at, night, release)
SELECT file_id, id, '{{}}', '{{}}', '{{}}', CASE WHEN n % 2 = 0 THEN 'one' ELSE 'two' END,
    timestamptz '2020-01-01 00:00Z' + n / {PER_NIGHT} * interval '1 day' + n % {PER_NIGHT} * interval '1 hour',
    date '2020-01-01' + n / {PER_NIGHT}, date '2021-01-01'
FROM (SELECT file_id, id, substr(filename, 2, length(filename) - 6)::int AS n FROM version) AS v;
ANALYZE
"""
MIDDLE = START + timedelta(days=NIGHTS // 2)
LOOKS: dict[str, Callable[[Any, Principal], Awaitable[Any]]] = {
    "exposures": lambda connection, viewer: exposures(
        connection, terms_of(site="one", since=MIDDLE, until=MIDDLE + timedelta(days=1)), viewer, TODAY
    ),
    "before": lambda connection, viewer: night_beside(connection, "one", viewer, TODAY, before=MIDDLE),
    "after": lambda connection, viewer: night_beside(
        connection, "one", viewer, TODAY, after=MIDDLE + timedelta(days=1)
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nights(
    postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Archive]:
    """Open an archive of a thousand nights of two sites."""
    async with an_archive(postgres, tmp_path_factory.mktemp("nights")) as archive:
        async with archive.context.database.begin() as connection:
            for statement in FILL.split(";\n"):
                await connection.execute(sa.text(statement))
        yield archive


@pytest.mark.parametrize("viewer", [OPERATOR, ANYBODY], ids=["operator", "stranger"])
@pytest.mark.parametrize("generic", [False, True], ids=["planned", "prepared"])
@pytest.mark.parametrize("looks", LOOKS)
async def test_a_night_is_found_in_the_index_of_its_site(
    postgres: EmbeddedServer, nights: Archive, looks: str, generic: bool, viewer: Principal
) -> None:
    async with nights.context.database.begin() as connection:
        heard: Any = Overheard(connection)
        await LOOKS[looks](heard, viewer)
    async with planner(postgres, nights.context.database.name or "", generic=generic) as session:
        plan = await plan_of(session, heard.statements[0])
    assert "frame_latest_of_site" in plan.indexes, plan
    assert plan.fetched_rows <= PER_NIGHT, plan
    assert plan.sorted_rows <= PER_NIGHT, plan


async def test_nights_beside_are_those_next_to_it(nights: Archive) -> None:
    async with nights.context.database.begin() as connection:
        before = await LOOKS["before"](connection, ANYBODY)
        after = await LOOKS["after"](connection, ANYBODY)
        shown = await LOOKS["exposures"](connection, ANYBODY)
        last = await night_beside(connection, "one", ANYBODY, TODAY, after=START + timedelta(days=NIGHTS))
    middle = MIDDLE.date()
    assert (before, after, last) == (middle - timedelta(days=1), middle + timedelta(days=1), None)
    assert [one.started_at for one in shown] == [
        MIDDLE + timedelta(hours=2 * k) for k in range(PER_NIGHT // 2)
    ]
