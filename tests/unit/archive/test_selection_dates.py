"""Dates in selections: nights and days, at summits and elsewhere, and which ends of ranges belong to them."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from armillary.archive.query.models import Between
from tests.support.selections import terms, utc


@pytest.mark.parametrize(
    ("path", "first", "last"),
    [
        ("20260101", 1, 1),
        ("date=20260101", 1, 1),
        ("yesterday", 1, 1),
        ("20260101-20260103", 1, 3),
        ("daterange=20260103-20260101", 1, 3),
        ("daterange=2026-01-01--2026-01-03", 1, 3),
    ],
)
def test_dates_are_whole_days_of_utc_the_last_one_included(path: str, first: int, last: int) -> None:
    assert terms(path) == (Between("started_at", date(2026, 1, first), date(2026, 1, last), "[]"),)


@pytest.mark.parametrize(
    ("path", "first", "beyond"),
    [
        ("daterange=2026-01-01T05:30--2026-01-03T06:00:00Z", utc(1, 5, 30), utc(3, 6)),
        ("20260101T053000-20260103T060000", utc(1, 5, 30), utc(3, 6)),
        ("daterange=20260101T0530-20260103", utc(1, 5, 30), utc(4)),
    ],
)
def test_instants_are_utc_and_a_day_beside_one_is_included(
    path: str, first: datetime, beyond: datetime
) -> None:
    assert terms(path) == (Between("started_at", first, beyond),)


def test_bare_dates_are_nights_at_a_summit() -> None:
    assert terms("20260101", summit=True) == (Between("night", date(2026, 1, 1), date(2026, 1, 1), "[]"),)
    nights = Between("night", date(2026, 1, 1), date(2026, 1, 3), "[]")
    assert terms("20260101-20260103", summit=True) == (nights,)
    assert terms("nightrange=20260101-20260103") == (nights,)
    assert terms("date=20260101", summit=True) == terms("date=20260101")


def test_ranges_of_entry_exclude_their_end() -> None:
    assert terms("entrytimedaterange=20260101-20260103") == (Between("entrytime", utc(1), utc(3)),)
    blank = "entrytimedaterange=2026-01-01T00:00:00.000000 2026-01-03T00:00:00.000000"
    assert terms(blank) == (Between("entrytime", utc(1), utc(3)),)
    span = "lastmoddaterange=2026-01-01T05:30:00.250--2026-01-03T06:00"
    low = utc(1, 5, 30).replace(microsecond=250_000)
    assert terms(span) == (Between("lastmod", low, utc(3, 6)),)
