"""Beside a frame are those of its night, site and instrument that began just before and after it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from armillary.access.models import ANYBODY, OPERATOR, Principal
from armillary.archive.catalog.service import find_version
from armillary.archive.query.nights.neighbours import neighbours_of
from tests.support.archive import Archive
from tests.support.recorded import record

TODAY, NIGHT = date(2026, 6, 1), date(2026, 1, 1)
START = datetime(2026, 1, 1, 5, tzinfo=UTC)


def frame(minute: int | None, **fields: Any) -> dict[str, Any]:
    started = {"started_at": None if minute is None else START + timedelta(minutes=minute)}
    return {"night": NIGHT, "site": "cpt", "instrument": "fa14", **started, **fields}


FRAMES = {
    "first.fits": frame(0),
    "other site.fits": frame(1, site="lsc"),
    "second.fits": frame(2),
    "other instrument.fits": frame(3, instrument="fa16"),
    "same time.fits": frame(4),
    "same time too.fits": frame(4),
    "last.fits": frame(5),
    "next night.fits": frame(6, night=NIGHT + timedelta(days=1)),
    "undated.fits": frame(None),
    "no night.fits": frame(7, night=None),
    "nowhere.fits": frame(8, site=None, instrument=None),
    "nowhere too.fits": frame(9, site=None, instrument=None),
}


async def beside(archive: Archive, name: str, viewer: Principal = OPERATOR) -> tuple[str | None, str | None]:
    async with archive.context.database.begin() as connection:
        version = await find_version(connection, name)
        found = await neighbours_of(connection, version.file_id, viewer, today=TODAY)
    previous, following = (one.name if one else None for one in (found.previous, found.next))
    return previous, following


@pytest.fixture
async def night(archive: Archive) -> Archive:
    # One after the other: those of one batch come in together.
    for name, fields in FRAMES.items():
        await record(archive, {name: fields})
    return archive


async def test_neighbours_are_next_in_time(night: Archive) -> None:
    order = ["first.fits", "second.fits", "same time.fits", "same time too.fits", "last.fits"]
    for previous, name, following in zip([None, *order], order, [*order[1:], None], strict=False):
        assert await beside(night, name) == (previous, following)
    assert await beside(night, "nowhere.fits") == (None, "nowhere too.fits")
    for name in ("undated.fits", "no night.fits", "next night.fits", "other site.fits"):
        assert await beside(night, name) == (None, None)


async def test_hidden_frames_are_passed_over(night: Archive) -> None:
    async with night.context.database.begin() as connection:
        hide = "UPDATE frame SET visibility = 'hidden' FROM file WHERE id = file_id AND name = 'second.fits'"
        await connection.exec_driver_sql(hide)
    assert await beside(night, "first.fits", ANYBODY) == (None, "same time.fits")
    assert await beside(night, "first.fits") == (None, "second.fits")
