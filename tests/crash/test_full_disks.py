"""A disk that is full, broken or read-only: orders are tried again or fail with a reason, files stay complete."""

from __future__ import annotations

import bz2
import ctypes
import errno
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from armillary.access.models import Scope
from armillary.access.service import create_token
from armillary.app import create_app
from armillary.archive import service
from armillary.archive.staging import STAGING
from armillary.base.store import LocalStore
from armillary.edits.service import accept_one
from tests.crash.night import data_of, frame_bytes, unpacked
from tests.crash.test_replay import GROWTH, header_of
from tests.support.archive import ORIGIN, Archive, put
from tests.support.faults import FaultyFiles
from tests.support.stores import names_in

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
    name = next(n for n, one in stores.opened.items() if one._shop.root.path == path.parent)  # type: ignore[attr-defined]
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


@pytest.mark.parametrize("kind", KINDS)
async def test_an_edit_on_a_disk_that_stays_full_fails_with_a_reason(archive: Archive, kind: str) -> None:
    name, cards = KINDS[kind]
    path = await taken_in(archive, name)
    before = path.read_bytes()
    for number in range(4):
        await break_disk(archive, path, FaultyFiles(fail_at=number, errno=errno.ENOSPC, lasting=True))
        order = (await accept_one(archive.context, {"generic": cards}, "x.fits", ORIGIN)).order_ids[0]
        outcome = (await archive.run([order]))[order]
        assert "free space" in outcome.response.error
        assert path.read_bytes() == before
        (edit,) = [e for e in (await archive.history("x.fits")).edits if e.order_id == order]
        assert (edit.outcome, edit.error) == ("failed", outcome.response.error)
    await break_disk(archive, path, None)
    await archive.set("x.fits", **cards)
    assert await archive.verify() == {"x.fits": ""}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of a few megabytes, as only root can."""
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", mount], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield mount
    finally:
        ctypes.CDLL(None).umount2(os.fsencode(mount), 2)


def fill(disk: Path) -> Path:
    """Use all space up."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as sink:
        try:
            while sink.write(bytes(4096)):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    return ballast


def remount(disk: Path, how: str) -> None:
    """Make a mounted file system writable or not."""
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)


@pytest.mark.parametrize("name", ["x.fits", "x.fits.bz2"])
async def test_a_really_full_disk_loses_nothing(archive: Archive, small_disk: Path, name: str) -> None:
    content = bz2.compress(CONTENT) if name.endswith("bz2") else CONTENT
    path = put(small_disk / "night" / name, content)
    await archive.ingest(path.parent, in_place=False)
    await archive.drain()
    ballast = fill(small_disk)
    order = (await accept_one(archive.context, {"generic": {"SOAK0": 8}}, "x.fits", ORIGIN)).order_ids[0]
    outcome = (await archive.run([order]))[order]
    assert "free space" in outcome.response.error
    assert path.read_bytes() == content
    assert names_in(path.parent) == [name]
    ballast.unlink()
    await archive.set("x.fits", SOAK0=8)
    assert header_of(path)["SOAK0"] == 8
    assert await archive.verify() == {"x.fits": ""}


async def test_a_read_only_directory_fails_the_edit_and_nothing_else(
    archive: Archive, small_disk: Path
) -> None:
    path = put(small_disk / "night" / "x.fits", CONTENT)
    await archive.ingest(path.parent, in_place=False)
    await archive.drain()
    remount(small_disk, "ro")
    order = (await accept_one(archive.context, {"generic": {"SOAK0": 8}}, "x.fits", ORIGIN)).order_ids[0]
    outcome = (await archive.run([order]))[order]
    assert "read-only" in outcome.response.error
    assert path.read_bytes() == CONTENT
    remount(small_disk, "rw")
    await archive.set("x.fits", SOAK0=8)
    assert await archive.verify() == {"x.fits": ""}


@pytest.fixture
async def client(archive: Archive) -> AsyncIterator[httpx.AsyncClient]:
    """Speak to the application without a server."""
    async with archive.context.database.begin() as connection:
        scopes = (Scope.UPLOAD, Scope.EDIT)
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
        await service.store_root(connection, archive.context)
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
