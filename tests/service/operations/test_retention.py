"""What retention takes, and what it must never take: the record, and what undoes the latest edit."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.archive.errors import HeadersForgotten
from armillary.archive.intake import uploads
from armillary.archive.intake.staging import stage
from armillary.base.work import State, Worker
from armillary.base.work.admin import OrderView, list_orders
from armillary.base.work.periods import submit_on_time
from armillary.context import Context
from armillary.edits.leftovers import sweep_recipes
from armillary.operations import retention
from armillary.operations.kinds import CHORES, RETENTION
from armillary.settings import RetentionSettings
from tests.support.archive import ORIGIN, Archive, put, sha256
from tests.support.clock import FakeClock
from tests.support.edits import accept_one
from tests.support.headers import a_file
from tests.support.patience import in_time

CONTENT = a_file(cards=[("OBJECT", "M 1", "target"), ("FILTER", "r", "colour"), ("AIRMASS", 1.5, "")])
DAY_S, PATIENCE_S = 86_400.0, 300.0
PACKED = {
    "plain.fits": CONTENT,
    # Of two streams, which no splice makes: only its recipe leads back.
    "spliced.fits.bz2": bz2.compress(CONTENT[:2880]) + bz2.compress(CONTENT[2880:]),
    "zipped.fits.gz": gzip.compress(CONTENT, mtime=0),
}
NAMES = ("plain.fits", "spliced.fits", "zipped.fits")


class Years:
    """An archive whose time the test moves."""

    def __init__(self, archive: Archive, **settings: float) -> None:
        self.clock = FakeClock()
        chosen = archive.context.settings.model_copy(update={"retention": RetentionSettings(**settings)})
        self.context: Context = replace(archive.context, clock=self.clock, settings=chosen)
        self.archive = Archive(self.context, archive.directory)

    def pass_days(self, days: float) -> None:
        self.clock.advance(days * DAY_S)

    async def ingest(self) -> None:
        folder = self.archive.directory / "night"
        for name, content in PACKED.items():
            put(folder / name, content)
        assert (await self.archive.ingest(folder)).ingested == 3

    async def set(self, **cards: Any) -> None:
        for name in NAMES:
            await self.archive.set(name, **cards)

    async def versions(self, name: str = "plain.fits") -> list[Version]:
        return list((await self.archive.history(name)).versions)

    async def whole(self, name: str = "plain.fits") -> list[bool]:
        return [one.is_whole for one in await self.versions(name)]


@pytest.fixture
async def years(archive: Archive) -> Years:
    years = Years(archive, versions_days=30, superseded_days=10)
    await years.ingest()
    return years


async def test_nothing_is_taken_by_default(archive: Archive) -> None:
    years = Years(archive)
    await years.ingest()
    for number in range(3):
        await years.set(AIRMASS=number)
        years.pass_days(10_000)
    await retention.thin(years.context)
    assert await years.whole() == [True] * 4


async def test_versions_are_thinned_so_long_after_they_were_replaced(years: Years) -> None:
    years.pass_days(1000)
    for number in range(3):
        await years.set(AIRMASS=number)
    years.pass_days(29.9)
    assert await retention.thin_versions(years.context, 30, portion=2) == 0
    years.pass_days(0.2)
    assert await retention.thin_versions(years.context, 30, portion=2) == 2 * len(NAMES)
    for name in NAMES:
        assert await years.whole(name) == [False, False, True, True]
    assert await retention.thin_versions(years.context, 30, portion=2) == 0


async def test_the_age_counts_from_the_replacement_not_from_the_making(years: Years) -> None:
    await years.set(AIRMASS=2.0)
    years.pass_days(1000)
    await years.set(AIRMASS=3.0)
    await years.set(AIRMASS=4.0)
    assert await retention.thin_versions(years.context, 30, portion=2) == len(NAMES)
    assert await years.whole() == [False, True, True, True]


async def test_records_digests_and_rows_stay(years: Years) -> None:
    for number in range(3):
        await years.set(AIRMASS=number)
    before = await years.archive.history("plain.fits")
    years.pass_days(31)
    await retention.thin(years.context)
    after = await years.archive.history("plain.fits")
    assert [(one.id, one.outcome, one.cards) for one in after.edits] == [
        (one.id, one.outcome, one.cards) for one in before.edits
    ]
    assert [(one.id, one.file_sha256, one.file_crc) for one in after.versions] == [
        (one.id, one.file_sha256, one.file_crc) for one in before.versions
    ]


async def test_the_latest_edit_can_always_be_taken_back_byte_for_byte(years: Years) -> None:
    await years.set(AIRMASS=2.0)
    digests = {name: sha256(await years.archive.path(name)) for name in NAMES}
    await years.set(AIRMASS=3.0)
    years.pass_days(10_000)
    await retention.thin(years.context)
    await sweep_recipes(years.context)
    for name in NAMES:
        await years.archive.revert(name)
        assert sha256(await years.archive.path(name)) == digests[name], name


async def test_the_latest_edit_that_is_open_is_kept_behind_reverted_ones(years: Years) -> None:
    """The edit that a revert without a number takes back next is not the newest one here."""
    await years.set(FILTER="g")
    await years.set(AIRMASS=2.0)
    for name in NAMES:
        await years.archive.revert(name)
    years.pass_days(31)
    await retention.thin(years.context)
    await sweep_recipes(years.context)
    # Version 1 and 2 lie around the open edit, 3 and 4 around the revert.
    assert await years.whole() == [True] * 4
    for name in NAMES:
        await years.archive.revert(name)
    for name, original in zip(NAMES, PACKED.values(), strict=True):
        assert sha256(await years.archive.path(name)) == hashlib.sha256(original).hexdigest(), name


async def test_what_leads_back_before_edits_that_landed_together_is_kept(years: Years) -> None:
    """The bytes between are those of reverts, and compressed files go back through all of them."""
    before = {name: sha256(await years.archive.path(name)) for name in NAMES}
    for name in NAMES:
        orders: list[int] = []
        for number in range(5):
            wish = {"generic": {f"K{number}": number}}
            orders += (await accept_one(years.context, wish, name, ORIGIN)).order_ids
        await years.archive.finish(orders)
        for _ in range(4):
            await years.archive.revert(name)
    years.pass_days(31)
    await retention.thin(years.context)
    await sweep_recipes(years.context)
    for name in NAMES:
        await years.archive.revert(name)
        assert sha256(await years.archive.path(name)) == before[name], name


async def test_older_edits_are_taken_back_card_by_card(years: Years) -> None:
    await years.set(FILTER="g")
    await years.set(AIRMASS=2.0)
    await years.set(OBJECT="M 2")
    years.pass_days(31)
    await retention.thin(years.context)
    await sweep_recipes(years.context)
    for name in NAMES:
        first, *_ = await years.archive.edits(name)
        await years.archive.revert(name, first)
        header = (await years.archive.version(name)).headers()[0]
        assert b"FILTER  = 'r       '" in header
        assert b"M 2" in header
        # One after the other they all go back, without the versions between.
        for _ in range(2):
            await years.archive.revert(name)
        header = (await years.archive.version(name)).headers()[0]
        assert b"M 1" in header
    assert set((await years.archive.verify()).values()) == {""}


async def test_thinned_headers_are_refused_in_plain_words(years: Years) -> None:
    for number in range(3):
        await years.set(AIRMASS=number)
    years.pass_days(31)
    await retention.thin(years.context)
    first, *_ = await years.versions()
    with pytest.raises(HeadersForgotten, match=r"retention\.versions_days"):
        first.headers()


async def test_recipes_of_thinned_versions_go_and_the_others_stay(years: Years) -> None:
    for number in range(4):
        await years.set(AIRMASS=number)
    version = await years.archive.version("spliced.fits")
    async with years.context.database.begin() as connection:
        root = await catalog.root_by_id(connection, version.location.root_id)
    blobs = catalog.store_of(years.context, root)
    assert len(await blobs.blob_names()) == 8
    years.pass_days(31)
    await retention.thin(years.context)
    await sweep_recipes(years.context)
    # Those of the two versions around the latest edit, of two files.
    assert len(await blobs.blob_names()) == 4


async def test_a_file_that_is_gone_keeps_its_last_headers(years: Years) -> None:
    path = await years.archive.path("plain.fits")
    path.unlink()
    assert "gone" in (await years.archive.verify("plain.fits"))["plain.fits"]
    years.pass_days(1000)
    await retention.thin(years.context)
    assert await years.whole() == [True]


async def test_many_versions_are_thinned_in_small_portions(years: Years) -> None:
    for number in range(4):
        await years.set(AIRMASS=number)
    years.pass_days(31)
    assert await retention.thin_versions(years.context, 30, portion=2) == 3 * len(NAMES)
    for name in NAMES:
        assert await years.whole(name) == [False] * 3 + [True] * 2


async def _upload(years: Years, content: bytes) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    async with years.context.database.begin() as connection:
        await catalog.store_root(connection, years.context)
    staged = await stage(years.context, chunks(), declared=len(content))
    async with years.context.database.begin() as connection:
        order = await uploads.accept_upload(
            connection, staged, path="", name="up.fits", actor="observer", batch=None
        )
    await years.archive.finish([order])


async def test_bytes_that_uploads_replaced_go_after_their_time(years: Years) -> None:
    aside = years.context.settings.data / "store" / ".superseded"
    for number in range(3):
        await _upload(years, a_file(cards=[("OBJECT", f"M {number}", "")]))
        years.pass_days(6)
    assert len(list(aside.glob("*/*"))) == 2
    await retention.thin(years.context)
    (left,) = aside.glob("*/*")
    assert b"M 1" in left.read_bytes()
    assert len(list(aside.iterdir())) == 1
    years.pass_days(6)
    await retention.thin(years.context)
    assert list(aside.iterdir()) == []
    assert (await years.archive.verify("up.fits"))["up.fits"] == ""


async def test_requests_past_their_time_go_in_portions_and_others_stay(archive: Archive) -> None:
    request = (
        "INSERT INTO update_request"
        " (id, actor, address, idempotency_key, body_sha256, items, accepted, expires)"
        " SELECT gen_random_uuid(), 'ann', '', 'key ' || n, '', '[]', now() - interval '2 days',"
        " now() + CASE WHEN n <= 5 THEN interval '-1 hour' ELSE interval '1 hour' END"
        " FROM generate_series(1, 7) AS n"
    )
    async with archive.context.database.begin() as connection:
        await connection.execute(text(request))
    await archive.clean(portion=2)
    async with archive.context.database.begin() as connection:
        keys = await connection.scalars(text("SELECT idempotency_key FROM update_request ORDER BY 1"))
        assert list(keys) == ["key 6", "key 7"]


async def test_retention_is_an_order_on_time_with_a_step_for_each_of_its_parts(years: Years) -> None:
    await years.set(AIRMASS=2.0)
    await years.set(AIRMASS=3.0)
    years.pass_days(31)
    context, stop = years.context, asyncio.Event()
    periods = retention.periods_of(context.settings.retention)
    assert retention.periods_of(RetentionSettings()) == ()
    looking = [asyncio.create_task(submit_on_time(context.database, periods, stop)) for _ in range(3)]
    worker = asyncio.create_task(Worker(context, CHORES, name="chores").run(stop))
    end, found = time.monotonic() + PATIENCE_S, list[OrderView]()
    while not found or found[0].state is not State.COMPLETED:
        in_time(end, found)
        await asyncio.sleep(0.02)
        async with context.database.begin() as connection:
            found = await list_orders(connection, kind=RETENTION)
    stop.set()
    await asyncio.gather(worker, *looking)
    (order,) = found
    assert [(one["name"], one["outcome"], one["why"]) for one in order.steps or ()] == [
        ("versions", "done", ""),
        ("superseded", "done", ""),
        ("changes", "skipped", "retention.changes_days is not set."),
        ("grants", "skipped", "retention.grants_days is not set."),
    ]
    assert order.response
    assert order.response.value == {"versions": len(NAMES), "superseded": 0}
    assert await years.whole() == [False, True, True]
