"""Uploads on the worker's side: what is bad changes nothing, what is good replaces, and nothing is lost."""

from __future__ import annotations

import asyncio
import bz2
import os
import threading
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from armillary.access.models import OPERATOR
from armillary.archive.catalog import service as catalog
from armillary.archive.download import service as download
from armillary.archive.download.service import open_download
from armillary.archive.errors import BeingChanged, FileAmbiguous
from armillary.archive.intake import uploads
from armillary.archive.intake.staging import DAY_S, STAGING, stage, sweep_staging
from armillary.base.store import staging
from armillary.base.store.staging import Staged, UploadTooLarge
from armillary.base.work import Response
from tests.support.archive import Archive, an_archive, put
from tests.support.headers import a_file
from tests.support.postgres import EmbeddedServer

GOOD = a_file(cards=[("OBJECT", "M 1", "")])
OTHER = a_file(cards=[("OBJECT", "M 2", "")])
NAME = "x.fits"


async def chunks_of(content: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def queue(archive: Archive, content: bytes, name: str = NAME, *, path: str = "") -> tuple[Staged, int]:
    """Receive bytes as the web side does."""
    context = archive.context
    async with context.database.begin() as connection:
        await catalog.store_root(connection, context)
    staged = await stage(context, chunks_of(content), declared=len(content))
    async with context.database.begin() as connection:
        order = await uploads.accept_upload(
            connection, staged, path=path, name=name, actor="observer", batch=None
        )
    return staged, order


async def upload(archive: Archive, content: bytes, name: str = NAME, *, path: str = "") -> Response:
    """Receive bytes and carry the order out; return how it ended."""
    _, order = await queue(archive, content, name, path=path)
    return (await archive.run([order]))[order].response


def stored(archive: Archive, name: str = NAME) -> Path:
    return archive.context.settings.data / "store" / name


def staged_files(archive: Archive) -> list[Path]:
    return sorted((archive.context.settings.data / STAGING).glob("*"))


async def change_args(archive: Archive, order: int, change: str) -> None:
    """Let the web side lie."""
    async with archive.context.database.begin() as connection:
        query = "UPDATE work_order SET args = args || CAST(:change AS jsonb) WHERE id = :id"
        await connection.execute(text(query), {"change": change, "id": order})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no FITS at all" * 500, "x.fits: "),
        (b"", "x.fits: "),
        (GOOD[:-4000], "x.fits: "),
        (bz2.compress(GOOD), "x.fits: "),
    ],
    ids=["foreign", "empty", "truncated", "another container"],
)
async def test_a_bad_upload_leaves_the_good_file_alone(archive: Archive, content: bytes, said: str) -> None:
    assert (await upload(archive, GOOD)).ok
    before = (await archive.version(NAME)).id
    response = await upload(archive, content)
    assert not response.ok
    assert response.error.startswith(said)
    assert stored(archive).read_bytes() == GOOD
    assert (await archive.version(NAME)).id == before
    assert await archive.verify(NAME) == {NAME: ""}
    assert [path.read_bytes() for path in staged_files(archive)] == [content]


@pytest.mark.parametrize("lie", ['{"crc": 5}', '{"size": 5}', '{"crc": null}'])
async def test_the_worker_does_not_trust_the_sums_of_the_web_side(archive: Archive, lie: str) -> None:
    assert (await upload(archive, GOOD)).ok
    _, order = await queue(archive, OTHER)
    await change_args(archive, order, lie)
    response = (await archive.run([order]))[order].response
    assert "are not those that came" in response.error
    assert stored(archive).read_bytes() == GOOD


@pytest.mark.parametrize("token", ["../store/x.fits", "/etc/passwd", "..", "", "0" * 32])
async def test_only_staged_bytes_are_taken(archive: Archive, token: str) -> None:
    _, order = await queue(archive, GOOD)
    await change_args(archive, order, f'{{"staged": "{token}"}}')
    response = (await archive.run([order]))[order].response
    assert "send it again" in response.error
    assert not stored(archive).exists()


