"""Headers of archived frames are checked; what is found is on record, listed and searched, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from armillary.access.models import OPERATOR
from armillary.archive.errors import BadCursor
from armillary.archive.findings.models import FindingPage
from armillary.archive.findings.service import list_findings
from armillary.archive.query.criteria import terms_of
from armillary.headers.findings.service import check_frames
from armillary.headers.rules.service import Place, Report
from tests.support.archive import Archive, archive, put
from tests.support.consistent import fits_of, values_of
from tests.support.postgres import postgres

__all__ = ["archive", "postgres"]

LOST_S = 37.1


def a_night(count: int = 6) -> list[dict[str, Any]]:
    return [
        values_of(seq, f"2026-03-02T04:{seq:02d}:00.000", ra=120.0 + 4 * seq) for seq in range(1, count + 1)
    ]


async def taken_in(archive: Archive, night: list[dict[str, Any]], tmp_path: Path) -> list[str]:
    """Take the headers of a night in as files, and return their names."""
    paths = [put(tmp_path / "night" / f"{values['OBSID']}.fits", fits_of(values)) for values in night]
    report = await archive.ingest(*paths)
    assert report.failed == []
    return [path.name for path in paths]


def spoilt(night: list[dict[str, Any]], *places: int) -> list[dict[str, Any]]:
    """Return a night some of whose hour angles lost the seconds between TAI and UTC."""
    for place in places:
        for key in ("HASTART", "HAEND"):
            night[place][key] += LOST_S / 3600
    return night


async def check(archive: Archive, *keywords: str, **options: Any) -> Report:
    return await check_frames(archive.context, terms_of(keywords=keywords), **options)


async def listed(archive: Archive, criteria: dict[str, Any] | None = None, **words: Any) -> FindingPage:
    options = {key: words.pop(key) for key in ("limit", "cursor") if key in words}
    async with archive.context.database.begin() as connection:
        today = archive.context.clock.now().date()
        terms = terms_of(**(criteria or {}))
        return await list_findings(connection, words, terms, OPERATOR, today=today, **options)


async def test_what_is_found_is_listed_and_searched(archive: Archive, tmp_path: Path) -> None:
    names = await taken_in(archive, spoilt(a_night(), 2, 4), tmp_path)
    report = await check(archive)
    assert (report.files, report.clean) == (6, False)
    assert {(one.file.rpartition("/")[2], one.rule) for one in report.findings} == {
        (names[2], "hour-angle"),
        (names[4], "hour-angle"),
    }
    page = await listed(archive)
    assert [one.file for one in page.findings] == [names[4], names[4], names[2], names[2]]
    assert all(one.residual == pytest.approx(LOST_S, abs=0.1) for one in page.findings)
    assert page.findings[0].hypothesis is not None
    assert "TAI-UTC lost" in page.findings[0].hypothesis
    assert (await listed(archive, severity="note")).findings == []
    assert len((await listed(archive, rule="hour-angle")).findings) == 4
    assert len((await listed(archive, group="hour angle")).findings) == 4
    assert len((await listed(archive, {"name": names[2]})).findings) == 2
    for word in ("any", "hour-angle", "hour angle", "error"):
        assert set(await archive.find(finding=word)) == {names[2], names[4]}
    assert await archive.find(finding="airmass-range") == []


async def test_pages_lead_to_all_findings(archive: Archive, tmp_path: Path) -> None:
    await taken_in(archive, spoilt(a_night(), 0, 1, 2), tmp_path)
    await check(archive)
    whole, cursor, seen = await listed(archive), None, []
    while True:
        page = await listed(archive, limit=4, cursor=cursor)
        seen += page.findings
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == whole.findings
    for bad in ("", "x", "0", "-1", "9" * 30, "٣"):
        with pytest.raises(BadCursor):
            await listed(archive, cursor=bad)


async def test_checking_again_replaces_what_was_found(archive: Archive, tmp_path: Path) -> None:
    names = await taken_in(archive, spoilt(a_night(), 2), tmp_path)
    await check(archive)
    before = [one.id for one in (await listed(archive)).findings]
    await check(archive)
    again = await listed(archive)
    assert [one.file for one in again.findings] == [names[2], names[2]]
    assert not set(before) & {one.id for one in again.findings}
    await check(archive, tolerances={"hour-angle": 60.0})
    assert (await listed(archive)).findings == []


async def test_an_edit_makes_a_version_that_was_not_checked(archive: Archive, tmp_path: Path) -> None:
    night = spoilt(a_night(), 2)
    names = await taken_in(archive, night, tmp_path)
    await check(archive)
    before = (await archive.path(names[2])).read_bytes()
    assert len((await archive.history(names[2])).versions) == 1
    assert before == fits_of(night[2])
    clean = values_of(3, "2026-03-02T04:03:00.000", ra=132.0)
    await archive.set(names[2], HASTART=clean["HASTART"], HAEND=clean["HAEND"])
    assert (await listed(archive)).findings == []
    assert await archive.find(finding="any") == []
    assert (await check(archive)).clean
    await archive.revert(names[2])
    await check(archive)
    assert [one.file for one in (await listed(archive)).findings] == [names[2], names[2]]


async def test_only_the_selection_is_checked(archive: Archive, tmp_path: Path) -> None:
    names = await taken_in(archive, spoilt(a_night(), 1, 3), tmp_path)
    report = await check(archive, "SEQNUM=2")
    assert report.files == 1
    assert {one.file for one in (await listed(archive)).findings} == {names[1]}


async def test_what_many_headers_show_is_recorded_with_the_rest(archive: Archive, tmp_path: Path) -> None:
    night = spoilt(a_night(), 3)
    night[3] |= {
        key: night[2][key] for key in ("DATE-BEG", "DATE-OBS", "DATE-END", "MJD-BEG", "MJD-OBS", "MJD-END")
    }
    names = await taken_in(archive, night, tmp_path)
    await check(archive)
    found = (await listed(archive, {"name": names[3]})).findings
    assert {"identity-overlap", "hour-angle"} <= {one.rule for one in found}


async def test_a_site_can_be_given_where_headers_tell_none(archive: Archive, tmp_path: Path) -> None:
    night = spoilt(a_night(2), 1)
    for values in night:
        for key in ("OBS-LAT", "OBS-LONG", "OBS-ELEV", "OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z"):
            del values[key]
    await taken_in(archive, night, tmp_path)
    assert (await check(archive)).clean
    assert not (await check(archive, site=Place(-30.2446, -70.7494, 2663.0))).clean


async def test_more_files_than_a_portion_are_all_checked(archive: Archive, tmp_path: Path) -> None:
    names = await taken_in(archive, spoilt(a_night(), 0, 5), tmp_path)
    report = await check(archive, portion=2)
    assert report.files == 6
    assert {one.file for one in (await listed(archive)).findings} == {names[0], names[5]}
