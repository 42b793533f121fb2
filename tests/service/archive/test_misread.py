"""What headers do not tell is null with a warning in the catalog, and searches by day and by warning find it."""

from __future__ import annotations

import bz2
import gzip
from datetime import UTC, date, datetime

from armillary.access.models import OPERATOR
from armillary.archive.query import search
from armillary.archive.query.criteria import read_selection
from armillary.edits.history.service import diff
from tests.support.archive import Archive, put
from tests.support.headers import a_primary

TODAY = date(2026, 1, 1)


async def take_in(archive: Archive, **files: bytes) -> None:
    for name, data in files.items():
        put(archive.directory / "in" / name.replace("__", "."), data)
    report = await archive.ingest(archive.directory / "in")
    assert (report.ingested, report.failed) == (len(files), [])


async def listed(archive: Archive, selection: str, *, summit: bool = False) -> set[str]:
    """Return the names that a selection finds, written as in the paths of lists."""
    terms = read_selection(selection, today=TODAY, summit=summit).terms
    async with archive.context.database.begin() as connection:
        page = await search.search(connection, terms, OPERATOR, today=TODAY)
    return {frame["name"] for frame in page.frames}


async def test_days_find_frames_whose_start_is_not_known(archive: Archive) -> None:
    await take_in(
        archive,
        day__fits=a_primary("DATE-OBS= '2006-05-20'"),
        end__fits=a_primary("DATE-END= '2006-05-20T11:08:45'"),
        local__fits=a_primary("DATE-OBS= '2006-05-20T03:00:00'", "TIMESYS = 'LOCAL   '"),
        whole__fits=a_primary("DATE-OBS= '2006-05-20T03:00:00'"),
        before__fits=a_primary("DATE-OBS= '2006-05-19'"),
        after__fits=a_primary("DATE-OBS= '2006-05-21'"),
        never__fits=a_primary("OBJECT  = 'M 31    '"),
    )
    of_day = {"day.fits", "end.fits", "local.fits", "whole.fits"}
    assert await listed(archive, "20060520") == of_day
    assert await listed(archive, "20060520-20060520") == of_day
    assert await listed(archive, "20060520", summit=True) == {"day.fits", "local.fits"}
    assert set(await archive.find(night=date(2006, 5, 20))) == {"day.fits", "local.fits"}
    since, until = datetime(2006, 5, 20, tzinfo=UTC), datetime(2006, 5, 21, tzinfo=UTC)
    assert await archive.find(since=since, until=until) == ["whole.fits"]


async def test_frames_are_found_by_their_warnings(archive: Archive) -> None:
    await take_in(
        archive,
        good__fits=a_primary("DATE-OBS= '2006-05-20T03:00:00'"),
        doubtful__fits=a_primary("DATE-OBS= '2006-05-20T03:00:00'", "AIRMASS =                  2,5"),
    )
    assert await archive.find(warnings=True) == ["doubtful.fits"]
    assert await archive.find(warnings=False) == ["good.fits"]
    assert len(await archive.find()) == 2
    assert await listed(archive, "mdbad") == {"doubtful.fits"}


async def test_files_in_capitals_with_nul_and_with_zeros_are_taken_in_and_edited(archive: Archive) -> None:
    plain = a_primary("OBJECT  = 'M 31    '")
    at = plain.index(b"END".ljust(80))
    await take_in(
        archive,
        F10__FITS__GZ=gzip.compress(plain),
        F11__Fits__Bz2=bz2.compress(plain),
        zeros__fits__bz2=bz2.compress(plain) + bytes(10_240),
        nul__fits=plain[:at] + b"END" + bytes(len(plain) - at - 3),
    )
    names = ["F10.FITS", "F11.Fits", "zeros.fits", "nul.fits"]
    assert set(await archive.find(name="*")) == set(names)
    before = {name: (await archive.path(name)).read_bytes() for name in names}
    for name in names:
        await archive.set(name, OBJECT="M 33")
    assert set(await archive.find(object="M 33")) == set(names)
    for name in names:
        first, last = (await archive.history(name)).versions
        assert [sign for _, sign, card in diff(first, last) if "OBJECT" in card] == ["-", "+"]
        await archive.revert(name)
        assert (await archive.path(name)).read_bytes() == before[name]
    assert (await archive.verify(*names)) == dict.fromkeys(names, "")


async def test_the_record_of_an_edit_tells_the_text_that_was_no_value(archive: Archive) -> None:
    await take_in(archive, nan__fits=a_primary("AIRMASS =                  NaN / airmass"))
    await archive.set("nan.fits", AIRMASS=1.2)
    history = await archive.history("nan.fits")
    (card,) = history.edits[0].cards
    assert (card["old"], card["old_text"], card["new"]) == (None, "NaN", 1.2)
    assert b"AIRMASS =                  1.2 / airmass" in history.versions[-1].headers()[0]
