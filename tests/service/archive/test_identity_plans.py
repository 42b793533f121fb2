"""Files of one name in thousands of directories are found by their paths as quickly as by names of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from armillary.access.models import OPERATOR
from armillary.archive.catalog import file_store, lookup
from armillary.archive.catalog.names import Called
from armillary.archive.query import search
from armillary.archive.query.criteria import terms_of
from armillary.base.postgres.server import EmbeddedServer
from tests.support.archive import Archive, an_archive
from tests.support.plans import Overheard, plan_of, planner

pytestmark = pytest.mark.asyncio(loop_scope="module")
NIGHTS, NAME = 4000, "Light_001.fits"
FILL = f"""
INSERT INTO root (name, path, in_place, watched, identity) VALUES ('nights', '/nights', false, false, 'by-path');
INSERT INTO file (name, directory, root_id)
SELECT '{NAME}', 'night' || n, (SELECT id FROM root WHERE name = 'nights')
FROM generate_series(1, {NIGHTS}) AS n;
INSERT INTO version (file_id, root_id, path, filename, container, present, canonical, file_size, data_size,
    file_crc, data_crc, mtime_ns, identity, lastmod, entrytime, layout, headers, origin)
SELECT id, root_id, directory, name, 'plain', true, true, 5760, 5760, id, id, 0, id::text, now(), now(),
    '{{"hdus": [], "trailing": [0, 0]}}', repeat('h', 1500)::bytea, 'ingest' FROM file;
INSERT INTO frame (file_id, version_id, details, keywords, warnings)
SELECT file_id, id, '{{}}', '{{}}', '{{}}' FROM version;
ANALYZE
"""
Asks = Callable[[Any], Awaitable[Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nights(
    postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Archive]:
    """Open an archive of as many nights, with one frame each."""
    async with an_archive(postgres, tmp_path_factory.mktemp("nights")) as archive:
        async with archive.context.database.begin() as connection:
            for statement in FILL.split(";\n"):
                await connection.execute(sa.text(statement))
        yield archive


def by_search(connection: Any) -> Awaitable[Any]:
    return search.search(connection, terms_of(name=f"night77/{NAME}"), OPERATOR, today=date(2026, 1, 1))


LOOKS: dict[str, Asks] = {
    "a reader": lambda connection: file_store.whereabouts(connection, Called(NAME, "night77")),
    "an edit": lambda connection: lookup.present_meant(connection, [f"night77/{NAME}"]),
    "an edit that is refused": lambda connection: lookup.present_meant(connection, [NAME]),
    "an ingest": lambda connection: file_store.present_at(connection, [(1, "night77", NAME)]),
    "what has moved": lambda connection: file_store.same_content(connection, [77]),
    "a search": by_search,
}


@pytest.mark.parametrize("generic", [False, True], ids=["planned", "prepared"])
@pytest.mark.parametrize("looks", LOOKS)
async def test_a_path_is_looked_up_in_indexes(
    postgres: EmbeddedServer, nights: Archive, looks: str, generic: bool
) -> None:
    async with nights.context.database.begin() as connection:
        heard: Any = Overheard(connection)
        await LOOKS[looks](heard)
    async with planner(postgres, nights.context.database.name or "", generic=generic) as session:
        plan = await plan_of(session, heard.statements[0])
    assert not plan.scanned & {"file", "version", "frame"}, plan
    assert plan.fetched_rows <= 100, plan
    assert plan.buffers <= 300, plan
