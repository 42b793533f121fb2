"""A disk that is full, broken or read-only: orders wait in their places for it, and files stay complete."""

from __future__ import annotations

import bz2
import errno
import gzip
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from armillary.access.models import Scope
from armillary.access.service import create_token
from armillary.app import create_app
from armillary.archive.catalog import service as catalog
from armillary.archive.intake.staging import STAGING
from armillary.base.store import LocalStore
from armillary.base.work import State
from armillary.edits.revert import submit_revert
from armillary.operations.health import Health, Verdict, health_of
from tests.crash.night import data_of, frame_bytes, unpacked
from tests.crash.test_replay import GROWTH, header_of
from tests.support.archive import ORIGIN, Archive, put
from tests.support.disks import fill, mounted, remount, small_disk
from tests.support.edits import accept_one
from tests.support.faults import FaultyFiles
from tests.support.held import PATIENCE_S, accept, look, until_ended, until_held, working
from tests.support.stores import names_in

__all__ = ["small_disk"]

CONTENT = frame_bytes(6, kilobytes=30)
KINDS = {
    "plain": ("x.fits", {"SOAK0": 7}),
    "growth": ("x.fits", {"SOAK0": 7, **GROWTH}),
    "bz2": ("x.fits.bz2", {"SOAK0": 7}),
}


async def taken_in(archive: Archive, name: str) -> Path:
    content = bz2.compress(CONTENT) if name.endswith("bz2") else CONTENT
    path = put(archive.directory / "night" / name, content)
    assert not (await archive.ingest(path.parent, in_place=True)).failed
    await archive.drain()
    return path


async def break_disk(archive: Archive, path: Path, faulty: FaultyFiles | None) -> None:
    """Give the archive a store over the same directory whose system calls fail."""
    stores = archive.context.stores
    name = next(n for n, one in stores.opened.items() if one.shop.root.path == path.parent)  # type: ignore[attr-defined]
    stores.opened[name].close()
    private = stores.private / name
    # What upkeep does every few minutes; journals that could not be settled cost every edit a sync.
    sound = LocalStore(path.parent, private, in_place=True)
    await sound.recover()
    sound.close()
    stores.opened[name] = LocalStore(path.parent, private, in_place=True, files=faulty, lock_wait_s=1)


@pytest.mark.parametrize(
    ("kind", "code"), [("plain", errno.EIO), ("growth", errno.ENOSPC), ("bz2", errno.ENOSPC)]
)
async def test_an_edit_outlives_the_failure_of_any_call(archive: Archive, kind: str, code: int) -> None:
    name, cards = KINDS[kind]
    path = await taken_in(archive, name)
    number, value = 0, 0
    while True:
        value += 1
        faulty = FaultyFiles(fail_at=number, errno=code)
        await break_disk(archive, path, faulty)
        grown = {f"{key}V{value}"[:8]: value for key in cards if key != "SOAK0"}
        changes = {"generic": {"SOAK0": value, **grown}}
        order = (await accept_one(archive.context, changes, "x.fits", ORIGIN)).order_ids[0]
        outcome = (await archive.run([order]))[order]
        where = f"call {number} of {faulty.calls}"
        assert outcome.response.ok, f"{where}: {outcome.response.error}"
        assert header_of(path)["SOAK0"] == value, where
        assert data_of(unpacked(path)) == data_of(CONTENT), where
        if not faulty.fired:
            break
        number += 1
    assert number > 5
    await break_disk(archive, path, None)
    assert await archive.verify() == {"x.fits": ""}
    assert not list(path.parent.glob(".armillary-*"))


