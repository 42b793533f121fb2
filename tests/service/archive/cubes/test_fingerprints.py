"""What counts as a change of a file, and what does not: headers and data HDU by HDU, time stamps, stored sums."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.cubes import models, recording
from armillary.base.work import State
from armillary.base.work.admin import OrderView
from armillary.demo.solar import SolarCube
from armillary.fits.checksum import update_checksum
from armillary.fits.models import CARD
from tests.support.archive import OLD_NS, put
from tests.support.headers import a_layout
from tests.support.ingestion import TINY, Observatory, steps_of
from tests.support.taking_in import rows

CUBE = SolarCube(features=None, **TINY)
UNSEALED = replace(CUBE, made="")
"""One without CHECKSUM and DATASUM."""
LATER_NS = OLD_NS + 3_600_000_000_000
SAME = "skipped: the header is the same"
Change = Callable[[bytes], bytes]


def value_of(order: OrderView) -> Mapping[str, Any]:
    """Return what an order brought."""
    assert order.state is State.COMPLETED, order.error
    assert order.response is not None
    value: Any = order.response.value
    return dict(value)


async def known(observatory: Observatory, cube: SolarCube = CUBE) -> Path:
    """Take a cube in, and return its path."""
    path = observatory.put(cube)
    value_of(await observatory.take_in(path))
    return path


async def changed(
    observatory: Observatory, path: Path, change: Change, *, mtime_ns: int = LATER_NS, **options: Any
) -> OrderView:
    """Change a file, and take it in again."""
    put(path, change(path.read_bytes()), mtime_ns=mtime_ns)
    return await observatory.take_in(path, **options)


def headers_of(order: OrderView) -> list[str]:
    """Return what became of the header of each HDU."""
    return steps_of(order)["header"]


def with_card(data: bytes, old: bytes, new: bytes, hdu: int = 0) -> bytes:
    """Return a file in the header of which a card is another one, whatever its sums say."""
    start = a_layout(data).hdus[hdu].header_offset
    at = data.index(old, start)
    assert (at - start) % CARD == 0
    return data[:at] + new.ljust(CARD) + data[at + CARD :]


def with_words_exchanged(data: bytes) -> bytes:
    """Return a file in the image of which two words are exchanged, so that all sums stay true."""
    at = a_layout(data).hdus[0].data_offset
    first, second = data[at : at + 4], data[at + 4 : at + 8]
    assert first != second
    return data[:at] + second + first + data[at + 8 :]


def with_sums_renewed(data: bytes) -> bytes:
    """Return a file of which all CHECKSUM and DATASUM cards were written anew, later."""
    for number in range(len(a_layout(data).hdus)):
        hdu = a_layout(data).hdus[number]
        data = with_card(data, b"CHECKSUM", b"CHECKSUM= '0000000000000000' / written again", number)
        header = update_checksum(data[hdu.header_offset : hdu.data_offset])
        data = data[: hdu.header_offset] + header + data[hdu.data_offset :]
    return data


async def snapshot(observatory: Observatory) -> models.Snapshot:
    """Return what the last good run saw."""
    found = (await observatory.present(CUBE.oid)).snapshot
    assert found is not None
    return found


async def test_sums_that_are_only_renewed_are_no_change_of_a_header(observatory: Observatory) -> None:
    path = await known(observatory)
    order = await changed(observatory, path, with_sums_renewed)
    told = steps_of(order)
    assert set(told["header"]) == set(told["metadata"]) == {SAME}
    assert set(told["derived"]) == {"skipped: the HDUs are the same"}
    assert (await observatory.present(CUBE.oid)).warnings == ()
    # What is handed out are the bytes as they are.
    version = await observatory.version(CUBE.name)
    assert version.headers()[0] == path.read_bytes()[: len(version.headers()[0])]


async def test_a_stored_sum_that_is_wrong_is_told_and_hides_nothing(observatory: Observatory) -> None:
    path = await known(observatory)
    order = await changed(
        observatory, path, lambda data: with_card(data, b"OBJECT  =", b"OBJECT  = 'elsewhere'")
    )
    assert headers_of(order)[0] == "done"
    (warning,) = (await observatory.present(CUBE.oid)).warnings
    assert "CHECKSUM of HDU 0" in warning
    assert value_of(order)["warnings"] == [warning]


async def test_a_data_sum_that_is_wrong_is_told(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    put(path, with_card(path.read_bytes(), b"DATASUM ", b"DATASUM = '12345'", 1))
    order = await observatory.take_in(path)
    assert [one.partition(" says")[0] for one in value_of(order)["warnings"]] == [
        "DATASUM of HDU 1",
        "CHECKSUM of HDU 1 is not true of it: it was edited by a program that did not renew it",
    ]


async def test_words_that_are_exchanged_are_a_change_though_no_sum_sees_them(
    observatory: Observatory,
) -> None:
    path = await known(observatory)
    before = await snapshot(observatory)
    order = await changed(observatory, path, with_words_exchanged)
    after = await snapshot(observatory)
    assert value_of(order)["outcome"] == "ingested"
    assert set(headers_of(order)) == {SAME}
    assert after.fingerprint.hdus[0].data_sum == before.fingerprint.hdus[0].data_sum
    assert after.fingerprint.hdus[0].data_sha256 != before.fingerprint.hdus[0].data_sha256
    assert after.fingerprint.hdus[1:] == before.fingerprint.hdus[1:]
    assert (await observatory.present(CUBE.oid)).warnings == ()


async def test_what_is_missing_is_not_equal(observatory: Observatory) -> None:
    path = await known(observatory, UNSEALED)
    assert b"CHECKSUM" not in path.read_bytes()
    order = await changed(observatory, path, with_words_exchanged)
    assert value_of(order)["outcome"] == "ingested"


@pytest.mark.parametrize("cube", [CUBE, UNSEALED], ids=["sealed", "unsealed"])
@pytest.mark.parametrize("copied", [False, True])
async def test_a_touch_or_a_copy_is_known_to_be_the_same_bytes(
    observatory: Observatory, cube: SolarCube, *, copied: bool
) -> None:
    path = await known(observatory, cube)
    before = await observatory.present(CUBE.oid)
    if copied:
        copy = put(path.with_name("copy.part"), path.read_bytes(), mtime_ns=LATER_NS)
        copy.replace(path)
    else:
        os.utime(path, ns=(LATER_NS, LATER_NS))
    order = await observatory.take_in(path)
    found = value_of(order)
    assert (found["outcome"], found["why"]) == ("skipped", "same bytes")
    told = steps_of(order)
    assert set(told["header"]) == set(told["metadata"]) == {SAME}
    assert set(told["derived"]) == {"skipped: the HDUs are the same"}
    after = await observatory.present(CUBE.oid)
    assert (after.id, after.file_id, after.warnings) == (before.id, before.file_id, before.warnings)
    assert await rows(observatory, "SELECT count(*) FROM version") == [(1,)]
    # From now on its time stamp says so.
    assert value_of(await observatory.take_in(path))["why"] == "unchanged"


async def test_a_packed_cube_that_is_touched_is_the_same(observatory: Observatory) -> None:
    plain = observatory.put(CUBE)
    path = put(observatory.root / "a.fits.gz", gzip.compress(plain.read_bytes(), mtime=0))
    assert value_of(await observatory.take_in(path))["outcome"] == "ingested"
    os.utime(path, ns=(LATER_NS, LATER_NS))
    assert value_of(await observatory.take_in(path))["why"] == "same bytes"
    order = await observatory.take_in(path)
    assert value_of(order)["outcome"] == "skipped"


async def test_a_header_that_changes_under_the_same_time_stamp_is_found(observatory: Observatory) -> None:
    path = await known(observatory)
    order = await changed(
        observatory,
        path,
        lambda data: with_card(data, b"OBJECT  =", b"OBJECT  = 'AR 14999'"),
        mtime_ns=OLD_NS,
    )
    assert headers_of(order)[0] == "done"
    assert await observatory.find("OBJECT=AR 14999") == [CUBE.name]


async def test_data_that_change_under_the_same_time_stamp_are_found_if_they_are_to_be_verified(
    observatory: Observatory,
) -> None:
    path = await known(observatory)
    order = await changed(observatory, path, with_words_exchanged, mtime_ns=OLD_NS)
    assert value_of(order)["why"] == "unchanged"
    order = await observatory.take_in(path, verify=True)
    assert value_of(order)["outcome"] == "ingested"
    again = await observatory.take_in(path, verify=True)
    assert value_of(again)["why"] == "same bytes"


async def test_a_time_stamp_of_the_moment_of_reading_proves_nothing(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    now_ns = time.time_ns() + 1_000_000_000  # read within two seconds, however slow the machine is
    os.utime(path, ns=(now_ns, now_ns))
    assert value_of(await observatory.take_in(path))["outcome"] == "ingested"
    order = await changed(observatory, path, with_words_exchanged, mtime_ns=now_ns)
    assert value_of(order)["outcome"] == "ingested"


async def test_a_change_of_one_extension_shows_as_one(observatory: Observatory) -> None:
    path = await known(observatory)
    layout = a_layout(path.read_bytes())
    names = [hdu.name for hdu in layout.hdus]
    number = names.index("VAR-EXT-ATMOS_R0")
    hdu = layout.hdus[number]

    def change(data: bytes) -> bytes:
        at = hdu.data_offset
        return data[:at] + data[at + 4 : at + 8] + data[at : at + 4] + data[at + 8 :]

    order = await changed(observatory, path, change)
    assert set(headers_of(order)) == {SAME}
    derived = {str(one["kind"]): one["outcome"] for one in order.steps or () if one["name"] == "derived"}
    assert derived == {
        "r0": "done",
        "spectral_line": "skipped",
        "spectral_line_svg": "skipped",
        "wcs": "skipped",
    }


async def test_a_change_of_the_header_of_one_extension_shows_as_one(observatory: Observatory) -> None:
    path = await known(observatory)
    number = len(a_layout(path.read_bytes()).hdus) - 1
    order = await changed(
        observatory, path, lambda data: with_card(data, b"EXTNAME ", b"EXTNAME = 'OTHER'", number)
    )
    assert headers_of(order) == [*[SAME] * number, "done"]


async def test_what_is_derived_goes_and_comes_with_its_extension(observatory: Observatory) -> None:
    kinds = "SELECT kind FROM cube_derived ORDER BY kind"
    path = await known(observatory)
    everything = await rows(observatory, kinds)
    observatory.put(replace(CUBE, without=frozenset({"VAR-EXT-ATMOS_R0"})), mtime_ns=LATER_NS)
    await observatory.take_in(path)
    assert set(everything) - set(await rows(observatory, kinds)) == {("r0",)}
    observatory.put(CUBE)
    await observatory.take_in(path)
    assert await rows(observatory, kinds) == everything


async def test_a_keyword_that_vanishes_is_found_no_more(observatory: Observatory) -> None:
    path = await known(observatory, replace(CUBE, cards={"WEATHER": "fine"}))
    assert await observatory.find("WEATHER=fine") == [CUBE.name]
    observatory.put(CUBE)
    await observatory.take_in(path)
    assert await observatory.find("WEATHER=fine") == []


@pytest.mark.parametrize("touched", [False, True])
async def test_warnings_stay_as_long_as_what_they_are_about(
    observatory: Observatory, *, touched: bool
) -> None:
    """Without its times the series of seeing is told with a warning; a stale sum is another one."""
    path = observatory.put(replace(CUBE, without=frozenset({"VAR-EXT-DATE-BEG"})))
    put(path, with_card(path.read_bytes(), b"OBJECT  =", b"OBJECT  = 'elsewhere'"))
    first = value_of(await observatory.take_in(path))["warnings"]
    assert len(first) == 2
    if touched:
        os.utime(path, ns=(LATER_NS, LATER_NS))
    again = await observatory.take_in(path, submit_svo=False)
    assert value_of(again)["warnings"] == first
    assert list((await observatory.present(CUBE.oid)).warnings) == first


@pytest.mark.parametrize("step", ["metadata", "derived", "tags"])
async def test_a_step_that_comes_out_otherwise_is_made_anew_and_no_other(
    observatory: Observatory, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = await known(observatory)
    for module in (models, recording):
        monkeypatch.setattr(module, "VERSIONS", {**models.VERSIONS, step: 99})
    told = steps_of(await observatory.take_in(path))
    renewed = {name for name in ("header", "metadata", "derived", "tags") if set(told[name]) == {"done"}}
    assert renewed == {step}
    told = steps_of(await observatory.take_in(path))
    assert told["product"] == ["skipped: unchanged"]


async def test_force_makes_everything_anew_once(observatory: Observatory) -> None:
    path = await known(observatory)
    told = steps_of(await observatory.take_in(path, force=True))
    for name in ("product", "header", "metadata", "tags", "derived", "snapshot"):
        assert set(told[name]) == {"done"}, name
    assert value_of(await observatory.take_in(path))["why"] == "unchanged"
