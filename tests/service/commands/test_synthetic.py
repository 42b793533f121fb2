"""Synthetic frames in a catalog: recorded like files, and never in the way of real ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from armillary.archive.catalog.service import present_by_name
from armillary.demo.filling import ArchiveInUse, fill
from armillary.demo.frames import make_frames
from tests.support.archive import Archive, put
from tests.support.command import Commands, awake

COUNT = 3000


async def test_synthetic_frames_are_found_with_their_headers(archive: Archive) -> None:
    told: list[int] = []
    await fill(archive.context, COUNT, progress=told.append)
    assert sum(told) == COUNT
    assert len(told) > 1
    (_, night), *_ = make_frames(COUNT, root_id=1)
    for one in night:
        assert await archive.find(name=one.name) == [one.name]
        assert (await archive.version(one.name)).headers() == one.headers
        assert (await archive.version(one.name)).data_md5 == one.digests["data_md5"]


async def test_the_planner_knows_the_tables_at_once(archive: Archive) -> None:
    await fill(archive.context, COUNT)
    async with archive.context.database.begin() as connection:
        query = "SELECT reltuples::integer FROM pg_class WHERE relname = 'frame'"
        assert (await connection.exec_driver_sql(query)).scalar() == COUNT


async def test_no_archive_is_filled_twice(archive: Archive) -> None:
    await fill(archive.context, 10)
    with pytest.raises(ArchiveInUse, match="synthetic frames already"):
        await fill(archive.context, 10, beside_files=True)


async def test_real_files_are_in_the_way_unless_that_is_meant(archive: Archive, tmp_path: Path) -> None:
    await archive.ingest(put(tmp_path / "N20230101S0001.fits"))
    with pytest.raises(ArchiveInUse, match="--beside-files"):
        await fill(archive.context, 10)
    before = await archive.version("N20230101S0001.fits")
    await fill(archive.context, 10, beside_files=True)
    assert await archive.version("N20230101S0001.fits") == before
    async with archive.context.database.begin() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM frame")).scalar() == 11
        assert await present_by_name(connection, ["nothing.fits"]) == []


def test_the_command_begins_an_archive_and_refuses_to_fill_it_again(tmp_path: Path) -> None:
    commands = Commands(tmp_path / "data")
    with awake(commands.data):
        said = commands.run("demo", "frames", "--count", "300")
        assert said.out.startswith("300 synthetic frames are in")
        assert len(commands.run("search", "--limit", "1000", "--json").json()["frames"]) == 300
        latest = commands.run("search", "--latest", "2", "--per", "site", "--json").json()["frames"]
        assert Counter(one["site"] for one in latest) == dict.fromkeys({one["site"] for one in latest}, 2)
        start = latest[0]["started_at"]
        during = commands.run("search", "--during", f"{start}/{start}", "--json").json()["frames"]
        assert latest[0]["name"] in {one["name"] for one in during}
        said = commands.run("search", "--latest", "2", "--per", "night", code=1).err
        assert "no field to group frames by" in said
        assert "use another --data" in commands.run("demo", "frames", "--count", "300", code=1).err
