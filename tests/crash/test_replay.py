"""Interrupted edits are finished exactly once, whatever joined them meanwhile, and can be taken back."""

from __future__ import annotations

import bz2
import gzip
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from armillary.edits import golive
from armillary.edits.kinds import REVERT_EDIT, UPDATE_HEADERS
from armillary.edits.leftovers import sweep_recipes
from armillary.edits.revert import submit_revert
from armillary.edits.tasks import update_headers
from tests.crash.night import data_of, frame_bytes, unpacked
from tests.support.archive import ORIGIN, Archive, put, sha256
from tests.support.edits import accept_one
from tests.support.interruptions import claim_all, expire, interrupt

CONTENT = frame_bytes(5, kilobytes=60)
STORED = {
    "x.fits": CONTENT,
    "x.fits.bz2": bz2.compress(CONTENT, 1),
    "x.fits.gz": gzip.compress(CONTENT, 4, mtime=3),
}
NAMES = list(STORED)
GROWTH = {f"NEW{number}": number for number in range(60)}
POINTS = ("intended", "live")
TWICE = [(name, point, again) for name in ("x.fits", "x.fits.bz2") for point in POINTS for again in POINTS]
ENDS = [*((name, point, None) for name in NAMES for point in POINTS), *TWICE]


async def taken_in(archive: Archive, name: str, *, in_place: bool = True) -> Path:
    path = put(archive.directory / "night" / name, STORED[name])
    assert not (await archive.ingest(path.parent, in_place=in_place)).failed
    return path


async def accept(archive: Archive, word: str, **cards: Any) -> int:
    pairs = [["HISTORY", word], *([key, value] for key, value in cards.items())]
    accepted = await accept_one(archive.context, {"generic": pairs}, "x.fits", ORIGIN)
    return accepted.order_ids[0]


def header_of(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True) as hdus:
            assert all(hdu.data is not None for hdu in hdus[1:])
            return hdus[0].header.copy()


async def unfinished_edits(archive: Archive) -> list[tuple[object, ...]]:
    query = "SELECT id, state, attempts, error FROM work_order WHERE state IN ('Queued', 'Started')"
    kinds = f" AND kind IN ('{UPDATE_HEADERS}', '{REVERT_EDIT}')"
    async with archive.context.database.begin() as connection:
        return [tuple(row) for row in (await connection.exec_driver_sql(query + kinds)).all()]


async def assert_sound(archive: Archive, path: Path, words: Sequence[str]) -> Any:
    header = header_of(path)
    assert list(header.get("HISTORY", [])) == list(words)
    assert data_of(unpacked(path)) == data_of(CONTENT)
    assert await archive.verify() == {"x.fits": ""}
    await sweep_recipes(archive.context)
    assert await unfinished_edits(archive) == []
    history = await archive.history("x.fits")
    assert len({edit.order_id for edit in history.edits}) == len(history.edits)
    return header


async def assert_recipes_fit(archive: Archive) -> None:
    kept = {
        name
        for one in (await archive.history("x.fits")).versions
        for name in (one.undo or "").split(",")
        if name
    }
    stores = archive.context.stores.opened.values()
    found = {name for store in stores for name in await store.blob_names()}
    assert found == kept


@pytest.mark.parametrize(("name", "point", "again"), ENDS)
async def test_interrupted_edits_are_finished_once_and_reverted_exactly(
    archive: Archive, name: str, point: str, again: str | None
) -> None:
    path = await taken_in(archive, name)
    before = sha256(path)
    await accept(archive, "one", SOAK0=1, **GROWTH)
    await interrupt(archive, point)
    if again:
        await interrupt(archive, again, certain=name != "x.fits")
    await archive.drain()
    header = await assert_sound(archive, path, ["one"])
    assert header["SOAK0"] == 1
    assert header["NEW59"] == 59
    await assert_recipes_fit(archive)
    await archive.revert("x.fits")
    assert sha256(path) == before
    await assert_sound(archive, path, [])


@pytest.mark.parametrize(("name", "point", "again"), ENDS)
async def test_orders_that_join_an_interrupted_rewrite_apply_once(
    archive: Archive, name: str, point: str, again: str | None
) -> None:
    path = await taken_in(archive, name)
    await accept(archive, "one", SOAK0=1)
    await accept(archive, "two", SOAK1=2)
    await interrupt(archive, point)
    await accept(archive, "three", SOAK0=3, **GROWTH)
    if again:
        await interrupt(archive, again, certain=name != "x.fits")
        await accept(archive, "four", SOAK1=4)
    await archive.drain()
    words = ["one", "two", "three", *(["four"] if again else [])]
    header = await assert_sound(archive, path, words)
    assert (header["SOAK0"], header["SOAK1"]) == (3, 4 if again else 2)
    await assert_recipes_fit(archive)


