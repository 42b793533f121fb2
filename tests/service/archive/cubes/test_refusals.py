"""Files that are no cubes are refused at once, with the reason; what passes is tried again."""

from __future__ import annotations

import errno
import gzip
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from armillary.api.sst_archive.orders import why_failed
from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.errors import NotInRoot
from armillary.archive.intake import looks
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.work import State
from armillary.demo.solar import AXES, EXTENSIONS, SolarCube
from armillary.fits.models import BLOCK
from armillary.settings import ArchiveSettings
from tests.support.archive import put
from tests.support.cubes import a_cube
from tests.support.ingestion import TINY, Observatory, an_observatory, steps_of
from tests.support.taking_in import ask, catalogue, latest, rows, run_one

CUBE = SolarCube(features=None, **TINY)


def carrying(**cards: Any) -> SolarCube:
    """Return the cube with other cards."""
    return replace(CUBE, cards={name.replace("_", "-"): value for name, value in cards.items()})


async def refused(observatory: Observatory, path: Path, *words: str) -> None:
    """Check that a file is refused at its first run, for a reason with some words, and that it leaves nothing."""
    before = await catalogue(observatory)
    order = await observatory.take_in(path)
    assert (order.state, order.attempts) == (State.FAILED, 1), order.error
    told = str(order.error)
    assert [word for word in words if word not in told] == [], told
    assert str(observatory.root) not in told.replace(str(path), "")
    assert await catalogue(observatory) == before


@pytest.mark.parametrize("keyword", ["INSTRUME", "DATE-BEG", "FILTER1", "FILENAME"])
@pytest.mark.parametrize("blank", [False, True])
async def test_a_keyword_that_is_needed_and_missing_is_named(
    observatory: Observatory, keyword: str, *, blank: bool
) -> None:
    cube = replace(CUBE, cards={keyword: "   "}) if blank else replace(CUBE, without=frozenset({keyword}))
    await refused(observatory, observatory.put(cube), keyword, "add it")


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ({"INSTRUME": "HMI"}, ["INSTRUME", "HMI", "CRISP", "sst.instruments"]),
        ({"RELEASE": "2026-6-21"}, ["RELEASE", "2026-6-21", "YYYY-MM-DD"]),
        ({"RELEASE": "2026-02-30"}, ["RELEASE", "2026-02-30"]),
        ({"RELEASE": "2026-06-21T00:00:00"}, ["RELEASE", "2026-06-21T00:00:00"]),
        ({"RELEASE": "21 June 2026"}, ["RELEASE", "21 June 2026"]),
        ({"RELEASE": "soon"}, ["RELEASE", "soon"]),
        ({"RELEASE": 20260621}, ["RELEASE", "20260621"]),
        ({"RELEASE": True}, ["RELEASE"]),
        ({"DATE_BEG": "yesterday"}, ["DATE-BEG", "yesterday"]),
        ({"DATE_BEG": "2026-13-01T00:00:00"}, ["DATE-BEG", "2026-13-01T00:00:00"]),
        ({"DATE_BEG": "2026-06-21T25:00:00"}, ["DATE-BEG", "2026-06-21T25:00:00"]),
        ({"TIMESYS": "LOCAL"}, ["DATE-BEG", "LOCAL", "UTC"]),
    ],
)
async def test_a_value_that_cannot_be_used_is_named(
    observatory: Observatory, cards: dict[str, Any], words: Sequence[str]
) -> None:
    await refused(observatory, observatory.put(carrying(**cards)), *words)


@pytest.mark.parametrize("release", ["soon", "2026-6-21"])
async def test_a_cube_is_never_more_open_for_a_release_that_cannot_be_read(
    observatory: Observatory, release: str
) -> None:
    path = observatory.put(replace(CUBE, release="2999-01-01"))
    await observatory.take_in(path)
    observatory.put(replace(CUBE, release=release))
    await refused(observatory, path, "RELEASE", release)
    assert await rows(observatory, "SELECT release FROM frame") == [(datetime(2999, 1, 1).date(),)]


