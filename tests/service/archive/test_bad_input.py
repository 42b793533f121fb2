"""What is wrong with files on their way in is said with name and remedy, and harms nothing else."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import os
import time
from pathlib import Path

import pytest

from armillary.archive.errors import FileAmbiguous
from armillary.archive.intake import bulk
from tests.support.archive import OLD_NS, Archive, put
from tests.support.headers import a_card, a_file, a_primary


async def refused(archive: Archive, *paths: Path, good: bool = True) -> dict[str, str]:
    """Ingest paths beside a good file; return the errors by path, after the good one got in."""
    more = [put(archive.directory / "good" / "good.fits")] if good else []
    report = await archive.ingest(*paths, *more)
    assert report.ingested >= len(more)
    assert await archive.find(name="good.fits") == ["good.fits"][: len(more)]
    await archive.drain()
    assert await archive.unfinished() == 0
    return dict(report.failed)


BAD = {
    "text.fits": (b"not a FITS file, just words\n" * 200, "is not FITS"),
    "empty.fits": (b"", "empty"),
    "cut-header.fits": (a_file()[:1000], "copy it again"),
    "cut-data.fits": (a_file()[:4000], "copy or upload it again"),
    "endless.fits": (a_primary().replace(b"END ", b"FOO ") * 3, "no END card"),
    "cut.fits.bz2": (bz2.compress(a_file())[:-20], "fetch the file again"),
    "flipped.fits.bz2": (bz2.compress(a_file())[:900] + b"!!" + bz2.compress(a_file())[902:], "fetch"),
    "cut.fits.gz": (gzip.compress(a_file())[:-20], "fetch the file again"),
    "flipped.fits.gz": (gzip.compress(a_file())[:900] + b"!!" + gzip.compress(a_file())[902:], "fetch"),
    "inner.fits.gz": (gzip.compress(a_file()[:4000]), "copy or upload it again"),
    "really-bz2.fits": (bz2.compress(a_file()), "rename it to really-bz2.fits.bz2"),
    "really-plain.fits.gz": (a_file(), "promises gz data"),
    "really-gz.fits.bz2": (gzip.compress(a_file()), "rename it to really-gz.fits.gz"),
}


async def test_each_bad_file_gets_its_own_clear_error(archive: Archive) -> None:
    bad = archive.directory / "bad"
    for name, (data, _) in BAD.items():
        put(bad / name, data)
    errors = await refused(archive, bad)
    assert set(errors) == {str(bad / name) for name in BAD}
    for name, (_, words) in BAD.items():
        message = errors[str(bad / name)]
        assert message.startswith(f"{bad / name}: ")
        assert words in message


async def test_a_header_of_100_000_cards_gets_in(archive: Archive) -> None:
    cards = [a_card(f"K{number:<7}= {number:>20}") for number in range(100_000)]
    path = put(archive.directory / "in" / "long.fits", a_primary(*cards))
    report = await archive.ingest(path)
    assert (report.ingested, report.failed) == (1, [])
    assert await archive.find("K77=77") == ["long.fits"]


async def test_a_file_that_still_grows_waits_until_it_rests(archive: Archive) -> None:
    whole = a_file(extensions=3)
    # Ahead of the clock, it was written just now however long the worker takes to look.
    written_ns = time.time_ns() + 600_000_000_000
    path = put(archive.directory / "in" / "growing.fits", whole[:5000], mtime_ns=written_ns)
    run = await archive.submit(path)
    helping = asyncio.create_task(archive.run(list(run.orders)))
    await asyncio.sleep(0.5)
    assert not helping.done()
    path.write_bytes(whole)
    report = bulk.collect(run, await helping)
    assert (report.ingested, report.failed) == (1, [])


async def test_paths_that_are_not_there_are_named(archive: Archive) -> None:
    absent = archive.directory / "nowhere"
    errors = await refused(archive, absent, Path("/dev/null"))
    assert errors == {
        str(absent): f"{absent}: there is no such file or directory.",
        "/dev/null": "/dev/null is neither a file nor a directory; name one of these.",
    }


async def test_a_file_that_vanishes_after_it_was_found_is_named(archive: Archive) -> None:
    gone, stays = (put(archive.directory / "in" / name) for name in ("gone.fits", "stays.fits"))
    run = await archive.submit(gone.parent)
    gone.unlink()
    report = bulk.collect(run, await archive.run(list(run.orders)))
    assert report.ingested == 1
    assert report.failed == [(str(gone), f"{gone} is gone; it was there when it was found.")]
    assert stays.exists()


async def test_a_file_that_vanishes_before_it_is_copied_is_named(archive: Archive) -> None:
    link = archive.directory / "in" / "dangling.fits"
    link.parent.mkdir()
    link.symlink_to(archive.directory / "no.fits")
    report = await archive.ingest(link.parent, copy=True)
    assert report.failed == [(str(link), f"{link}: the link leads nowhere; remove it or restore its target.")]


async def test_a_file_rewritten_between_finding_and_reading_is_taken_as_it_is_then(archive: Archive) -> None:
    path = put(archive.directory / "in" / "a.fits")
    run = await archive.submit(path)
    put(path, a_file(extensions=2), mtime_ns=OLD_NS + 5)
    assert bulk.collect(run, await archive.run(list(run.orders))).ingested == 1
    assert len((await archive.version("a.fits")).hdus) == 3


async def test_of_two_hard_links_one_is_taken_and_the_other_refused(archive: Archive) -> None:
    one = put(archive.directory / "in" / "one.fits")
    two = one.with_name("two.fits")
    two.hardlink_to(one)
    errors = await refused(archive, one.parent)
    assert list(errors) == [str(two)]
    assert "is another name of one.fits" in errors[str(two)]
    assert "remove one of the names" in errors[str(two)]
    again = await archive.ingest(two)
    assert len(again.failed) == 1


async def test_links_inside_the_root_count_as_what_they_lead_to(archive: Archive) -> None:
    real = put(archive.directory / "in" / "night" / "real.fits")
    (real.parent.parent / "latest.fits").symlink_to(real)
    (real.parent.parent / "latest").symlink_to(real.parent)
    report = await archive.ingest(real.parent.parent)
    assert (report.ingested, report.failed) == (1, [])
    assert await archive.path("real.fits") == real


async def test_links_that_lead_astray_are_refused(archive: Archive) -> None:
    inside = archive.directory / "in"
    outside = put(archive.directory / "out" / "x.fits")
    put(inside / "fine.fits")
    (inside / "file.fits").symlink_to(outside)
    (inside / "tree").symlink_to(outside.parent)
    (inside / "nowhere.fits").symlink_to(inside / "absent.fits")
    (inside / "loop.fits").symlink_to(inside / "loop.fits")
    errors = await refused(archive, inside)
    assert set(errors) == {str(inside / name) for name in ("file.fits", "tree", "nowhere.fits", "loop.fits")}
    assert "ingest that directory itself" in errors[str(inside / "file.fits")]
    assert str(outside.parent) in errors[str(inside / "tree")]
    assert "leads nowhere" in errors[str(inside / "nowhere.fits")]
    assert "leads nowhere" in errors[str(inside / "loop.fits")]


async def test_two_containers_of_one_file_are_refused_in_one_batch_and_later(archive: Archive) -> None:
    plain = put(archive.directory / "in" / "x.fits")
    packed = put(plain.with_name("x.fits.bz2"), bz2.compress(a_file()))
    errors = await refused(archive, plain.parent)
    assert list(errors) == [str(packed)]
    assert "two containers of one file; remove one of them" in errors[str(packed)]
    assert (await archive.ingest(packed)).failed[0][1] == errors[str(packed)]
    plain.unlink()
    assert (await archive.ingest(packed)).ingested == 1
    assert (await archive.version("x.fits")).container == "bz2"


async def test_a_name_in_two_directories_is_two_files(archive: Archive) -> None:
    for night in ("a", "b"):
        put(archive.directory / "in" / night / "same.fits")
    assert (await archive.ingest(archive.directory / "in")).ingested == 2
    with pytest.raises(FileAmbiguous, match=r"/a/same\.fits, .*/b/same\.fits"):
        await archive.set("same.fits", OBSERVER="me")
    assert await archive.find(name="same.fits") == ["same.fits", "same.fits"]


ODD = (
    "ünï côdé ☄.fits",
    "two  blanks.fits",
    "quo'te\"$(x);&.fits",
    "x" * 250 + ".fits",
    "-o.fits",
    "UP.FITS",
)


async def test_odd_names_get_in_and_can_be_edited(archive: Archive) -> None:
    for name in ODD:
        put(archive.directory / "in" / name)
    report = await archive.ingest(archive.directory / "in")
    assert (report.ingested, report.failed) == (len(ODD), [])
    assert set(await archive.find()) == set(ODD)
    for name in ODD:
        assert (await archive.set(name, OBSERVER="me"))["changed"]
    assert set((await archive.verify()).values()) == {""}


async def test_names_that_nobody_could_ask_for_are_refused(archive: Archive) -> None:
    inside = archive.directory / "in"
    inside.mkdir()
    for name in (b"new\nline.fits", b"not-utf8-\xff.fits", b"bell\x07.fits"):
        put(inside / os.fsdecode(name))
    deep = inside / "/".join("d" * 200 for _ in range(6))
    put(deep / "deep.fits")
    errors = await refused(archive, inside)
    assert len(errors) == 4
    for words in ("control characters; rename", "not UTF-8; rename", "ingest a deeper directory"):
        assert any(words in message for message in errors.values())
    assert (await archive.ingest(deep)).ingested == 1


async def test_upper_case_suffixes_and_hidden_files_are_told_apart(archive: Archive) -> None:
    inside = archive.directory / "in"
    names = ("A.FITS", "b.Fit", "c.fts", "d.fits.fz", "e.FIT.FZ")
    for name in (*names, ".hidden.fits", ".git/f.fits", "notes.txt", "fits"):
        put(inside / name)
    assert (await archive.ingest(inside)).ingested == len(names)
    assert set(await archive.find()) == set(names)


async def test_packed_files_with_upper_case_names_are_taken_for_what_they_are(archive: Archive) -> None:
    path = put(archive.directory / "in" / "A.FITS.BZ2", bz2.compress(a_file()))
    other = put(archive.directory / "in" / "B.FITS.GZ", bz2.compress(a_file()))
    errors = await refused(archive, path, other)
    assert list(errors) == [str(other)]
    assert "rename it to B.FITS.bz2" in errors[str(other)]
    assert await archive.find(name="A.FITS") == ["A.FITS"]


async def test_the_data_directory_inside_a_tree_is_not_taken_in(archive: Archive) -> None:
    put(archive.directory / "one" / "x.fits")
    assert (await archive.ingest(archive.directory / "one", copy=True)).ingested == 1
    assert (archive.directory / "data" / "store" / "x.fits").exists()
    put(archive.directory / "two" / "y.fits")
    report = await archive.ingest(archive.directory)
    assert (report.ingested, report.failed) == (2, [])
    itself = archive.directory / "data"
    errors = dict((await archive.ingest(itself)).failed)
    assert "Armillary's own directory" in errors[str(itself)]


@pytest.mark.parametrize("inner_first", [True, False])
async def test_a_root_inside_a_root_keeps_its_files(archive: Archive, inner_first: bool) -> None:
    outer, inner = archive.directory / "in", archive.directory / "in" / "deep"
    put(outer / "a.fits")
    put(inner / "b.fits")
    order = (inner, outer) if inner_first else (outer, inner)
    reports = [await archive.ingest(path) for path in order]
    assert [r.failed for r in reports] == [[], []]
    assert sum(r.ingested for r in reports) == 2
    assert sum(r.skipped for r in reports) == 1
    both = await archive.ingest(*order)
    assert (both.ingested, both.skipped, both.failed) == (0, 2, [])


async def test_a_directory_and_a_part_of_it_at_once_are_taken_once(archive: Archive) -> None:
    put(archive.directory / "in" / "deep" / "b.fits")
    report = await archive.ingest(archive.directory / "in" / "deep", archive.directory / "in")
    assert (report.ingested, report.failed) == (1, [])


async def test_only_what_changed_is_taken_in_again(archive: Archive) -> None:
    path = put(archive.directory / "in" / "a.fits")

    async def again(**options: bool) -> tuple[int, int, int]:
        report = await archive.ingest(path.parent, **options)
        assert report.failed == []
        return report.ingested, report.skipped, len((await archive.history("a.fits")).versions)

    assert await again() == (1, 0, 1)
    assert await again() == (0, 1, 1)
    put(path, mtime_ns=OLD_NS + 1)
    assert await again() == (0, 1, 1)
    assert (await archive.version("a.fits")).mtime_ns == OLD_NS + 1
    put(path, a_file(extensions=2), mtime_ns=OLD_NS + 2)
    assert await again() == (1, 0, 2)
    assert await again(force=True) == (1, 0, 3)


async def test_copies_are_taken_once_and_never_over_other_bytes(archive: Archive) -> None:
    path = put(archive.directory / "in" / "a.fits")
    assert (await archive.ingest(path, copy=True)).ingested == 1
    assert (await archive.ingest(path, copy=True)).skipped == 1
    stored = archive.directory / "data" / "store" / "a.fits"
    before = stored.read_bytes()
    put(path, a_file(extensions=2), mtime_ns=OLD_NS + 2)
    report = await archive.ingest(path, copy=True)
    assert "holds a.fits with other bytes" in report.failed[0][1]
    assert stored.read_bytes() == before


async def test_one_file_that_the_catalog_refuses_keeps_no_other_out(archive: Archive) -> None:
    odd = [a_card("OBJECT  = 'nul\x00 in it'"), a_card("RA      = 1e400"), a_card("EXPTIME = 1e999")]
    put(archive.directory / "in" / "odd.fits", a_primary(*odd))
    errors = await refused(archive, archive.directory / "in")
    assert errors == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything; see the tests of the command line")
async def test_an_unreadable_file_is_named(archive: Archive) -> None:
    path = put(archive.directory / "in" / "secret.fits")
    path.chmod(0)
    errors = await refused(archive, path)
    assert "permission denied" in errors[str(path)]
