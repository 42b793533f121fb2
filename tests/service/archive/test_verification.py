"""Every changed byte of a stored file is found, whatever the container."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from armillary.archive.errors import FileNotFound
from armillary.archive.intake.verification import RESTLESS
from tests.support.archive import Archive, put
from tests.support.headers import a_file

DATA = a_file(cards=[("OBSERVER", "nobody", "who")])
PACKERS: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".bz2": bz2.compress, ".gz": gzip.compress}


def flip(path: Path, at: int) -> None:
    """Change one byte and leave the time stamp as it was, as decaying disks do."""
    state = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


async def stored(archive: Archive, suffix: str = "") -> Path:
    path = put(archive.directory / "in" / f"a.fits{suffix}", PACKERS[suffix](DATA))
    await archive.ingest(path)
    put(path.with_name("other.fits"))
    await archive.ingest(path.parent)
    assert set((await archive.verify()).values()) == {""}
    return path


async def test_a_flip_in_a_header_is_found(archive: Archive) -> None:
    path = await stored(archive)
    flip(path, DATA.index(b"nobody"))
    problems = await archive.verify()
    assert "headers were changed outside Armillary" in problems["a.fits"]
    assert problems["other.fits"] == ""


async def test_a_flip_in_the_data_names_the_hdu(archive: Archive) -> None:
    path = await stored(archive)
    flip(path, len(DATA) - 2880 + 10)
    assert "the data of HDU 1 changed; restore the file from a copy" in (await archive.verify())["a.fits"]
    flip(path, 2880 + 100)
    assert "HDU 0, 1" in (await archive.verify("a.fits"))["a.fits"]


async def test_a_flip_in_the_structure_is_found(archive: Archive) -> None:
    path = await stored(archive)
    flip(path, 3)
    assert (await archive.verify())["a.fits"]


@pytest.mark.parametrize("suffix", [".bz2", ".gz"])
@pytest.mark.parametrize("part", [0.01, 0.3, 0.6, 0.95, 0.999])
async def test_a_flip_in_a_compressed_file_is_found(archive: Archive, suffix: str, part: float) -> None:
    path = await stored(archive, suffix)
    flip(path, int(path.stat().st_size * part))
    assert (await archive.verify("a.fits.bz2"))["a.fits"]


async def test_another_compression_of_the_same_content_is_told_apart(archive: Archive) -> None:
    path = await stored(archive, ".gz")
    path.write_bytes(gzip.compress(DATA, 1))
    assert "content is intact" in (await archive.verify())["a.fits"]


async def test_files_that_are_gone_or_cut_are_named(archive: Archive) -> None:
    path = await stored(archive)
    os.truncate(path, len(DATA) - 2880)
    path.with_name("other.fits").unlink()
    problems = await archive.verify()
    assert "copy or upload it again" in problems["a.fits"]
    assert "the file is gone; restore it" in problems["other.fits"]


async def test_an_edit_of_a_file_changed_outside_leaves_it_alone(archive: Archive) -> None:
    path = await stored(archive)
    flip(path, DATA.index(b"nobody"))
    before = path.read_bytes()
    with pytest.raises(Exception, match="changed outside Armillary"):
        await archive.set("a.fits", OBSERVER="me")
    assert path.read_bytes() == before
    assert (await archive.ingest(path, force=True)).ingested == 1
    assert (await archive.set("a.fits", OBSERVER="me"))["changed"]


async def test_a_name_that_is_not_there_is_refused(archive: Archive) -> None:
    with pytest.raises(FileNotFound, match=r"nope\.fits"):
        await archive.verify("nope.fits")


async def test_an_edit_between_its_bytes_and_its_record_is_no_damage(archive: Archive) -> None:
    path = await stored(archive)
    key = (await archive.version("a.fits")).location.file_key
    started = (
        "INSERT INTO work_order (kind, key, args, state, lease_owner, lease_until)"
        " VALUES ('echo', :key, '{}', 'Started', 'somebody', now() + interval '1 minute')"
    )
    async with archive.context.database.begin() as connection:
        await connection.execute(text(started), {"key": key})
    flip(path, DATA.index(b"nobody"))
    verifying = asyncio.create_task(archive.verify("a.fits"))
    assert (await asyncio.wait({verifying}, timeout=0.3))[1]
    flip(path, DATA.index(b"nobody"))
    assert await verifying == {"a.fits": ""}


async def test_verifying_beside_edits_gives_no_false_alarm(archive: Archive) -> None:
    await stored(archive)
    done = asyncio.Event()

    async def edit() -> None:
        for number in range(8):
            await archive.set("a.fits", OBSERVER=f"nobody {number}")
        done.set()

    editing = asyncio.create_task(edit())
    while not done.is_set():
        assert set((await archive.verify()).values()) <= {"", RESTLESS}
    await editing