@pytest.mark.parametrize("release", [None, " "])
async def test_no_other_keyword_releases_a_cube(observatory: Observatory, release: str | None) -> None:
    cards: dict[str, Any] = {
        "TELESCOP": "GREGOR",
        "SOLARNET": None,
        "REL_DATE": "2020-01-01",
        "L1PUBDAT": "2020-01-01",
    }
    order = await observatory.take_in(put(observatory.root / "a.fits", a_cube(RELEASE=release, **cards)))
    assert order.error is None
    assert await rows(observatory, "SELECT release FROM frame") == [(None,)]


@pytest.mark.parametrize("instrument", [" crisp ", "Crisp", "CHROMIS"])
async def test_instruments_are_known_whatever_their_case(observatory: Observatory, instrument: str) -> None:
    order = await observatory.take_in(observatory.put(replace(CUBE, instrument=instrument)))
    assert order.state is State.COMPLETED, order.error


@pytest.mark.parametrize(
    ("cards", "begin"),
    [
        ({"TIMESYS": "UTC"}, datetime(2026, 6, 21, 8, 10, tzinfo=UTC)),
        ({"TIMESYS": "utc"}, datetime(2026, 6, 21, 8, 10, tzinfo=UTC)),
        ({"TIMESYS": "TAI"}, datetime(2026, 6, 21, 8, 9, 23, tzinfo=UTC)),
        ({"TIMESYS": "TT"}, datetime(2026, 6, 21, 8, 8, 50, 816000, tzinfo=UTC)),
        ({"DATE_BEG": "2026-06-21"}, datetime(2026, 6, 21, tzinfo=UTC)),
        ({"DATE_BEG": "2026-06-21T08:10:00.1234567"}, datetime(2026, 6, 21, 8, 10, 0, 123457, tzinfo=UTC)),
    ],
)
async def test_times_are_utc_whatever_their_scale(
    observatory: Observatory, cards: dict[str, Any], begin: datetime
) -> None:
    order = await observatory.take_in(observatory.put(carrying(**cards)))
    assert order.state is State.COMPLETED, order.error
    ((found, end),) = await rows(observatory, "SELECT date_beg, date_end FROM cube")
    assert abs(found - begin) <= timedelta(microseconds=1)
    assert end >= found


async def test_a_cube_without_an_end_is_a_point_in_time(observatory: Observatory) -> None:
    await observatory.take_in(observatory.put(replace(CUBE, without=frozenset({"DATE-END"}))))
    assert await rows(observatory, "SELECT date_beg, date_end FROM cube") == [(CUBE.begin, CUBE.begin)]


@pytest.mark.parametrize(
    ("cards", "warning"),
    [
        ({"DATE_END": "later"}, "DATE-END is 'later'"),
        ({"DATE_END": "2026-06-20T00:00:00"}, "DATE-END is before DATE-BEG"),
        ({"DATE": "once"}, "DATE is 'once'"),
    ],
)
async def test_a_time_that_is_told_in_vain_is_a_warning(
    observatory: Observatory, cards: dict[str, Any], warning: str
) -> None:
    path = observatory.put(carrying(**cards))
    order = await observatory.take_in(path)
    assert order.state is State.COMPLETED, order.error
    cube = await observatory.present(CUBE.oid)
    assert [one for one in cube.warnings if one.startswith(warning)], cube.warnings
    if "DATE_END" in cards:
        assert cube.date_end == cube.date_beg


async def test_a_date_on_another_scale_is_as_good_as_none(observatory: Observatory) -> None:
    order = await observatory.take_in(observatory.put(carrying(DATE="2026-06-23T12:00:00 TAI")))
    assert order.state is State.COMPLETED, order.error
    assert (await observatory.present(CUBE.oid)).made is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", []),
        (b"This is no FITS file. " * 200, ["FITS"]),
        (b"SIMPLE  =                    T".ljust(BLOCK), ["END"]),
        (gzip.compress(b"SIMPLE"), []),
    ],
    ids=["empty", "text", "no END", "packed"],
)
async def test_what_is_not_fits_is_refused(
    observatory: Observatory, data: bytes, words: Sequence[str]
) -> None:
    await refused(observatory, put(observatory.root / "a.fits", data), "a.fits", *words)