async def test_a_link_in_the_staging_area_is_not_followed(archive: Archive) -> None:
    staged, order = await queue(archive, GOOD)
    secret = put(archive.directory / "secret.fits", GOOD)
    path = archive.context.settings.data / STAGING / staged.token
    path.unlink()
    path.symlink_to(secret)
    assert not (await archive.run([order]))[order].response.ok
    assert not stored(archive).exists()


@pytest.mark.parametrize(("first", "second"), [("x.fits.bz2", "x.fits"), ("x.fits", "x.fits.bz2")])
async def test_a_second_container_of_a_file_is_refused(archive: Archive, first: str, second: str) -> None:
    forms = {"x.fits": GOOD, "x.fits.bz2": bz2.compress(GOOD)}
    assert (await upload(archive, forms[first], first)).ok
    response = await upload(archive, forms[second], second)
    assert "two containers of one file" in response.error
    assert not stored(archive, second).exists()
    assert (await archive.version(NAME)).location.filename == first


async def test_a_link_in_the_store_is_not_written_through(archive: Archive) -> None:
    assert (await upload(archive, GOOD)).ok
    stored(archive, "y.fits").symlink_to(NAME)
    assert "is another name of x.fits" in (await upload(archive, OTHER, "y.fits")).error
    assert stored(archive).read_bytes() == GOOD


async def test_an_upload_replaces_and_the_old_bytes_stay(archive: Archive) -> None:
    assert (await upload(archive, GOOD)).ok
    first = (await archive.version(NAME)).id
    assert (await upload(archive, OTHER)).ok
    second = await archive.version(NAME)
    assert (second.previous_id, second.origin, stored(archive).read_bytes()) == (first, "upload", OTHER)
    assert stored(archive, f".superseded/{first}/{NAME}").read_bytes() == GOOD
    assert await archive.verify(NAME) == {NAME: ""}
    assert staged_files(archive) == []


async def test_an_upload_goes_to_the_tree_that_has_the_file(archive: Archive, tmp_path: Path) -> None:
    put(tmp_path / "night" / "n1" / NAME, GOOD)
    await archive.ingest(tmp_path / "night")
    first = await archive.version(NAME)
    assert (await upload(archive, OTHER, path="n1")).ok
    second = await archive.version(NAME)
    assert (second.location, second.previous_id) == (first.location, first.id)
    assert (tmp_path / "night" / "n1" / NAME).read_bytes() == OTHER
    assert stored(archive, f".superseded/{first.id}/{NAME}").read_bytes() == GOOD
    assert sorted(p.name for p in (tmp_path / "night").iterdir()) == ["n1"]


async def test_an_upload_for_a_tree_that_lost_the_file_is_sent_again(
    archive: Archive, tmp_path: Path
) -> None:
    put(tmp_path / "night" / NAME, GOOD)
    await archive.ingest(tmp_path / "night")
    _, order = await queue(archive, OTHER)
    async with archive.context.database.begin() as connection:
        await connection.execute(text("UPDATE version SET present = false"))
    response = (await archive.run([order]))[order].response
    assert "no longer there to be replaced; send the file again" in response.error


async def test_an_upload_that_two_trees_could_take_is_refused(archive: Archive, tmp_path: Path) -> None:
    for tree in ("one", "two"):
        put(tmp_path / tree / NAME, a_file(cards=[("TREE", tree, "")]))
        await archive.ingest(tmp_path / tree)
    with pytest.raises(FileAmbiguous, match="remove the file from all but one"):
        await queue(archive, OTHER)


async def test_an_upload_of_the_same_bytes_is_no_new_version(archive: Archive) -> None:
    assert (await upload(archive, GOOD)).ok
    first = await archive.version(NAME)
    assert (await upload(archive, GOOD)).ok
    again = await archive.version(NAME)
    assert again.id == first.id
    assert again.mtime_ns == stored(archive).stat().st_mtime_ns
    await archive.set(NAME, OBJECT="M 3")
    assert await archive.verify(NAME) == {NAME: ""}


