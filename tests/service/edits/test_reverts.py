"""Edits taken back: the latest byte for byte, an earlier one card by card, and none over a later one."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import pytest
from astropy.io import fits

from armillary.archive.errors import FileAmbiguous
from armillary.base.place import root_name
from armillary.edits.revert import submit_revert
from tests.support.archive import ORIGIN, Archive, OrderFailed, put, sha256
from tests.support.edits import accept_one
from tests.support.headers import a_file

CARDS = (("OBSERVER", "nobody", "who"), ("AIRMASS", 1.25, "up"), ("FILTER", "r", "colour"))


@pytest.fixture
async def path(archive: Archive) -> Path:
    path = put(archive.directory / "in" / "a.fits", a_file(cards=CARDS))
    assert (await archive.ingest(path)).ingested == 1
    return path


def header(path: Path) -> fits.Header:
    with fits.open(path, checksum=True) as hdus:
        return hdus[0].header.copy()


async def test_an_edit_in_the_middle_of_the_past_is_taken_back_alone(archive: Archive, path: Path) -> None:
    await archive.set("a.fits", OBSERVER="one", NEWCARD=1)
    await archive.set("a.fits", AIRMASS=2.0)
    await archive.set("a.fits", FILTER="g")
    first, *_ = await archive.edits("a.fits")
    await archive.revert("a.fits", first)
    now = header(path)
    assert (now["OBSERVER"], now["AIRMASS"], now["FILTER"]) == ("nobody", 2.0, "g")
    assert "NEWCARD" not in now
    assert now.comments["OBSERVER"] == "who"
    assert await archive.verify() == {"a.fits": ""}


async def test_the_revert_of_a_revert_brings_the_edit_back(archive: Archive, path: Path) -> None:
    before = sha256(path)
    await archive.set("a.fits", OBSERVER="one", NEWCARD=1)
    edited = sha256(path)
    await archive.revert("a.fits")
    assert sha256(path) == before
    *_, revert = await archive.edits("a.fits")
    await archive.revert("a.fits", revert)
    assert sha256(path) == edited
    assert await archive.verify() == {"a.fits": ""}


async def test_reverts_without_a_number_walk_back_through_the_past(archive: Archive, path: Path) -> None:
    digests = [sha256(path)]
    for observer in ("one", "two", "three"):
        await archive.set("a.fits", OBSERVER=observer)
        digests.append(sha256(path))
    for digest in digests[-2::-1]:
        await archive.revert("a.fits")
        assert header(path)["OBSERVER"] == ("nobody" if digest == digests[0] else header(path)["OBSERVER"])
    assert header(path)["OBSERVER"] == "nobody"
    with pytest.raises(Exception, match="reverted already"):
        await archive.revert("a.fits")


async def test_a_revert_is_blocked_by_a_later_edit_of_the_same_card(archive: Archive, path: Path) -> None:
    await archive.set("a.fits", OBSERVER="one", AIRMASS=3.0)
    await archive.set("a.fits", OBSERVER="two")
    first, _ = await archive.edits("a.fits")
    before = sha256(path)
    with pytest.raises(OrderFailed, match=r"OBSERVER.*revert that one first"):
        await archive.revert("a.fits", first)
    assert sha256(path) == before
    assert header(path)["AIRMASS"] == 3.0


async def test_one_of_several_edits_that_landed_together_is_taken_back(archive: Archive, path: Path) -> None:
    wishes = ({"OBSERVER": "one"}, {"AIRMASS": 3.0}, {"FILTER": "g"})
    accepted = [await accept_one(archive.context, {"generic": wish}, "a.fits", ORIGIN) for wish in wishes]
    await archive.finish([one.order_ids[0] for one in accepted])
    assert len((await archive.history("a.fits")).versions) == 2
    _, middle, _ = await archive.edits("a.fits")
    await archive.revert("a.fits", middle)
    now = header(path)
    assert (now["OBSERVER"], now["AIRMASS"], now["FILTER"]) == ("one", 1.25, "g")


async def test_growth_beyond_the_fill_is_taken_back_in_size_too(archive: Archive, path: Path) -> None:
    size, digest = path.stat().st_size, sha256(path)
    await archive.set("a.fits", **{f"K{number}": number for number in range(100)})
    assert path.stat().st_size > size
    await archive.revert("a.fits")
    assert (path.stat().st_size, sha256(path)) == (size, digest)


async def test_comments_that_were_cut_and_long_strings_come_back(archive: Archive, path: Path) -> None:
    digest = sha256(path)
    await archive.set("a.fits", OBSERVER="x" * 300, HISTORY="edited by a test " * 12)
    assert header(path)["OBSERVER"] == "x" * 300
    await archive.set("a.fits", OBSERVER="y" * 60)
    await archive.revert("a.fits")
    await archive.revert("a.fits")
    assert sha256(path) == digest


@pytest.mark.parametrize("suffix", ["", ".bz2", ".gz"])
async def test_several_reverts_in_turn_restore_every_container(archive: Archive, suffix: str) -> None:
    pack = {"": bytes, ".bz2": bz2.compress, ".gz": gzip.compress}[suffix]
    path = put(archive.directory / "in" / f"b.fits{suffix}", pack(a_file(cards=CARDS)))
    await archive.ingest(path)
    digests = [sha256(path)]
    for wish in ({"OBSERVER": "one"}, {f"K{number}": number for number in range(50)}):
        await archive.set("b.fits", **wish)
        digests.append(sha256(path))
    first, second = await archive.edits("b.fits")
    await archive.revert("b.fits", second)
    assert sha256(path) == digests[1]
    await archive.revert("b.fits", first)
    assert await archive.verify() == {"b.fits": ""}
    assert sha256(path) == digests[0]


async def test_a_revert_acts_on_the_place_that_was_edited(unique_archive: Archive) -> None:
    archive = unique_archive
    inside = archive.directory / "in"
    data = a_file(cards=CARDS)
    one = put(inside / "one" / "c.fits", data)
    await archive.ingest(one)
    digest = sha256(one)
    await archive.set("c.fits", OBSERVER="one")
    two = put(inside / "two" / "c.fits", data)
    await archive.ingest(two)
    with pytest.raises(FileAmbiguous, match=r"one-.*two-"):
        await archive.revert("c.fits")
    await archive.revert(f"{root_name(one.parent)}/c.fits")
    assert sha256(one) == digest
    assert sha256(two) == digest


async def test_nothing_to_revert_is_said(archive: Archive, path: Path) -> None:
    with pytest.raises(Exception, match="never had one"):
        await submit_revert(archive.context, "a.fits", None, ORIGIN)
    await archive.set("a.fits", OBSERVER="nobody")
    with pytest.raises(Exception, match="never had one"):
        await submit_revert(archive.context, "a.fits", None, ORIGIN)