@pytest.mark.parametrize("missing", [1, BLOCK, 3 * BLOCK + 7])
async def test_a_truncated_file_that_rests_is_refused(observatory: Observatory, missing: int) -> None:
    path = observatory.put(CUBE)
    put(path, path.read_bytes()[:-missing])
    await refused(observatory, path, path.name)


@pytest.mark.parametrize("cut", [0, 100, BLOCK * 2, -BLOCK])
async def test_a_file_that_still_grows_costs_no_attempt(observatory: Observatory, cut: int) -> None:
    path = observatory.put(CUBE)
    whole = path.read_bytes()
    put(path, whole[:cut], mtime_ns=time.time_ns())
    submitted = await ask(observatory, path)
    for _ in range(3):
        assert await run_one(observatory)
        run = await latest(observatory, submitted)
        assert (run.view.state, run.view.attempts) == (State.QUEUED, 0), run.view.error
        assert "still being written" in str(run.view.error)
        await rows(observatory, "UPDATE work_order SET not_before = now() RETURNING id")
        os.utime(path)
    put(path, whole)
    assert await run_one(observatory)
    assert (await observatory.order(submitted.order)).state is State.COMPLETED


async def test_a_file_is_whole_blocks(observatory: Observatory) -> None:
    """Otherwise the next extension is being written, or was cut."""
    path = observatory.put(CUBE)
    put(path, path.read_bytes() + b"XTENSI")
    await refused(observatory, path, "2880", "2874")


