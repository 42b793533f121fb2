"""Followers of cubes learn what files are called, also where their bytes stay as they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.changes import CUBES
from armillary.base.clock import SystemClock
from armillary.base.feed import reader
from armillary.base.feed.models import BEGINNING
from armillary.demo.solar import SolarCube
from armillary.operations import retention
from tests.support.ingestion import TINY, Observatory


async def told(observatory: Observatory) -> list[tuple[str, int]]:
    """Return the oids and files of the feed."""
    async with observatory.context.database.begin() as connection:
        page = await reader.page_after(connection, CUBES, BEGINNING, 100)
    return [(one.key, one.payload["file"]) for one in page.entries]


async def test_the_feed_tells_what_a_file_is_called_and_whether_it_is_published(
    observatory: Observatory,
) -> None:
    path = observatory.put(SolarCube(**TINY))
    await observatory.take_in(path)
    ((oid, file_id),) = first = await told(observatory)
    await observatory.take_in(path, force=True)
    assert await told(observatory) == first, "a cube that is as it was is no news"
    await observatory.take_in(path, oid="another", additional=True)
    assert await told(observatory) == [*first, ("another", file_id)]
    await observatory.take_in(path, submit_svo=False)
    assert sorted((await told(observatory))[2:]) == sorted([(oid, file_id), ("another", file_id)])
    context = observatory.context
    async with context.database.begin() as connection:
        place = (await observatory.present(oid)).location
        await cubes.retire(connection, place, now=context.clock.now(), actor="test")
    assert sorted((await told(observatory))[4:]) == sorted([(oid, file_id), ("another", file_id)])


class Later(SystemClock):
    """A clock that is forty days ahead."""

    def now(self) -> datetime:
        """Return the time."""
        return super().now() + timedelta(days=40)


async def test_old_entries_are_forgotten_with_those_of_versions(observatory: Observatory) -> None:
    await observatory.take_in(observatory.put(SolarCube(**TINY)))
    assert await retention.forget_changes(observatory.context, 30) == 0
    ahead = replace(observatory.context, clock=Later())
    assert await retention.forget_changes(ahead, 30) >= 2
    async with observatory.context.database.begin() as connection:
        count = await connection.exec_driver_sql("SELECT count(*) FROM feed_entry")
        assert count.scalar_one() == 0
