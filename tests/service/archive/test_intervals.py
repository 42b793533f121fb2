"""Frames are found by the interval that their exposure overlaps, as PostgreSQL and a plain comparison see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product

import pytest
import pytest_asyncio

from armillary.archive.query.criteria import terms_of
from armillary.archive.query.models import Overlaps, Selection
from armillary.base.postgres.server import EmbeddedServer
from armillary.errors import BadRequest
from tests.support.archive import Archive, an_archive
from tests.support.recorded import record

pytestmark = pytest.mark.asyncio(loop_scope="module")
FIVE = datetime(2026, 1, 1, 5, tzinfo=UTC)
STARTS_S = (None, 0, 10, 20, 30)
EXPOSURES_S = (None, 0.0, 5.0, 10.0, 25.0, 7200.0)
EDGES_S = (None, -3700, -1, 0, 1, 5, 10, 12, 20, 30, 35, 40, 55, 7200, 7230, 8000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exposed(
    postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Archive, dict[str, tuple[datetime | None, float | None]]]]:
    """Open an archive with every start and exposure, and what was told of each frame."""
    async with an_archive(postgres, tmp_path_factory.mktemp("exposed")) as archive:
        told = {
            f"f{number}.fits": (_at(start_s), exposure_s)
            for number, (start_s, exposure_s) in enumerate(product(STARTS_S, EXPOSURES_S))
        }
        await record(
            archive, {name: {"started_at": one[0], "exposure_s": one[1]} for name, one in told.items()}
        )
        yield archive, told


def _at(seconds: float | None) -> datetime | None:
    return None if seconds is None else FIVE + timedelta(seconds=seconds)


def _overlaps(began: datetime | None, exposure_s: float | None, interval: Overlaps) -> bool:
    """Tell whether an exposure and an interval share an instant: whole seconds and the middles between them do."""
    if began is None:
        return False
    ended = began + timedelta(seconds=exposure_s or 0.0)
    early, late = (
        interval.start or datetime.min.replace(tzinfo=UTC),
        interval.end or datetime.max.replace(tzinfo=UTC),
    )
    marks = sorted({began, ended, early, late})
    instants = [*marks, *(one + (other - one) / 2 for one, other in pairwise(marks))]
    return any(_in(one, began, ended) and _in(one, early, late) for one in instants)


def _in(instant: datetime, start: datetime, end: datetime) -> bool:
    return start <= instant < end or instant == start == end


async def test_exposures_are_found_by_any_interval(
    exposed: tuple[Archive, dict[str, tuple[datetime | None, float | None]]],
) -> None:
    archive, told = exposed
    tried = 0
    for start, end in product(map(_at, EDGES_S), repeat=2):
        if start and end and end < start:
            continue
        text = "/".join(one.isoformat() if one else ".." for one in (start, end))
        wanted = {name for name, one in told.items() if _overlaps(*one, Overlaps(start, end))}
        assert set(await archive.find(during=text)) == wanted, text
        tried += 1
    assert tried > 100


async def test_intervals_reach_from_the_first_year_to_the_last(
    exposed: tuple[Archive, dict[str, tuple[datetime | None, float | None]]],
) -> None:
    archive, told = exposed
    dated = {name for name, (began, _) in told.items() if began}
    assert set(await archive.find(during="0001-01-01/9999-12-31T23:59:59.999999")) == dated
    assert await archive.find(during="9999-12-31T23:59:59.999999/..") == []


async def test_an_interval_bounds_a_selection_and_groups_do_not() -> None:
    assert not Selection(terms=terms_of(during="2026-01-01/..")).is_open
    assert Selection(terms=terms_of(latest=1, per="program")).is_open


@pytest.mark.parametrize(
    ("text", "start_s", "end_s"),
    [
        ("2026-01-01T05:00:00Z/2026-01-01T05:00:10Z", 0, 10),
        ("2026-01-01T05:00:00/2026-01-01T07:00:10.5+02:00", 0, 10.5),
        ("20260101T050000Z/..", 0, None),
        ("../2026-01-01T05:00:00Z", None, 0),
        ("2026-01-01/", -18000, None),
        ("/2026-01-02", None, 19 * 3600),
    ],
)
async def test_intervals_are_iso_8601(text: str, start_s: float | None, end_s: float | None) -> None:
    assert terms_of(during=text) == (Overlaps(_at(start_s), _at(end_s)),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-01-01", "write START/END"),
        ("", "write START/END"),
        ("a/b", "write START/END"),
        ("2026-01-01/2026-01-02/2026-01-03", "write START/END"),
        ("2026-01-02/2026-01-01", "ends before it starts"),
        ("9999-12-31T23:59:59-01:00/..", "outside the years"),
        ("2026-01-01\x00/..", "no header can have"),
    ],
)
async def test_what_is_no_interval_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        terms_of(during=text)