@pytest.mark.parametrize("name", NAMES)
async def test_an_interrupted_edit_that_is_cancelled_by_the_next_leaves_catalog_and_file_alike(
    archive: Archive, name: str
) -> None:
    path = await taken_in(archive, name)
    accepted = [await accept_one(archive.context, {"generic": {"SOAK0": 5}}, "x.fits", ORIGIN)]
    await interrupt(archive, "live")
    accepted.append(await accept_one(archive.context, {"generic": {"SOAK0": -1}}, "x.fits", ORIGIN))
    await archive.drain()
    header = await assert_sound(archive, path, [])
    assert header["SOAK0"] == -1
    outcomes = await archive.run([one.order_ids[0] for one in accepted])
    assert all(one.response.ok for one in outcomes.values())
    assert unpacked(path) == CONTENT
    await assert_recipes_fit(archive)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", NAMES)
async def test_interrupted_reverts_are_finished(archive: Archive, name: str, point: str) -> None:
    path = await taken_in(archive, name)
    before = sha256(path)
    await accept(archive, "one", SOAK0=1)
    await archive.drain()
    await submit_revert(archive.context, "x.fits", None, ORIGIN)
    await interrupt(archive, point, REVERT_EDIT)
    await archive.drain()
    assert sha256(path) == before
    await assert_sound(archive, path, [])


@pytest.mark.parametrize("name", NAMES)
async def test_a_file_changed_by_somebody_else_meanwhile_is_left_alone(archive: Archive, name: str) -> None:
    path = await taken_in(archive, name)
    order = await accept(archive, "one", SOAK0=1)
    await interrupt(archive, "live")
    foreign = CONTENT.replace(b"set by orders", b"set by others")
    packed = {".bz2": bz2.compress, ".gz": gzip.compress}.get(path.suffix, bytes)
    put(path, packed(foreign))
    found = path.read_bytes()
    outcome = (await archive.run([order]))[order]
    assert "changed outside Armillary" in outcome.response.error
    assert path.read_bytes() == found
    assert await unfinished_edits(archive) == []


async def test_an_order_whose_bytes_may_be_live_does_not_fail_for_lack_of_attempts(archive: Archive) -> None:
    path = await taken_in(archive, "x.fits.bz2")
    order = await accept(archive, "one", SOAK0=1)
    await interrupt(archive, "live")
    await expire(archive, attempts=5)
    assert (await archive.run([order]))[order].response.ok
    await assert_sound(archive, path, ["one"])


async def test_an_order_without_intent_fails_when_its_attempts_are_used_up(archive: Archive) -> None:
    path = await taken_in(archive, "x.fits")
    order = await accept(archive, "one", SOAK0=1)
    await claim_all(archive)
    await expire(archive, attempts=5)
    outcome = (await archive.run([order]))[order]
    assert "stopped during attempt 5" in outcome.response.error
    await assert_sound(archive, path, [])


async def fence_off(archive: Archive, order_id: int) -> None:
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE work_order SET fence = fence + 1 WHERE id = $1", (order_id,))


@pytest.mark.parametrize("name", NAMES)
async def test_a_worker_that_lost_its_lease_overwrites_nothing(archive: Archive, name: str) -> None:
    path = await taken_in(archive, name)
    order = await accept(archive, "one", SOAK0=1)
    claims = await claim_all(archive)
    await fence_off(archive, order)
    before, stat = path.read_bytes(), path.stat()
    await update_headers(archive.context, claims)
    assert claims[0].lost
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == stat.st_mtime_ns
    await expire(archive)
    await archive.drain()
    await assert_sound(archive, path, ["one"])
    await assert_recipes_fit(archive)


async def test_a_lost_lease_does_not_stop_the_other_files_of_a_batch(archive: Archive) -> None:
    directory = archive.directory / "night"
    names = [f"y{number}.fits" for number in range(3)]
    for number, name in enumerate(names):
        put(directory / name, frame_bytes(number))
    await archive.ingest(directory, in_place=True)
    values = {"generic": {"SOAK0": 9}}
    orders = [(await accept_one(archive.context, values, name, ORIGIN)).order_ids[0] for name in names]
    claims = await claim_all(archive)
    await fence_off(archive, orders[1])
    await update_headers(archive.context, claims)
    assert [claim.closed for claim in claims] == [True, False, True]
    assert [header_of(directory / name)["SOAK0"] for name in names] == [9, -1, 9]


async def test_a_lease_lost_between_writing_and_recording_leaves_the_rest_recorded(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = archive.directory / "night"
    names = [f"y{number}.fits" for number in range(3)]
    for number, name in enumerate(names):
        put(directory / name, frame_bytes(number))
    await archive.ingest(directory, in_place=True)
    values = {"generic": {"SOAK0": 9}}
    orders = [(await accept_one(archive.context, values, name, ORIGIN)).order_ids[0] for name in names]
    claims = await claim_all(archive)
    intend = golive.record_intents

    async def intend_and_lose(pairs: Any) -> None:
        await intend(pairs)
        await fence_off(archive, orders[1])

    monkeypatch.setattr(golive, "record_intents", intend_and_lose)
    await update_headers(archive.context, claims)
    monkeypatch.undo()
    assert [claim.closed for claim in claims] == [True, False, True]
    await expire(archive)
    await archive.drain()
    assert [header_of(directory / name)["SOAK0"] for name in names] == [9, 9, 9]
    assert set((await archive.verify()).values()) == {""}