FAULTS = [
    (errno.ENOSPC, "free space"),
    (errno.EDQUOT, "quota"),
    (errno.EROFS, "remount"),
    (errno.ESTALE, "mount"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("code", "word"), FAULTS)
async def test_edits_wait_in_their_places_until_the_disk_takes_them(
    archive: Archive, kind: str, code: int, word: str
) -> None:
    name, cards = KINDS[kind]
    path = await taken_in(archive, name)
    other = put(archive.directory / "elsewhere" / "y.fits", CONTENT)
    assert not (await archive.ingest(other.parent, in_place=True)).failed
    await archive.drain()
    before = path.read_bytes()
    faulty = FaultyFiles(fail_at=FAULTS.index((code, word)), errno=code, lasting=True)
    await break_disk(archive, path, faulty)
    first = await accept(archive, "x.fits", **cards)
    async with working(archive):
        await until_held(archive, first)
        later = await accept(archive, "x.fits", **cards | {"SOAK0": 8})
        # Whoever waits holds up nobody.
        beside = await accept(archive, "y.fits", SOAK0=9)
        await until_ended(archive, [beside])
        # Each try takes all edits of the file along.
        for order in (first, later):
            assert (await look(archive, order)).state in (State.QUEUED, State.STARTED)
        found = await look(archive, first)
        assert found.attempts == (found.state is State.STARTED)
        assert word in (found.error or "")
        assert path.read_bytes() == before
        faulty.armed = False
        await until_ended(archive, [first, later])
    # The later one had the last word, and neither has a vain attempt on record.
    assert header_of(path)["SOAK0"] == 8
    assert [(await look(archive, order)).attempts for order in (first, later)] == [1, 1]
    assert [edit.order_id for edit in (await archive.history("x.fits")).edits] == [first, later]
    await break_disk(archive, path, None)
    assert await archive.verify("x.fits") == {"x.fits": ""}


async def test_a_disk_that_fails_as_a_whole_costs_no_attempts(archive: Archive) -> None:
    path = await taken_in(archive, "x.fits")
    faulty = FaultyFiles(fail_at=0, errno=errno.EIO, lasting=True)
    await break_disk(archive, path, faulty)
    order = await accept(archive, "x.fits", SOAK0=7)
    async with working(archive):
        await until_held(archive, order)
        assert "No file of this directory can be changed" in ((await look(archive, order)).error or "")
    # Between two workers: a run that failed just before the disk comes back would find the root sound, and count.
    faulty.armed = False
    async with working(archive):
        await until_ended(archive, [order])
    assert (await look(archive, order)).attempts == 1
    assert header_of(path)["SOAK0"] == 7


class BadDirectory(FaultyFiles):
    """A disk that fails wherever something is to be made in one directory, and nowhere else."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._bad = directory.stat().st_ino

    def create(self, directory: int, name: str, mode: int) -> int:
        """Make a file, unless it is there."""
        if os.fstat(directory).st_ino == self._bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().create(directory, name, mode)


async def test_a_fault_of_one_place_of_a_sound_disk_costs_attempts(archive: Archive) -> None:
    content = bz2.compress(CONTENT)
    paths = [put(archive.directory / "night" / place / f"{place}.fits.bz2", content) for place in "xy"]
    root = paths[0].parent.parent
    assert not (await archive.ingest(root, in_place=True)).failed
    await archive.drain()
    await break_disk(archive, root / "any", BadDirectory(paths[0].parent))
    bad, good = [await accept(archive, f"{place}.fits", SOAK0=7) for place in "xy"]
    ended = await archive.run([bad, good])
    assert "Input/output error" in ended[bad].response.error
    assert (await look(archive, bad)).attempts == archive.context.settings.work.max_attempts
    assert ended[good].response.ok


@pytest.mark.parametrize("name", ["x.fits", "x.fits.bz2", "x.fits.gz"])
async def test_an_edit_lands_on_a_really_full_disk_once_there_is_room(
    archive: Archive, small_disk: Path, name: str
) -> None:
    pack = {"bz2": bz2.compress, "gz": gzip.compress}.get(name.rpartition(".")[2], bytes)
    path = put(small_disk / "night" / name, content := pack(CONTENT))
    await archive.ingest(path.parent, in_place=False)
    await archive.drain()
    ballast = fill(small_disk)
    order = await accept(archive, "x.fits", SOAK0=8)
    async with working(archive):
        await until_held(archive, order)
        assert "free space" in ((await look(archive, order)).error or "")
        assert path.read_bytes() == content
        ballast.unlink()
        await until_ended(archive, [order])
    assert names_in(path.parent) == [name]
    assert header_of(path)["SOAK0"] == 8
    assert await archive.verify() == {"x.fits": ""}


async def test_an_edit_of_a_read_only_directory_waits_and_nothing_else(
    archive: Archive, small_disk: Path
) -> None:
    path = put(small_disk / "night" / "x.fits", CONTENT)
    await archive.ingest(path.parent, in_place=False)
    await archive.drain()
    remount(small_disk, "ro")
    order = await accept(archive, "x.fits", SOAK0=8)
    async with working(archive):
        await until_held(archive, order)
        assert "read-only" in ((await look(archive, order)).error or "")
        assert path.read_bytes() == CONTENT
        remount(small_disk, "rw")
        await until_ended(archive, [order])
    assert header_of(path)["SOAK0"] == 8
    assert await archive.verify() == {"x.fits": ""}


async def test_edits_and_reverts_wait_for_the_disk_of_the_journal(archive: Archive) -> None:
    # What a new process finds: neither journal nor directories are there yet.
    path = await taken_in(archive, "x.fits")
    await archive.set("x.fits", SOAK0=1)
    private = archive.context.stores.private
    archive.let_go()
    shutil.rmtree(private)
    with mounted(private, "2m") as disk:
        ballast = fill(disk)
        revert = await submit_revert(archive.context, "x.fits", None, ORIGIN)
        async with working(archive):
            await until_held(archive, revert)
            assert header_of(path)["SOAK0"] == 1
            edit = await accept(archive, "x.fits", SOAK0=2)
            ballast.unlink()
            await until_ended(archive, [revert, edit])
        archive.let_go()
    assert header_of(path)["SOAK0"] == 2
    edits = (await archive.history("x.fits")).edits
    assert [edit.cards[0]["new"] for edit in edits if edit.outcome == "changed"] == [1, -1, 2]


async def test_uploads_wait_for_the_disk_of_the_store(archive: Archive, client: httpx.AsyncClient) -> None:
    data = archive.context.settings.data
    data.mkdir(exist_ok=True)
    with mounted(data / "store", "4m") as disk:
        async with archive.context.database.begin() as connection:
            await catalog.store_root(connection, archive.context)
        ballast = fill(disk)
        for seed in (6, 7):
            content = frame_bytes(seed, kilobytes=30)
            reply = await client.post("/upload_file/soak/u.fits", content=content)
            assert reply.status_code == 200, reply.text
        (first, later) = await orders_of_kind(archive, "ingest_upload")
        async with working(archive):
            await until_held(archive, first)
            assert "free space" in ((await look(archive, first)).error or "")
            assert (await look(archive, later)).state is State.QUEUED
            ballast.unlink()
            await until_ended(archive, [first, later])
        assert (await archive.path("u.fits")).read_bytes() == content
        assert names_in(data / STAGING) == []
        archive.let_go()


async def orders_of_kind(archive: Archive, kind: str) -> list[int]:
    """Return the orders of a kind, oldest first."""
    async with archive.context.database.begin() as connection:
        found = await connection.execute(
            text("SELECT id FROM work_order WHERE kind = :kind ORDER BY id"), {"kind": kind}
        )
        return list(found.scalars())


@pytest.fixture
async def client(archive: Archive) -> AsyncIterator[httpx.AsyncClient]:
    """Speak to the application without a server."""
    async with archive.context.database.begin() as connection:
        scopes = (Scope.UPLOAD, Scope.EDIT, Scope.ADMIN)
        secret = await create_token(connection, "t", scopes, now=archive.context.clock.now())
    app = create_app(archive.context.settings, context=archive.context)
    # The transport does not run the lifespan of the application.
    app.state.context = archive.context
    transport = httpx.ASGITransport(app=app)
    headers = {"X-Api-Key": secret}
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as one:
        yield one


async def test_an_upload_to_a_full_staging_area_gets_507_and_leaves_nothing(
    archive: Archive, client: httpx.AsyncClient, small_disk: Path
) -> None:
    data = archive.context.settings.data
    data.mkdir(exist_ok=True)
    await archive.drain()
    (small_disk / STAGING).mkdir()
    (data / STAGING).symlink_to(small_disk / STAGING)
    async with archive.context.database.begin() as connection:
        await catalog.store_root(connection, archive.context)
    ballast = fill(small_disk)
    reply = await client.post("/upload_file/soak/u.fits", content=CONTENT)
    assert reply.status_code == 507, reply.text
    assert "free space" in reply.json()["detail"]
    assert names_in(small_disk / STAGING) == []
    ballast.unlink()
    reply = await client.post("/upload_file/soak/u.fits", content=CONTENT)
    assert reply.status_code == 200, reply.text
    await archive.drain()
    assert (await archive.path("u.fits")).read_bytes() == CONTENT
    assert await archive.verify() == {"u.fits": ""}


async def test_orders_that_wait_for_room_are_told_wherever_one_looks(
    archive: Archive, client: httpx.AsyncClient, small_disk: Path
) -> None:
    put(small_disk / "night" / "x.fits.bz2", bz2.compress(CONTENT))
    await archive.ingest(small_disk / "night", in_place=False)
    await archive.drain()
    ballast = fill(small_disk)
    reply = await client.post(
        "/update_headers", json=[{"filename": "x.fits", "values": {"generic": {"SOAK0": 8}}}]
    )
    (order,) = await orders_of_kind(archive, "update_headers")
    async with working(archive):
        await until_held(archive, order)
        (item,) = (await client.get(reply.headers["Location"])).json()["items"]
        (listed,) = (await client.get("/v1/orders", params={"kind": "update_headers"})).json()["orders"]
        status = (await client.get("/v1/status")).json()
        health = (await client.get("/v1/health")).json()
        metrics = (await client.get("/v1/metrics")).text
        assert item["state"] in ("queued", "started")
        assert listed["held"] is True
        (held,) = status["held"]
        for reason in (item["error"], listed["error"], held["reason"]):
            assert "free space on its file system" in reason
            assert "is tried again" in reason
        assert (held["orders"], held["first"]) == (1, order)
        assert held["place"].startswith("night")
        assert [queue["held"] for queue in status["queues"]] == [1]
        assert (health["status"], health["held"], health["accepts_edits"]) == ("degraded", 1, True)
        assert 'armillary_queue_held{kind="update_headers"} 1.0' in metrics
        ballast.unlink()
        await until_ended(archive, [order])
    assert (await client.get("/v1/status")).json()["held"] == []
    assert (await look(archive, order)).held is None


async def test_health_tells_when_nothing_can_be_staged(archive: Archive) -> None:
    async def found() -> Health:
        return await health_of(archive.context, patience_s=PATIENCE_S)

    archive.context.settings.data.mkdir(exist_ok=True)
    assert (await found()).accepts_uploads
    with mounted(archive.context.settings.data / STAGING, "4m") as disk:
        ballast = fill(disk)
        full = await found()
        assert (full.status, full.accepts_edits, full.accepts_uploads) == (Verdict.REFUSING, True, False)
        assert full.reasons[0].startswith("The staging area of uploads: No space left on device")
        ballast.unlink()
        assert (await found()).accepts_uploads
        remount(disk, "ro")
        closed = await found()
        assert (closed.status, closed.accepts_uploads) == (Verdict.REFUSING, False)
        assert "read-only" in closed.reasons[0]
        remount(disk, "rw")
        assert (await found()).accepts_uploads
        # It was tried by writing, and nothing of that is left.
        assert names_in(disk) == []
