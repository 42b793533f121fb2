"""Small files bring digests and pictures with their intake; whatever cannot be made at once is ordered."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import time
from pathlib import Path

from sqlalchemy import text

from armillary.archive.catalog import service as catalog
from armillary.archive.products import service as products
from armillary.archive.products.portions import LEAST
from armillary.base.postgres.server import EmbeddedServer
from tests.support import bombs
from tests.support.archive import OLD_NS, Archive, an_archive, put
from tests.support.headers import a_file, a_primary
from tests.support.kills import processes
from tests.support.patience import in_time

MANY = LEAST + 2
JPEG = b"\xff\xd8\xff"
PATIENT_S = 300.0


def put_many(archive: Archive, count: int = MANY, *, night: str = "night") -> Path:
    """Write small files that all differ."""
    for number in range(count):
        cards = [("OBJECT", f"{night} {number}", "")]
        put(archive.directory / night / f"{night}-{number:03d}.fits", a_file(cards=cards))
    return archive.directory / night


async def orders(archive: Archive) -> dict[str, int]:
    """Return how many orders there are of each kind but of intake."""
    query = "SELECT kind, count(*) FROM work_order WHERE kind <> 'ingest' GROUP BY kind"
    async with archive.context.database.begin() as connection:
        return {row[0]: row[1] for row in await connection.execute(text(query))}


async def written(archive: Archive) -> dict[str, set[str]]:
    """Return which transaction wrote each row of the catalog and the queue, and where the row lies."""
    tables = ("file", "version", "frame", "product", "work_order", "feed_entry")
    async with archive.context.database.begin() as connection:
        return {
            one: set(await connection.scalars(text(f"SELECT concat(ctid, ' ', xmin) FROM {one}")))
            for one in tables
        }


async def picture(archive: Archive, name: str, kind: str = "preview") -> bytes | None:
    """Return the bytes of a picture, or the reason why there is none."""
    version = await archive.version(name)
    async with archive.context.database.begin() as connection:
        found = await catalog.get_product(connection, version.id, kind)
    return await products.fetch(archive.context, found) if found else None


async def pictured(archive: Archive, folder: Path) -> list[str]:
    """Return the names of the files of a directory that have both pictures."""
    found = []
    for path in sorted(folder.iterdir()):
        kinds = [await picture(archive, path.name, kind) for kind in ("preview", "thumbnail")]
        if all(one is not None and one.startswith(JPEG) for one in kinds):
            found.append(path.name)
    return found


async def test_digests_are_known_as_soon_as_the_files_are(archive: Archive) -> None:
    folder = put_many(archive, 2)
    await archive.ingest(folder)
    for path in folder.iterdir():
        version, data = await archive.version(path.name), path.read_bytes()
        assert version.data_md5 == version.file_md5 == hashlib.md5(data).hexdigest()
        assert version.data_sha256 == version.file_sha256 == hashlib.sha256(data).hexdigest()
        assert [hdu.data_sum is not None for hdu in version.hdus] == [True, True]
    # So few files are not kept waiting for their pictures.
    assert await orders(archive) == {"preview": 2}
    assert set((await archive.verify()).values()) == {""}


async def test_a_datasum_that_is_wrong_is_a_warning_at_once(archive: Archive) -> None:
    data = bytearray(a_file(extensions=0))
    data[-2880] ^= 0xFF
    await archive.ingest(put(archive.directory / "night" / "a.fits", bytes(data)))
    version = await archive.version("a.fits")
    async with archive.context.database.begin() as connection:
        frame = await catalog.frame_of_file(connection, version.file_id)
    assert frame is not None
    assert any("DATASUM of HDU 0" in warning for warning in frame["warnings"])
    assert await archive.find(warnings=True) == ["a.fits"]


async def test_pictures_of_many_come_with_the_intake_and_equal_those_of_orders(archive: Archive) -> None:
    folder = put_many(archive)
    await archive.ingest(folder)
    assert await orders(archive) == {}
    assert len(await pictured(archive, folder)) == MANY
    name = "night-000.fits"
    drawn = await picture(archive, name)
    version = await archive.version(name)
    async with archive.context.database.begin() as connection:
        await products.ask_again(connection, products.PREVIEW, version.id)
    await archive.drain()
    assert await picture(archive, name) == drawn
    assert set((await products.settle_products(archive.context)).values()) == {0}


async def test_what_has_no_image_needs_no_order(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "night" / "a.fits", a_primary()))
    assert await orders(archive) == {}


async def test_a_bomb_among_small_files_costs_only_its_own_picture(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    async with an_archive(postgres, tmp_path, preview_memory=400 << 20) as archive:
        folder = put_many(archive)
        bomb = bombs.tiles([bytes(3000)], image=(20_000, 20_000), tile=(20_000, 20_000), kind="RICE_1")
        put(folder / "bomb.fits", bomb)
        await archive.ingest(folder)
        assert await orders(archive) == {"preview": 1, "tiles": 1}
        assert len(await pictured(archive, folder)) == MANY
        await archive.drain()
        assert b"takes more than" in (await picture(archive, "bomb.fits") or b"")
        assert len(await pictured(archive, folder)) == MANY


async def test_a_portion_that_takes_too_long_is_left_to_orders(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    async with an_archive(postgres, tmp_path, preview_s=1e-6) as archive:
        folder = put_many(archive)
        await archive.ingest(folder)
        assert await orders(archive) == {"preview": MANY}
        assert await pictured(archive, folder) == []
        patient = archive.context.settings.archive.model_copy(update={"preview_s": PATIENT_S})
        object.__setattr__(archive.context.settings, "archive", patient)
        await archive.drain()
        assert len(await pictured(archive, folder)) == MANY


async def test_a_portion_whose_process_dies_is_drawn_one_by_one(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    def children() -> set[int]:
        return {
            one.pid for one in processes() if one.parent == os.getpid() and "sandbox.child" in one.command
        }

    before = children()
    # A limit of its own, so that its children are used by no other test.
    async with an_archive(postgres, tmp_path, preview_memory=(1 << 30) + 4096) as archive:
        await archive.ingest(put_many(archive))
        ours = children() - before
        assert ours
        for pid in ours:
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENT_S
        while left := ours & children():
            in_time(deadline, left)
            await asyncio.sleep(0.01)
        folder = put_many(archive, night="second")
        await archive.ingest(folder)
        assert await orders(archive) == {"preview": MANY}
        await archive.drain()
        assert len(await pictured(archive, folder)) == MANY


async def test_what_has_not_changed_costs_no_row_and_no_order(archive: Archive) -> None:
    folder = put_many(archive)
    await archive.ingest(folder)
    before = await written(archive)
    again = await archive.ingest(folder)
    assert (again.ingested, again.skipped, again.failed) == (0, MANY, [])
    assert await written(archive) == before
    put(folder / "night-000.fits", a_file(cards=[("OBJECT", "another", "")]), mtime_ns=OLD_NS + 1)
    assert (await archive.ingest(folder)).ingested == 1
    after = await written(archive)
    assert all(after[table] - before[table] for table in ("version", "frame", "work_order"))
