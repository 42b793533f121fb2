"""A moved or deleted file is present no more, however the archive comes to know of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from armillary.archive.catalog.models import Version
from armillary.archive.catalog.service import present_by_name
from tests.support.archive import Archive, put
from tests.support.headers import a_file


async def present(archive: Archive, *names: str) -> list[Version]:
    async with archive.context.database.begin() as connection:
        return await present_by_name(connection, names or ("a.fits",))


async def places(archive: Archive, *names: str) -> set[str]:
    return {one.location.key for one in await present(archive, *names)}


async def a_night(archive: Archive) -> Path:
    """Adopt a directory with two files."""
    path = put(archive.directory / "nights" / "a.fits")
    put(path.with_name("stays.fits"), a_file(extensions=1))
    await archive.ingest(path.parent)
    return path


async def test_a_file_moved_inside_its_root_is_in_its_new_place_alone(archive: Archive) -> None:
    path = await a_night(archive)
    moved = path.parent / "2026" / "a.fits"
    moved.parent.mkdir()
    path.rename(moved)
    assert (await archive.ingest(path.parent)).ingested == 1
    assert await places(archive) == {"2026/a.fits"}
    assert (await archive.set("a.fits", OBSERVER="me"))["changed"]
    assert await archive.path("a.fits") == moved


async def test_a_file_moved_out_of_an_emptied_root_is_in_its_new_place_alone(archive: Archive) -> None:
    path = put(archive.directory / "one" / "a.fits")
    await archive.ingest(path)
    moved = archive.directory / "two" / "a.fits"
    moved.parent.mkdir()
    path.rename(moved)
    assert (await archive.ingest(moved)).ingested == 1
    (only,) = await present(archive)
    assert only.canonical
    assert await archive.path("a.fits") == moved


async def test_a_renamed_file_leaves_its_old_name(archive: Archive) -> None:
    path = await a_night(archive)
    path.rename(path.with_name("b.fits"))
    assert (await archive.ingest(path.parent)).ingested == 1
    assert await places(archive, "a.fits", "b.fits") == {"b.fits"}


async def test_a_file_copied_elsewhere_and_then_removed_is_where_it_was_copied_to(
    unique_archive: Archive,
) -> None:
    archive = unique_archive
    path = await a_night(archive)
    copied = path.parent / "2026" / "a.fits"
    copied.parent.mkdir()
    shutil.copy2(path, copied)
    await archive.ingest(path.parent)
    assert await places(archive) == {"a.fits", "2026/a.fits"}
    path.unlink()
    report = await archive.ingest(copied)
    assert (report.ingested, report.skipped) == (0, 1)
    assert await places(archive) == {"2026/a.fits"}


async def test_a_copy_does_not_make_its_original_absent(archive: Archive) -> None:
    path = await a_night(archive)
    copied = path.parent / "2026" / "a.fits"
    copied.parent.mkdir()
    shutil.copy2(path, copied)
    await archive.ingest(copied)
    assert await places(archive) == {"a.fits", "2026/a.fits"}


async def test_a_known_file_that_vanished_before_it_is_read_again_is_absent(archive: Archive) -> None:
    path = await a_night(archive)
    run = await archive.submit(path, force=True)
    path.unlink()
    assert not (await archive.run(list(run.orders)))[next(iter(run.orders))].response.ok
    assert await places(archive) == set()
    with pytest.raises(Exception, match="No present file"):
        await archive.set("a.fits", OBSERVER="me")
    put(path)
    assert (await archive.ingest(path)).ingested == 1
    assert await places(archive) == {"a.fits"}


async def test_a_deleted_file_is_absent_once_its_directory_is_ingested_again(archive: Archive) -> None:
    path = await a_night(archive)
    path.unlink()
    report = await archive.ingest(path.parent)
    assert (report.ingested, report.skipped, report.failed) == (0, 1, [])
    assert await places(archive, "a.fits", "stays.fits") == {"stays.fits"}


async def test_verify_tells_of_a_vanished_file_and_marks_it(archive: Archive) -> None:
    path = await a_night(archive)
    path.unlink()
    problems = await archive.verify()
    assert "the file is gone" in problems["a.fits"]
    assert problems["stays.fits"] == ""
    assert await places(archive, "a.fits", "stays.fits") == {"stays.fits"}


@pytest.mark.parametrize(
    ("emptied", "reason"),
    [(True, "the file is gone"), (False, "The directory of the files is not there")],
)
async def test_a_root_that_is_away_takes_nothing_with_it(
    archive: Archive, emptied: bool, reason: str
) -> None:
    path = await a_night(archive)
    away = path.parent.rename(archive.directory / "away")
    # An opened store keeps its hold of the directory: the program was started anew meanwhile.
    archive.let_go()
    if emptied:
        path.parent.mkdir()
    problems = await archive.verify()
    assert all(reason in problem for problem in problems.values()), problems
    assert await places(archive) == {"a.fits"}
    if emptied:
        path.parent.rmdir()
    away.rename(path.parent)
    archive.let_go()
    assert set((await archive.verify()).values()) == {""}
