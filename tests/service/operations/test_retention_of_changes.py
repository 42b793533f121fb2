"""Old changes may be forgotten; whoever follows the feed is never led over a gap."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from armillary.archive.changes import service as changes
from armillary.base.database import Database, Role
from armillary.base.feed.errors import FeedCursorGone
from armillary.base.feed.models import BEGINNING, Cursor
from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from armillary.operations import retention
from armillary.settings import RetentionSettings
from tests.support.archive import Archive, put
from tests.support.feed import settled, told

OLD = timedelta(days=40)


@pytest.fixture
async def fed(archive: Archive) -> Archive:
    """Return an archive with a few changes."""
    await archive.ingest(put(archive.directory / "night" / "a.fits"))
    await archive.drain()
    for target in ("M 31", "M 33"):
        await archive.set("a.fits", OBJECT=target)
    await archive.drain()
    await settled(archive)
    return archive


def keeping(archive: Archive, days: float | None = 30) -> Context:
    settings = archive.context.settings.model_copy(update={"retention": RetentionSettings(changes_days=days)})
    return replace(archive.context, settings=settings)


async def age(postgres: EmbeddedServer, archive: Archive, numbers: list[int]) -> None:
    """Let changes be old, as only the owner of the table can."""
    name = archive.context.database.name
    owner = await Database.connect(postgres, Role.OWNER, name=name, pool_size=1)
    async with owner.begin() as connection:
        noted = datetime.now(UTC) - OLD
        query = "UPDATE feed_entry SET noted = $1 WHERE id = ANY($2::bigint[])"
        await connection.exec_driver_sql(query, (noted, numbers))
    await owner.close()


async def test_changes_are_kept_for_ever_by_default(postgres: EmbeddedServer, fed: Archive) -> None:
    before = await told(fed)
    await age(postgres, fed, [one.cursor.id for one in before])
    await retention.thin(keeping(fed, None))
    assert await told(fed) == before


@pytest.mark.parametrize("portion", [1, 2, 1000])
async def test_the_feed_begins_behind_what_is_forgotten(
    postgres: EmbeddedServer, fed: Archive, portion: int
) -> None:
    before = await told(fed)
    assert len(before) > 4
    await age(postgres, fed, [one.cursor.id for one in before[:3]])
    assert await retention.forget_changes(keeping(fed), 30, portion=portion) == 3
    assert await told(fed) == before[3:]
    for lost in (BEGINNING, before[0].cursor, before[1].cursor):
        with pytest.raises(FeedCursorGone, match="after=now"):
            await told(fed, lost.token)
    # Who has seen the last one that went has missed nothing.
    for at in (2, 3, 4):
        assert await told(fed, before[at].cursor.token) == before[at + 1 :]


async def test_an_old_change_behind_a_young_one_stays(postgres: EmbeddedServer, fed: Archive) -> None:
    before = await told(fed)
    await age(postgres, fed, [one.cursor.id for one in (before[0], *before[2:])])
    await retention.thin(keeping(fed))
    assert await told(fed) == before[1:]


async def test_a_quiet_archive_forgets_all_and_its_followers_go_on(
    postgres: EmbeddedServer, fed: Archive
) -> None:
    before = await told(fed)
    last = before[-1].cursor
    await age(postgres, fed, [one.cursor.id for one in before])
    await retention.thin(keeping(fed))
    assert await told(fed) == await told(fed, last.token) == await told(fed, "now") == []
    async with fed.context.database.begin() as connection:
        assert await changes.position(connection, "now") == await changes.position(connection, None) == last
        unknown = Cursor(last.generation, last.number, last.id + 1)
        with pytest.raises(FeedCursorGone):
            await changes.position(connection, unknown.token)
    await fed.set("a.fits", OBJECT="M 51")
    news = await told(fed, last.token)
    assert [one.kind for one in news][:2] == ["superseded", "changed"]
    assert news == await told(fed)


async def test_a_follower_that_is_overtaken_is_told_so(postgres: EmbeddedServer, fed: Archive) -> None:
    pages = changes.follow(fed.context, BEGINNING, limit=1)
    first = await anext(pages)
    assert first.more
    everything = await told(fed)
    await age(postgres, fed, [one.cursor.id for one in everything])
    await retention.thin(keeping(fed))
    with pytest.raises(FeedCursorGone):
        await anext(pages)
    await pages.aclose()


async def test_what_waits_for_an_older_transaction_is_not_forgotten(
    postgres: EmbeddedServer, fed: Archive
) -> None:
    start = (await told(fed))[-1].cursor
    async with fed.context.database.begin() as slow:
        await slow.exec_driver_sql("SELECT feed_draw(1::smallint)")
        await fed.set("a.fits", OBJECT="M 81")
        async with fed.context.database.begin() as connection:
            numbers = [row.id for row in await connection.exec_driver_sql("SELECT id FROM feed_entry")]
        await age(postgres, fed, numbers)
        await retention.thin(keeping(fed))
    news = await changes.next_changes(fed.context, start, limit=10, wait_s=20)
    assert [one.kind for one in news.entries][:2] == ["superseded", "changed"]
