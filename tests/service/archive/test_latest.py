"""The latest frames of every value of a field are those that a plain sort finds, whatever else is asked for."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from armillary.access.models import ANYBODY, OPERATOR, Principal
from armillary.archive.catalog.tables import file, version
from armillary.archive.fields import GROUPS
from armillary.archive.query.criteria import terms_of
from armillary.archive.query.listing import Lister
from armillary.archive.query.members import count_of, members_of, page_of
from armillary.archive.query.models import Flag, Latest, Selection
from armillary.archive.query.totals import TotalIs, total_of
from armillary.base.postgres.server import EmbeddedServer
from armillary.errors import BadRequest
from tests.support.archive import Archive, an_archive
from tests.support.recorded import record

pytestmark = pytest.mark.asyncio(loop_scope="module")
START = datetime(2026, 1, 1, 5, tzinfo=UTC)
TODAY = date(2026, 2, 1)
FRAMES, AGAIN = 160, 40
PER = ("site", "filter", "instrument", "program", "object", "mode", "observation_type")
Known = dict[str, Any]


@dataclass(frozen=True)
class Crowd:
    """An archive of frames with many equal starts and some without, and what was told of each, newest first."""

    archive: Archive
    frames: list[Known]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowd(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crowd]:
    async with an_archive(postgres, tmp_path_factory.mktemp("crowd")) as archive:
        chance = random.Random(7)
        told = {f"f{number:03d}.fits": _any_frame(chance) for number in range(FRAMES)}
        await record(archive, told)
        # Some files have an older version that said something else.
        later = {name: _any_frame(chance) for name in chance.sample(sorted(told), AGAIN)}
        await record(archive, later)
        async with archive.context.database.begin() as connection:
            ids = {one.name: one.id for one in (await connection.execute(sa.select(file))).all()}
        known = [{"name": name, "file_id": ids[name], **one} for name, one in (told | later).items()]
        yield Crowd(archive, sorted(known, key=_age, reverse=True))


def _any_frame(chance: random.Random) -> Known:
    minutes = chance.choice([None, 0, 0, 1, 2, 3, 5, 8])
    return {
        "started_at": None if minutes is None else START + timedelta(minutes=minutes),
        "exposure_s": chance.choice([None, 0.0, 30.0, 90.0, 4000.0]),
        "site": chance.choice([None, "cpt", "lsc", "lsc", "ogg"]),
        "filter": chance.choice([None, "r", "i"]),
        "instrument": chance.choice(["fa14", "fa15"]),
        "program": chance.choice([None, "P-1", "P-2"]),
        "object": chance.choice([None, "M 1", "M 2", "M 3"]),
        "mode": chance.choice([None, "imaging", "LS"]),
        "observation_type": chance.choice(["OBJECT", "FLAT"]),
        "release": chance.choice([date(2026, 1, 1), date(2027, 1, 1)]),
        "proprietary_coordinates": chance.random() < 0.4,
    }


def _age(known: Known) -> tuple[bool, datetime, int]:
    return known["started_at"] is not None, known["started_at"] or START, known["file_id"]


def latest_of(frames: Iterable[Known], count: int, per: str) -> list[Known]:
    """Return the first so many of each group, of frames in order."""
    seen: dict[str, int] = defaultdict(int)
    found = []
    for known in frames:
        if known[per] is not None:
            seen[known[per]] += 1
            if seen[known[per]] <= count:
                found.append(known)
    return found


def _counts(known: Known, asked: Mapping[str, Any], per: str, viewer: Principal) -> bool:
    """Tell whether the other terms and the rights of the viewer leave a frame."""
    hidden = known["proprietary_coordinates"] and known["release"] > TODAY and viewer is ANYBODY
    if hidden and "object" in (per, *asked):
        return False
    low, since = asked.get("exposure_min_s"), asked.get("since")
    return (
        all(known[name] == asked[name] for name in ("site", "instrument", "object", "name") if name in asked)
        and (low is None or (known["exposure_s"] is not None and known["exposure_s"] >= low))
        and (since is None or (known["started_at"] is not None and known["started_at"] >= since))
    )


asked_for = st.fixed_dictionaries(
    {},
    optional={
        "site": st.sampled_from(["cpt", "lsc", "nowhere"]),
        "instrument": st.sampled_from(["fa14", "fa15"]),
        "object": st.sampled_from(["M 1", "M 2"]),
        "exposure_min_s": st.sampled_from([0.0, 30.0]),
        "since": st.sampled_from([START, START + timedelta(minutes=2)]),
        "name": st.sampled_from(["f000.fits", "f001.fits"]),
    },
)


@given(
    asked=asked_for,
    count=st.sampled_from([1, 2, 3, 7, 1000]),
    per=st.sampled_from(PER),
    viewer=st.sampled_from([OPERATOR, ANYBODY]),
    limit=st.integers(1, 50),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_pages_hold_the_latest_of_each_group_and_totals_count_them(
    crowd: Crowd, asked: Known, count: int, per: str, viewer: Principal, limit: int
) -> None:
    left = [known for known in crowd.frames if _counts(known, asked, per, viewer)]
    expected = [known["name"] for known in latest_of(left, count, per)]
    terms = terms_of(latest=count, per=per, **asked)
    names: list[str] = []
    cursor: str | None = None
    while cursor or not names:
        page = await crowd.archive.page_of(terms, viewer=viewer, limit=limit, cursor=cursor, today=TODAY)
        names += [one["name"] for one in page.frames]
        if (cursor := page.cursor) is None:
            break
    assert names == expected
    async with crowd.archive.context.database.begin() as connection:
        total = await total_of(connection, terms, viewer, today=TODAY, exact=False)
    assert (total.total, total.total_is) == (len(expected), TotalIs.EXACT)


@pytest.mark.parametrize("per", PER)
async def test_lists_show_every_version_of_the_latest_frames(crowd: Crowd, per: str) -> None:
    lister = Lister(OPERATOR, TODAY, crowd.archive.context.settings.archive)
    expected = {one["name"] for one in latest_of(crowd.frames, 3, per)}
    async with crowd.archive.context.database.begin() as connection:
        listed = await lister.frames(connection, Selection(terms=(Latest(3, per),)))
        every = sa.select(sa.func.count()).select_from(version.join(file, file.c.id == version.c.file_id))
        versions = await connection.scalar(every.where(file.c.name.in_(expected)))
    names = listed.columns(["name"])["name"]
    assert set(names) == expected
    assert len(names) == versions
    assert versions > len(expected)


@pytest.mark.parametrize("per", ["site", "instrument"])
async def test_members_are_the_latest_of_the_files_that_are_there(crowd: Crowd, per: str) -> None:
    gone = {one["name"] for one in crowd.frames[::3]}
    expected = {
        one["name"] for one in latest_of((one for one in crowd.frames if one["name"] not in gone), 2, per)
    }
    async with crowd.archive.context.database.begin() as connection:
        absent = sa.select(file.c.id).where(file.c.name.in_(gone))
        change = sa.update(version).where(version.c.file_id.in_(absent)).values(present=False)
        await connection.execute(change)
        members = members_of([Latest(2, per), Flag("engineering", False)], today=TODAY)
        found = {one.name for one in await page_of(connection, members, after=0, count=1000)}
        assert await count_of(connection, members) == len(found)
        await connection.rollback()
    assert found == expected


@pytest.mark.parametrize("per", GROUPS)
async def test_every_word_of_a_frame_makes_groups(crowd: Crowd, per: str) -> None:
    found = await crowd.archive.find(latest=1, per=per)
    values = {one.get(per) for one in crowd.frames} - {None}
    # What is not told has a default in some fields, which is a value, too.
    assert len(found) == (len(values) or (1 if per in ("qa_state", "profile") else 0))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"latest": 3}, "per which field"),
        ({"per": "site"}, "how many"),
        ({"latest": 0, "per": "site"}, "Between 1 and 1000"),
        ({"latest": 1 << 70, "per": "site"}, "Between 1 and 1000"),
        ({"latest": 1, "per": "night"}, "use one of site, telescope"),
        ({"latest": 1, "per": "keywords"}, "use one of site, telescope"),
    ],
)
async def test_what_makes_no_groups_is_refused(asked: Known, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        terms_of(**asked)
