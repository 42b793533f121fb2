"""What comes to rest in a watched folder is taken in by itself, once, and whatever happened meanwhile."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path, PosixPath
from typing import Any

import pytest
from structlog.testing import capture_logs

from armillary.archive.catalog.models import Root
from armillary.archive.catalog.service import present_by_name
from armillary.archive.errors import NotWatchable
from armillary.archive.intake import watching
from armillary.archive.intake.watching import Pauses, Watch
from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from tests.support.archive import Archive, an_archive, put
from tests.support.headers import a_file
from tests.support.patience import in_time

USUAL = Pauses()


@pytest.fixture
async def quick(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Archive]:
    async with an_archive(postgres, tmp_path, quiet_s=0.6) as archive:
        yield archive


@asynccontextmanager
async def watched(
    archive: Archive, *, pauses: Pauses = USUAL, watch: Watch = watching.watch_root
) -> AsyncIterator[Path]:
    """Watch a folder, with a worker, while the block runs."""
    folder = archive.directory / "in"
    folder.mkdir(exist_ok=True)
    await archive.ingest(folder, watched=True)
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(watching.watch_roots(archive.context, stop, pauses=pauses, watch=watch)),
        asyncio.create_task(archive.worker().run(stop)),
    ]
    try:
        yield folder
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def until(
    archive: Archive, condition: Callable[[list[str]], bool], *, patience_s: float = 60.0
) -> list[str]:
    deadline = time.monotonic() + patience_s
    while not condition(names := await archive.find()):
        in_time(deadline, names)
        await asyncio.sleep(0.05)
    return names


async def test_files_written_renamed_and_grown_are_taken_in_once_they_rest(
    quick: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, growing = a_file(extensions=3), quick.directory / "in" / "night" / "growing.fits"
    pieces = [whole[:stop] for stop in range(5760, len(whole), 5760)] + [whole]
    rested = watching.Waiting.rested

    def grow_and_look(waiting: watching.Waiting) -> list[Path]:
        if pieces and growing in waiting.seen:
            growing.write_bytes(pieces.pop(0))
        return rested(waiting)

    monkeypatch.setattr(watching.Waiting, "rested", grow_and_look)
    put(quick.directory / "in" / "before.fits")
    async with watched(quick, pauses=Pauses(look_s=0.1)) as folder:
        put(folder / "written.fits", mtime_ns=time.time_ns())
        put(quick.directory / "else.fits").rename(folder / "renamed.fits")
        put(folder / "broken.fits", b"no FITS at all")
        put(folder / "notes.txt", b"no matter")
        growing.parent.mkdir()
        growing.write_bytes(whole[:2880])
        names = await until(quick, lambda found: len(found) == 4)
    assert pieces == []
    assert set(names) == {"before.fits", "written.fits", "renamed.fits", "growing.fits"}
    assert len((await quick.history("growing.fits")).versions) == 1


async def test_a_restart_picks_up_what_came_and_changed_meanwhile(quick: Archive) -> None:
    put(quick.directory / "in" / "old.fits")
    async with watched(quick) as folder:
        await until(quick, lambda found: found == ["old.fits"])
    put(folder / "new.fits")
    put(folder / "old.fits", a_file(extensions=2), mtime_ns=time.time_ns())
    async with watched(quick):
        await until(quick, lambda found: len(found) == 2)
        deadline = time.monotonic() + 60
        while len((await quick.version("old.fits")).hdus) != 3:
            in_time(deadline)
            await asyncio.sleep(0.05)


async def test_a_broken_file_is_tried_again_only_when_it_changes(tmp_path: Path) -> None:
    waiting = watching.Waiting(quiet_s=0.0)
    path = put(tmp_path / "a.fits", b"broken")

    def comes_to_rest() -> list[Path]:
        waiting.expect([path])
        waiting.rested()
        return waiting.rested()

    assert comes_to_rest() == [path]
    assert comes_to_rest() == []
    os.utime(path)
    assert comes_to_rest() == [path]
    path.unlink()
    assert comes_to_rest() == []
    put(path)
    assert comes_to_rest() == [path]


async def test_only_whole_roots_can_be_watched(archive: Archive) -> None:
    path = put(archive.directory / "in" / "deep" / "a.fits")
    await archive.ingest(archive.directory / "in")
    for bad in (path, path.parent, archive.directory / "absent"):
        with pytest.raises(NotWatchable, match="watch"):
            await archive.ingest(bad, watched=True)


async def until_present(archive: Archive, name: str, keys: set[str]) -> None:
    deadline = time.monotonic() + 60
    while True:
        async with archive.context.database.begin() as connection:
            found = {one.location.key for one in await present_by_name(connection, [name])}
        if found == keys:
            return
        in_time(deadline, found)
        await asyncio.sleep(0.05)


async def test_moved_and_deleted_files_are_present_no_more(quick: Archive) -> None:
    moved = put(quick.directory / "in" / "a.fits")
    deleted = put(quick.directory / "in" / "b.fits")
    put(quick.directory / "in" / "c.fits")
    async with watched(quick, pauses=Pauses(reconcile_s=0.3)) as folder:
        deleted.unlink()
        await until_present(quick, "b.fits", set())
        (folder / "2026").mkdir()
        moved.rename(folder / "2026" / "a.fits")
        await until_present(quick, "a.fits", {"2026/a.fits"})
        await until_present(quick, "c.fits", {"c.fits"})
    assert (await quick.set("a.fits", OBSERVER="me"))["changed"]


async def test_a_folder_is_watched_only_as_long_as_it_is_to_be(quick: Archive) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def observed(*given: Any) -> None:
        begun.set()
        try:
            await watching.watch_root(*given)
        finally:
            ended.set()

    pauses = Pauses(roots_s=0.1)
    async with watched(quick, pauses=pauses, watch=observed) as folder, asyncio.timeout(60):
        await begun.wait()
        await quick.ingest(folder, watched=False)
        await ended.wait()
        begun.clear()
        put(folder / "late.fits")
        await asyncio.sleep(1.0)
        assert await quick.find() == []
        await quick.ingest(folder, watched=True)
        await begun.wait()
        put(folder / "later.fits")
        await until(quick, lambda found: set(found) == {"late.fits", "later.fits"})


class StrangeDisk(PosixPath):
    """A directory that fails as nobody foresaw."""

    def is_dir(self) -> bool:
        """Fail."""
        raise ValueError("a strange disk")


class StrangeRoot(Root):
    """A root on a strange disk."""

    @property
    def path(self) -> Path | None:
        return StrangeDisk(super().path or "")


async def test_a_watcher_that_ends_says_why_and_is_started_again(quick: Archive) -> None:
    kinds: list[type[Root]] = [StrangeRoot]

    async def strange(context: Context, root: Root, *given: Any) -> None:
        kind = kinds.pop() if kinds else Root
        await watching.watch_root(context, kind(**asdict(root)), *given)

    put(quick.directory / "in" / "a.fits")
    with capture_logs() as logs:
        async with watched(quick, pauses=Pauses(roots_s=0.1), watch=strange) as folder:
            put(folder / "b.fits")
            await until(quick, lambda found: len(found) == 2)
    assert [one["error"] for one in logs if one["event"] == "watcher ended"] == ["a strange disk"]


async def test_files_that_the_catalog_knows_are_not_remembered(tmp_path: Path) -> None:
    waiting = watching.Waiting(quiet_s=0.0)
    known, bad, gone = (put(tmp_path / name) for name in ("known.fits", "bad.fits", "gone.fits"))
    waiting.expect([known, bad, gone])
    waiting.rested()
    assert sorted(waiting.rested()) == [bad, gone, known]
    gone.unlink()
    state = known.stat()
    waiting.settle({str(known): (state.st_size, state.st_mtime_ns), str(bad): (1, 1)})
    assert set(waiting.taken) == {bad}


async def test_a_file_that_is_renamed_into_place_counts_at_once(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    async with an_archive(postgres, tmp_path, quiet_s=3600.0) as archive, watched(archive) as folder:
        put(folder / "written.fits", mtime_ns=time.time_ns())
        deadline, number = time.monotonic() + 60.0, 0
        # What comes before the system tells of changes is found by the look at the whole tree, and waits.
        while not (found := await archive.find()):
            in_time(deadline, number)
            number += 1
            put(archive.directory / "aside.fits").rename(folder / f"renamed{number}.fits")
            await asyncio.sleep(0.5)
        assert all(name.startswith("renamed") for name in found)
