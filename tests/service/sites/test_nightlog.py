"""The sticky note of a site, and the log beneath it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from armillary.context import Context
from armillary.sites import nightlog, service
from armillary.sites.documents import LogEntry, LogPage
from armillary.sites.errors import BadLogCursor, BadNote, BadSiteName, UnknownLogEntry
from armillary.sites.models import LogQuery
from tests.service.sites.conftest import Killed
from tests.support.archive import Archive
from tests.support.clock import FakeClock
from tests.support.sites import a_wema, an_observatory, sent

EVERYTHING = LogQuery()


def at(web: Context, instant: str | datetime) -> Context:
    """Return the same parts at another time."""
    now = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return dataclasses.replace(web, clock=FakeClock(now))


async def note(web: Context, site: str = "mrc") -> Any:
    found = await service.note_of(web, site)
    return json.loads(found.text) if found else None


async def log(web: Context, site: str = "mrc", **query: Any) -> list[LogEntry]:
    return [one async for one in service.export_log(web, site, LogQuery(**query))]


async def page(web: Context, query: LogQuery = EVERYTHING, **options: Any) -> LogPage:
    async with web.database.begin() as connection:
        return await service.search_log(connection, "mrc", query, **options)


async def test_a_note_is_kept_as_it_was_sent_until_the_next(web: Context) -> None:
    data = {"site": "mrc", "message": "clouds", "username": "Ann", "ttl_hours": "2.5", "selected_image": None}
    kept = await service.put_note(at(web, "2026-01-01T12:00:00.9+00:00"), "mrc", data, author="")
    assert (kept.created.isoformat(), kept.expires - kept.created) == (
        "2026-01-01T12:00:00+00:00",
        timedelta(hours=2.5),
    )
    now = at(web, "2026-01-01T13:00:00+00:00")
    assert await note(now) == data
    await service.put_note(now, "mrc", "clear \x07 ä", author="keeper")
    assert await note(now) == {"message": "clear \x07 ä"}
    assert await note(now, "other") is None
    assert [(one.text, one.author, one.verified, one.corrects) for one in await log(web)] == [
        ("clouds", "Ann", False, None),
        ("clear \x07 ä", "keeper", True, None),
    ]


async def test_a_note_expires_or_is_deleted_and_its_entry_stays(web: Context) -> None:
    await service.put_note(at(web, "2026-01-01T12:00:00+00:00"), "mrc", {"ttl_hours": 0.5}, author="a")
    assert await note(at(web, "2026-01-01T12:29:59+00:00")) == {"ttl_hours": 0.5}
    assert await note(at(web, "2026-01-01T12:30:00+00:00")) is None
    await service.put_note(web, "mrc", {"message": "new"}, author="a")
    await service.delete_note(web, "mrc")
    await service.delete_note(web, "mrc")
    assert await note(web) is None
    assert [one.text for one in await log(web)] == ['{"ttl_hours":0.5}', "new"]


async def test_a_note_lives_two_days_if_nothing_is_said(web: Context) -> None:
    kept = await service.put_note(web, "mrc", {"message": "x"}, author="")
    assert kept.expires - kept.created == timedelta(hours=48)


@pytest.mark.parametrize(
    "data",
    [
        None,
        "",
        5,
        ["text"],
        {"ttl_hours": 0},
        {"ttl_hours": -1},
        {"ttl_hours": "soon"},
        {"ttl_hours": ""},
        {"ttl_hours": None},
        {"ttl_hours": True},
        {"ttl_hours": [1]},
        {"ttl_hours": {}},
        {"ttl_hours": "nan"},
        {"ttl_hours": "inf"},
        {"ttl_hours": "1_0"},
        {"ttl_hours": 1e300},
        {"ttl_hours": 10**400},
        {"message": "a\x00b"},
        {"message": "\ud800"},
        {"a": float("nan")},
        {"message": "x" * (256 * 1024)},
        {"message": "ä" * (130 * 1024)},
    ],
)
async def test_what_is_no_note_is_refused_and_leaves_nothing(web: Context, data: Any) -> None:
    await service.put_note(web, "mrc", "before", author="")
    with pytest.raises(BadNote):
        await service.put_note(web, "mrc", data, author="")
    assert await note(web) == {"message": "before"}
    assert len(await log(web)) == 1


@pytest.mark.parametrize("site", ["", "a b", "..", "a" * 33, "\x00"])
async def test_names_that_no_site_has_are_refused(web: Context, site: str) -> None:
    for action in (
        service.put_note(web, site, "x", author=""),
        service.note_of(web, site),
        service.delete_note(web, site),
        service.add_entry(web, site, "x", author="a"),
        log(web, site),
    ):
        with pytest.raises(BadSiteName):
            await action


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",))),
        st.integers() | st.text(st.characters(exclude_categories=("Cs",))) | st.floats(allow_nan=False),
    )
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_note_is_kept_whole_or_refused(web: Context, data: dict[str, Any]) -> None:
    try:
        await service.put_note(web, "mrc", data, author="")
    except BadNote:
        return
    assert json.dumps(await note(web)) == json.dumps(data)


async def test_a_night_lasts_from_noon_to_noon_in_the_zone_of_the_site(web: Context) -> None:
    await service.put_config(web, "mrc", sent(a_wema()), actor="")
    await service.put_config(web, "mrc1", sent(an_observatory()), actor="")
    nights = {
        # Noon in Los Angeles is 20:00 UTC in winter, and 19:00 in summer.
        "2026-01-02T19:59:59+00:00": date(2026, 1, 1),
        "2026-01-02T20:00:00+00:00": date(2026, 1, 2),
        "2026-07-02T18:59:59+00:00": date(2026, 7, 1),
        "2026-07-02T19:00:00+00:00": date(2026, 7, 2),
        # The night of a clock change lasts 23 hours.
        "2026-03-07T20:00:00+00:00": date(2026, 3, 7),
        "2026-03-08T18:59:59+00:00": date(2026, 3, 7),
        "2026-03-08T19:00:00+00:00": date(2026, 3, 8),
    }
    for instant, night in nights.items():
        entry = await service.add_entry(at(web, instant), "mrc1", "x", author="a")
        assert entry.night == night
        utc = await service.add_entry(at(web, instant), "unknown", "x", author="a")
        assert utc.night == (datetime.fromisoformat(instant) - timedelta(hours=12)).date()


@pytest.mark.parametrize(
    "zone", ["America", "Mars/Olympus", "../passwd", "\x00", "/etc/passwd", 5, None, "ä" * 999]
)
async def test_an_unknown_zone_means_noon_in_utc(web: Context, zone: Any) -> None:
    await service.put_config(web, "mrc", sent(a_wema(TZ_database_name=zone)), actor="")
    entry = await service.add_entry(at(web, "2026-01-02T11:59:59+00:00"), "mrc", "x", author="a")
    assert entry.night == date(2026, 1, 1)


async def test_a_correction_leaves_what_it_corrects(web: Context) -> None:
    first = await service.add_entry(web, "mrc", "wind 5", author="ann")
    second = await service.add_entry(web, "mrc", "wind 15", author="bob", corrects=first.id)
    assert await log(web) == [first, second]
    assert (second.corrects, first.text, second.verified) == (first.id, "wind 5", True)
    other = await service.add_entry(web, "tst", "x", author="ann")
    for number in (other.id, other.id + 1, 0, -1, 1 << 63, 1 << 80):
        with pytest.raises(UnknownLogEntry):
            await service.add_entry(web, "mrc", "x", author="ann", corrects=number)
    for text in ("", " \n", "a\x00", "\ud800", "x" * (256 * 1024 + 1)):
        with pytest.raises(BadNote):
            await service.add_entry(web, "mrc", text, author="ann")
    assert len(await log(web)) == 2


async def test_entries_are_found_by_night_time_and_text(web: Context) -> None:
    for hour in range(30):
        instant = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
        text = f"100% Wind {hour}" if hour % 2 else f"seeing_{hour}"
        await service.add_entry(at(web, instant), "mrc", text, author=f"Observer {hour % 3}")
    await service.add_entry(web, "tst", "wind", author="a")
    assert len(await log(web, night=date(2026, 1, 1))) == 18
    since, until = datetime(2026, 1, 1, 3, tzinfo=UTC), datetime(2026, 1, 1, 6, tzinfo=UTC)
    assert [one.created_at.hour for one in await log(web, since=since, until=until)] == [3, 4, 5]
    assert len(await log(web, text="wind")) == 15
    assert len(await log(web, text="0% w")) == 15
    assert len(await log(web, text="seeing%")) == 0
    assert len(await log(web, text="OBSERVER 1")) == 10
    found = await page(web, LogQuery(text="wind"), limit=4)
    assert [one.created_at.hour for one in found.entries] == [5, 3, 1, 23]


async def test_pages_hold_every_entry_once_the_latest_first(web: Context) -> None:
    for number in range(7):
        await service.add_entry(web, "mrc", str(number), author="a")
    found, cursor = [], None
    while True:
        one = await page(web, limit=3, cursor=cursor)
        found += [entry.text for entry in one.entries]
        cursor = one.cursor
        if cursor is None:
            break
    assert found == list("6543210")
    for bad in ("", "x", "-1", "1" * 30, "٣"):
        with pytest.raises(BadLogCursor):
            await page(web, limit=3, cursor=bad)


async def test_the_export_goes_beyond_a_page(web: Context, archive: Archive) -> None:
    query = """INSERT INTO night_log (site, night, created, author, verified, entry)
        SELECT 'mrc', '2026-01-01', '2026-01-02 01:00:00+00', 'a', true, n::text
        FROM generate_series(1, 2500) AS n"""
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql(query)
    assert [one.text for one in await log(web)] == [str(n) for n in range(1, 2501)]


async def test_the_log_never_shrinks(web: Context, archive: Archive) -> None:
    await service.put_note(web, "mrc", "x", author="")
    for context in (web, archive.context):
        for statement in ("UPDATE night_log SET entry = ''", "DELETE FROM night_log", "TRUNCATE night_log"):
            with pytest.raises(DBAPIError, match="permission denied"):
                async with context.database.begin() as connection:
                    await connection.exec_driver_sql(statement)
    assert len(await log(web)) == 1


async def test_simultaneous_notes_leave_one_note_and_every_entry(web: Context) -> None:
    await asyncio.gather(*(service.put_note(web, "mrc", f"note {n}", author="") for n in range(32)))
    assert sorted(one.text for one in await log(web)) == sorted(f"note {n}" for n in range(32))
    assert (await note(web))["message"] in [f"note {n}" for n in range(32)]


async def test_a_database_that_dies_between_note_and_log_leaves_neither(web: Context, killed: Killed) -> None:
    await service.put_note(web, "mrc", "before", author="")
    await killed("night_log", lambda: service.put_note(web, "mrc", "lost", author=""))
    assert await note(web) == {"message": "before"}
    assert [one.text for one in await log(web)] == ["before"]
    await service.put_note(web, "mrc", "after", author="")
    assert await note(web) == {"message": "after"}


async def test_plain_text_says_who_and_cannot_speak_to_terminals(web: Context) -> None:
    now = at(web, "2026-01-01T21:00:00+00:00")
    entry = await service.add_entry(now, "mrc", "first\n\x1b[2Jsecond", author="ann")
    assert nightlog.as_text(entry) == (
        f"2026-01-01  [{entry.id}]  2026-01-01T21:00:00Z  ann\n    first\n    \ufffd[2Jsecond"
    )
    await service.put_note(now, "mrc", {"message": "x", "username": "Bob\n\x1b"}, author="")
    last = (await log(web))[-1]
    assert nightlog.as_text(last).splitlines()[0].endswith("Bob\ufffd\ufffd (unverified)")
