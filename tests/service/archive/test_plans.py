"""Searches and lists are served by indexes at any size, whatever the planner knows, prepared or not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import sqlalchemy as sa
from numpy.typing import NDArray

from armillary.access.models import ANYBODY, OPERATOR, Grants, Principal
from armillary.archive.catalog.tables import frame
from armillary.archive.query import search
from armillary.archive.query.cones import Cone, in_cone
from armillary.archive.query.criteria import terms_of
from armillary.archive.query.cursors import write_cursor
from armillary.archive.query.grammar import parse
from armillary.archive.query.listing import Lister
from armillary.archive.query.models import Like, Term
from armillary.base.postgres.server import EmbeddedServer
from armillary.demo.filling import fill
from tests.support.archive import Archive, an_archive
from tests.support.plans import Overheard, Plan, Statement, plan_of, planner

pytestmark = pytest.mark.asyncio(loop_scope="module")
FRAMES = 40_000
TODAY = date(2024, 6, 1)
HALF_A_YEAR_BEFORE, MIDDLE = datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 7, 1, tzinfo=UTC)
PI = Principal("pi", grants=Grants(programs=frozenset({"GN-2023A-Q-150"}), files=frozenset({"x.fits"})))
VIEWERS = {"operator": OPERATOR, "anybody": ANYBODY, "pi": PI}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def large(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Archive]:
    """Open an archive of five years."""
    async with an_archive(postgres, tmp_path_factory.mktemp("large")) as archive:
        await fill(archive.context, FRAMES)
        yield archive


async def statement_of(
    large: Archive,
    criteria: Sequence[Term],
    viewer: Principal,
    *,
    after: datetime | None = None,
    limit: int = 100,
) -> tuple[Statement, search.Page]:
    """Return the first statement of a search, and the page that it led to."""
    cursor = write_cursor(after, FRAMES // 2) if after else None
    async with large.context.database.begin() as connection:
        heard: Any = Overheard(connection)
        page = await search.search(heard, criteria, viewer, today=TODAY, limit=limit, cursor=cursor)
    return heard.statements[0], page


async def explained(
    postgres: EmbeddedServer, large: Archive, statement: Statement, *, generic: bool, blind: bool
) -> Plan:
    name = large.context.database.name or ""
    async with planner(postgres, name, generic=generic, blind=blind) as session:
        return await plan_of(session, statement)


SEARCHES: dict[str, tuple[Sequence[Term], datetime | None, str]] = {
    "latest": (terms_of(), None, "frame_latest"),
    "latest of a site": (terms_of(site="gemini-north"), None, "frame_latest_of_site"),
    "deep page": (terms_of(), MIDDLE, "frame_latest"),
    "deep page of a site": (terms_of(site="cpt"), MIDDLE, "frame_latest_of_site"),
    "site, filter, exposure, dates": (
        terms_of(site="gemini-south", filter="r", exposure_min_s=100, since=HALF_A_YEAR_BEFORE, until=MIDDLE),
        *(None, "frame_by_filter"),
    ),
    "filter": (terms_of(filter="H2", site="gemini-south"), None, "frame_by_filter"),
    "instrument": (terms_of(instrument="NIFS"), None, "frame_latest"),
    "name": (terms_of(name="N20230510Y0003.fits"), None, "file_place_unique"),
    "names of a night": (terms_of(name="N20230510Y*"), None, "file_place_unique"),
    "cone": (terms_of(cone="200.0,-30.0,0.1"), None, "frame_by_position"),
    "cone at the pole": (terms_of(cone="0.0,90.0,1.0"), None, "frame_by_position"),
    "cone across RA 0": (terms_of(cone="0.0,0.0,1.0", site="cpt"), None, "frame_by_position"),
    "night": (terms_of(night=date(2023, 5, 10)), None, "frame_by_night"),
    "label": (terms_of(data_label="GN-2023A-Q-150-1-2305100001"), None, "frame_by_label"),
    "observation": (terms_of(observation_id="GN-2023A-Q-150-1"), None, "frame_by_observation"),
    "exposed during a minute": (terms_of(during="2023-07-01T05:00Z/2023-07-01T05:01Z"), None, "frame_latest"),
    "exposed at a site": (
        terms_of(during="2023-07-01T05:00Z/2023-07-01T05:01Z", site="cpt"), None, "frame_latest_of_site",
    ),
    "latest of each site": (terms_of(latest=3, per="site"), None, "frame_latest_of_site"),
    "latest of a program in each filter": (
        terms_of(latest=3, per="filter", program="GN-2023A-Q-150"), None, "frame_by_program",
    ),
    "program": (terms_of(program="GN-2023A-Q-150"), None, "frame_by_program"),
    "an object that there is not": (terms_of(object="Nothing 99"), None, "frame_by_object"),
    "an object in any case": ([Like("object", "nothing 99", folded=True)], None, "frame_by_object"),
}  # fmt: skip


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("blind", [False, True], ids=["analyzed", "without statistics"])
@pytest.mark.parametrize("generic", [False, True], ids=["planned", "prepared"])
@pytest.mark.parametrize("asked", SEARCHES)
async def test_hot_searches_read_few_blocks_by_their_index(
    postgres: EmbeddedServer, large: Archive, asked: str, generic: bool, blind: bool, viewer: str
) -> None:
    criteria, after, index = SEARCHES[asked]
    statement, _ = await statement_of(large, criteria, VIEWERS[viewer], after=after)
    plan = await explained(postgres, large, statement, generic=generic, blind=blind)
    # Who knows neither tables nor values may take another index in the order of time.
    assert index in plan.indexes or (blind and generic), plan
    assert plan.scanned == set(), plan
    assert plan.sorted_rows <= 1000, plan
    assert plan.buffers <= 2500, plan
    # Who knows nothing of the tables may take the entries of a whole site for few.
    assert blind or plan.fetched_rows <= 1000, plan


LISTS = {
    "canonical/20230510": "frame_latest",
    "canonical/night=20230510": "frame_by_night",
    "present/GN-2023A-Q-150-1": "frame_by_observation",
    "canonical/progid=GN-2023A-Q-150": "frame_by_program",
    "filename=N20230510Y0003.fits": "file_place_unique",
    "filepre=N2023051": "file_place_unique",
    "ra=200/dec=-30/sr=0.5": "frame_by_position",
    "canonical": "file_place_unique",
}


@pytest.mark.parametrize("viewer", [ANYBODY, PI], ids=["anybody", "pi"])
@pytest.mark.parametrize("generic", [False, True], ids=["planned", "prepared"])
@pytest.mark.parametrize("path", LISTS)
async def test_lists_end_early_or_begin_at_an_index(
    postgres: EmbeddedServer, large: Archive, path: str, generic: bool, viewer: Principal
) -> None:
    lister = Lister(viewer, TODAY, large.context.settings.archive)
    async with large.context.database.begin() as connection:
        heard: Any = Overheard(connection)
        found = await lister.frames(heard, parse(path.split("/"), today=TODAY))
    plan = await explained(postgres, large, heard.statements[0], generic=generic, blind=False)
    assert LISTS[path] in plan.indexes, plan
    assert not plan.scanned & {"frame", "version"}, plan
    assert plan.sorted_rows <= 2500, plan
    assert plan.buffers <= 25 * max(500, len(found.rows)), plan


async def test_walking_by_cursors_meets_every_frame_once_and_those_without_a_date_last(
    large: Archive,
) -> None:
    names: list[str] = []
    undated: list[bool] = []
    cursor: str | None = None
    while True:
        page = await large.page(site="lsc", limit=1000, cursor=cursor)
        names += [one["name"] for one in page.frames]
        undated += [one["started_at"] is None for one in page.frames]
        if (cursor := page.cursor) is None:
            break
    async with large.context.database.begin() as connection:
        there = (await connection.exec_driver_sql("SELECT count(*) FROM frame WHERE site = 'lsc'")).scalar()
    assert len(names) == len(set(names)) == there
    assert any(undated)
    assert undated == sorted(undated)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def positions(large: Archive) -> NDArray[np.float64]:
    """Return all right ascensions and declinations in radians."""
    async with large.context.database.begin() as connection:
        query = "SELECT array_agg(ra_deg), array_agg(dec_deg) FROM frame WHERE ra_deg IS NOT NULL"
        return np.radians(np.array((await connection.exec_driver_sql(query)).one(), dtype=float))


@pytest.mark.parametrize("radius_deg", [0.0, 0.1, 2.0, 14.9, 15.1, 180.0])
@pytest.mark.parametrize(
    ("ra", "dec"), [(0.0, 90.0), (123.4, -90.0), (0.0, 0.0), (359.99, 5.0), (180.0, 89.95), (200.0, -30.0)]
)
async def test_cones_find_what_a_walk_through_all_frames_finds(
    large: Archive, positions: NDArray[np.float64], ra: float, dec: float, radius_deg: float
) -> None:
    (lon, lat), (ras, decs) = np.radians([ra, dec]), positions
    # Haversines, an independent formula.
    hav = np.sin((decs - lat) / 2) ** 2 + np.cos(lat) * np.cos(decs) * np.sin((ras - lon) / 2) ** 2
    inside = int((2 * np.arcsin(np.sqrt(np.clip(hav, 0, 1))) <= np.radians(radius_deg)).sum())
    counting = sa.select(sa.func.count()).select_from(frame).where(in_cone(Cone(ra, dec, radius_deg)))
    async with large.context.database.begin() as connection:
        assert await connection.scalar(counting) == inside


async def test_a_cone_without_extent_finds_the_frame_in_its_centre(large: Archive) -> None:
    for shown in (await large.page(instrument="fa15", object="Field 007", limit=20)).frames:
        if shown["ra_deg"] is not None:
            assert shown["name"] in await large.find(cone=Cone(shown["ra_deg"], shown["dec_deg"], 0.0))
