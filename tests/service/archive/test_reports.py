"""The report of a run speaks of every path that was named, however often and by whatever name."""

from __future__ import annotations

from pathlib import Path

from armillary.archive.intake import bulk
from tests.support.archive import OLD_NS, Archive, put
from tests.support.headers import a_file


def counts(report: bulk.IngestReport) -> tuple[int, int, int]:
    return report.ingested, report.skipped, len(report.failed)


async def test_a_file_named_twice_is_taken_in_once_and_counted_twice(archive: Archive) -> None:
    path = put(archive.directory / "in" / "a.fits")
    assert counts(await archive.ingest(path, path)) == (1, 1, 0)
    assert len((await archive.history("a.fits")).versions) == 1
    bad = put(archive.directory / "in" / "bad.fits", b"no FITS")
    report = await archive.ingest(bad, path, bad)
    assert counts(report) == (0, 1, 2)
    assert {named for named, _ in report.failed} == {str(bad)}


async def test_a_file_named_beside_its_directory_counts_in_both(archive: Archive) -> None:
    path = put(archive.directory / "in" / "a.fits")
    put(path.with_name("b.fits"))
    assert counts(await archive.ingest(path, path.parent)) == (2, 1, 0)
    assert counts(await archive.ingest(path.parent, path)) == (0, 3, 0)


async def test_equal_files_copied_to_one_place_count_each(archive: Archive) -> None:
    nights: list[Path] = [put(archive.directory / night / "a.fits").parent for night in ("one", "two")]
    assert counts(await archive.ingest(*nights, copy=True)) == (1, 1, 0)


async def test_a_directory_and_a_part_of_it_have_each_file_once(archive: Archive) -> None:
    deep = put(archive.directory / "in" / "deep" / "a.fits").parent
    assert counts(await archive.ingest(deep.parent, deep, deep.parent)) == (1, 0, 0)


async def test_files_that_stand_as_the_catalog_knows_them_need_no_order(archive: Archive) -> None:
    night = archive.directory / "night"
    for number in range(5):
        put(night / f"{number}.fits", a_file(cards=[("OBJECT", f"M {number}", "")]))
    assert counts(await archive.ingest(night)) == (5, 0, 0)
    put(night / "3.fits", a_file(cards=[("OBJECT", "another", "")]), mtime_ns=OLD_NS + 1)
    put(night / "5.fits", a_file(cards=[("OBJECT", "new", "")]))
    (night / "0.fits").unlink()
    run = await archive.submit(night)
    assert sorted(path.name for paths in run.orders.values() for path in paths) == ["3.fits", "5.fits"]
    assert run.report.skipped == 3
    await archive.finish(list(run.orders))
    assert not (await archive.version("0.fits")).present
    # By force, or by name, each is looked at.
    assert len((await archive.submit(night, force=True)).orders) == 5
    await archive.drain()
    assert counts(await archive.ingest(night / "1.fits")) == (0, 1, 0)