async def test_old_bytes_are_set_aside_in_pieces(archive: Archive) -> None:
    large = a_file() + bytes(2880 * 8000)
    version = 1
    (archive.context.settings.data / "store").mkdir(parents=True)
    stored(archive).write_bytes(large)
    async with archive.context.database.begin() as connection:
        root = await catalog.store_root(connection, archive.context)
    bytes_of = catalog.store_of(archive.context, root)
    tracemalloc.start()
    try:
        await uploads.keep_old_bytes(bytes_of, NAME, version, own_store=bytes_of)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stored(archive, f".superseded/{version}/{NAME}").read_bytes() == large
    assert peak < len(large) / 2


async def test_between_replacement_and_record_nothing_is_served(archive: Archive) -> None:
    """Bytes of equal size with other pixels lie there; the headers in the catalog are those of the old ones."""
    await upload(archive, GOOD)
    async with archive.context.database.begin() as connection:
        served = await download.version_to_serve(connection, NAME, OPERATOR, now=archive.context.clock.now())
    bytes_of = catalog.store_of(archive.context, served.root)
    pixels = np.frombuffer(GOOD, "u1").copy()
    pixels[-2880:] ^= 1

    async def nothing() -> None:
        return

    there = await bytes_of.head(NAME)
    await bytes_of.replace(NAME, pixels.tobytes(), there, nothing)
    with pytest.raises(BeingChanged):
        await open_download(bytes_of, served, NAME, max_unpacked=len(GOOD))


async def test_bytes_of_failed_orders_outlive_the_orders(archive: Archive) -> None:
    staged, order = await queue(archive, b"no FITS")
    assert not (await archive.run([order]))[order].response.ok
    path = archive.context.settings.data / STAGING / staged.token
    async with archive.context.database.begin() as connection:
        await connection.execute(text("DELETE FROM work_order"))
    for days, left in ((13, True), (15, False)):
        then = archive.context.clock.now().timestamp() - days * DAY_S
        os.utime(path, (then, then))
        assert await sweep_staging(archive.context) == (0 if left else 1)
        assert path.exists() is left


async def test_uploads_that_broke_off_go_after_a_day(archive: Archive) -> None:
    area = archive.context.settings.data / STAGING
    area.mkdir(parents=True)
    then = archive.context.clock.now().timestamp() - 1.1 * DAY_S
    old, new = area / "a.part", area / "b.part"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (then, then))
    assert await sweep_staging(archive.context) == 1
    assert [path.name for path in staged_files(archive)] == ["b.part"]


async def test_staging_writes_and_syncs_in_threads(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.context.settings.data.mkdir(parents=True, exist_ok=True)
    calls: list[tuple[str, bool]] = []
    add, sync = staging.Sink.add, os.fsync

    def noted_add(self: staging.Sink, data: bytes) -> None:
        calls.append((f"add {len(data)}", threading.current_thread() is threading.main_thread()))
        add(self, data)

    def noted_sync(descriptor: int) -> None:
        kind = "directory" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "file"
        calls.append((f"sync {kind}", threading.current_thread() is threading.main_thread()))
        sync(descriptor)

    monkeypatch.setattr(staging.Sink, "add", noted_add)
    monkeypatch.setattr(os, "fsync", noted_sync)
    content = bytes(2_500_000)
    await stage(archive.context, chunks_of(content, 250_000), declared=None)
    assert calls == [
        ("add 1250000", False),
        ("add 1250000", False),
        ("add 0", False),
        ("sync file", False),
        ("sync directory", False),
    ]


async def test_too_large_uploads_and_cancelled_ones_leave_nothing(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    async with an_archive(postgres, tmp_path, max_upload=1000) as archive:
        archive.context.settings.data.mkdir(parents=True, exist_ok=True)
        with pytest.raises(UploadTooLarge):
            await stage(archive.context, chunks_of(bytes(1001)), declared=None)
        unread = chunks_of(b"x")
        with pytest.raises(UploadTooLarge):
            await stage(archive.context, unread, declared=1001)
        assert [chunk async for chunk in unread] == [b"x"]
        waiting = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"x"
            waiting.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(stage(archive.context, endless(), declared=None))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert staged_files(archive) == []