async def test_how_long_a_file_rests_before_it_is_cut_is_a_setting(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    archive = ArchiveSettings(quiet_s=3600)
    async with an_observatory(postgres, tmp_path, archive=archive) as observatory:
        path = observatory.put(CUBE)
        cut = path.read_bytes()[:-BLOCK]
        hour_ns = 3600 * 10**9
        for age_ns, state in ((hour_ns // 2, State.QUEUED), (hour_ns * 2, State.FAILED)):
            put(path, cut, mtime_ns=time.time_ns() - age_ns)
            submitted = await ask(observatory, path)
            await rows(observatory, "UPDATE work_order SET not_before = now() RETURNING id")
            assert await run_one(observatory)
            assert (await observatory.order(submitted.order)).state is state


async def test_patience_with_a_file_that_never_rests_ends(
    observatory: Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "PATIENCE_S", 0.0)
    path = observatory.put(CUBE)
    put(path, path.read_bytes()[:-BLOCK], mtime_ns=time.time_ns())
    await refused(observatory, path, path.name)


async def test_a_file_that_changes_while_it_is_read_is_read_again(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    submitted = await ask(observatory, path)
    read = os.pread

    def touching(fd: int, size: int, offset: int) -> bytes:
        os.utime(path)
        return read(fd, size, offset)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pread", touching)
        assert await run_one(observatory)
    run = await latest(observatory, submitted)
    assert (run.view.state, run.view.attempts) == (State.QUEUED, 0)
    assert "changed while it was read" in str(run.view.error)
    assert await observatory.cube(CUBE.oid) is None


@pytest.mark.parametrize(
    ("number", "everywhere", "attempts"),
    # What is in the way of all files of a root is waited for, however long that takes.
    [(errno.EIO, False, 1), (errno.EIO, True, 0), (errno.ESTALE, False, 0)],
)
async def test_a_disk_that_fails_is_tried_again(
    observatory: Observatory, number: int, attempts: int, *, everywhere: bool
) -> None:
    path = observatory.put(CUBE)
    submitted = await ask(observatory, path)
    read = os.pread

    def fails(fd: int, size: int, offset: int) -> bytes:
        if everywhere or Path(f"/proc/self/fd/{fd}").readlink() == path:
            raise OSError(number, os.strerror(number))
        return read(fd, size, offset)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pread", fails)
        assert await run_one(observatory)
    run = await latest(observatory, submitted)
    assert (run.view.state, run.view.attempts) == (State.QUEUED, attempts), run.view.error
    told = why_failed(run.view)
    assert told is not None
    assert (told["kind"], told["step"]) == ("transient", "read")
    await observatory.run([submitted.order])
    assert (await observatory.order(submitted.order)).state is State.COMPLETED


async def test_a_path_outside_the_root_has_no_order(observatory: Observatory) -> None:
    outside = put(observatory.directory / "outside.fits")
    (observatory.root / "link.fits").symlink_to(outside)
    for text in ("../outside.fits", "/etc/passwd", "link.fits", "a\x00.fits", "absent.fits", "~/a.fits"):
        with pytest.raises(NotInRoot):
            await cubes.submit(observatory.context, text, cubes.Options(), root=None, actor="test")
    assert await rows(observatory, "SELECT id FROM work_order") == []


async def test_a_path_that_leads_outside_by_the_time_it_is_read_is_not_read(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    submitted = await ask(observatory, path)
    outside = path.rename(observatory.directory / "outside.fits")
    path.symlink_to(outside)
    assert await run_one(observatory)
    order = await observatory.order(submitted.order)
    assert order.state is State.FAILED
    assert await observatory.cube(CUBE.oid) is None


async def test_a_megabyte_of_headers_is_taken_in(observatory: Observatory) -> None:
    cards = {f"K{number:06}": f"value {number}" for number in range(13_200)}
    order = await observatory.take_in(observatory.put(replace(CUBE, cards=cards)))
    assert order.state is State.COMPLETED, order.error
    assert await observatory.find("K001000=value 1000") == [CUBE.name]


@pytest.mark.parametrize("name", EXTENSIONS)
async def test_a_cube_without_an_extension_is_taken_in(observatory: Observatory, name: str) -> None:
    order = await observatory.take_in(observatory.put(replace(CUBE, without=frozenset({name}))))
    assert order.state is State.COMPLETED, order.error


async def test_a_cube_without_any_extension_is_taken_in(observatory: Observatory) -> None:
    order = await observatory.take_in(observatory.put(replace(CUBE, without=frozenset(EXTENSIONS))))
    assert order.state is State.COMPLETED, order.error
    assert await observatory.find() == [CUBE.name]


@pytest.mark.parametrize("axes", [AXES[:2], AXES[:3], (*AXES[:2], "TIME"), (*AXES[:2], "STOKES")])
async def test_a_cube_of_fewer_axes_is_taken_in(observatory: Observatory, axes: tuple[str, ...]) -> None:
    scans = (0, 1) if "TIME" in axes else (0,)
    waves = 2 if "WAVE" in axes else 1
    cube = replace(CUBE, axes=axes, scans=scans, wavelengths=waves)
    order = await observatory.take_in(observatory.put(cube))
    assert order.state is State.COMPLETED, order.error
    assert await observatory.cube(cube.oid) is not None


async def test_keywords_called_like_columns_are_keywords(observatory: Observatory) -> None:
    cards = {name: f"a {name}" for name in ("ID", "OID", "SNAPSHOT", "PATH", "FILE-ID", "WARNINGS", "NAME")}
    order = await observatory.take_in(observatory.put(replace(CUBE, cards=cards, features="MISSING")))
    assert order.state is State.COMPLETED, order.error
    cube = await observatory.present(CUBE.oid)
    assert (cube.path, cube.warnings) == (CUBE.name, ())
    for name, value in cards.items():
        assert await observatory.find(f"{name}={value}") == [CUBE.name], name


async def test_steps_of_a_run_that_fails_while_it_records_are_told_up_to_there(
    observatory: Observatory,
) -> None:
    order = await observatory.take_in(observatory.put(carrying(DATE_BEG="yesterday")))
    told = steps_of(order)
    assert list(told) == ["read", "product"]
    assert (order.step, told["product"]) == ("product", [f"failed: {order.error}"])
