"""Small files bring digests and pictures with their intake; whatever cannot be made at once is ordered."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Location
from armillary.archive.catalog.rows import NewVersion
from armillary.archive.fields import UNTOLD
from armillary.archive.intake import ingest
from armillary.archive.intake.beside import get_ready
from armillary.archive.intake.foresight.service import child_for, children_for
from armillary.archive.intake.looks import Candidate
from armillary.archive.intake.small import LEAST
from armillary.archive.models import SMALL
from armillary.archive.products import service as products
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.sandbox.errors import ChildDied
from armillary.base.sandbox.pool import CHILDREN
from armillary.base.store import StoredObject
from armillary.fits.series import HeaderValues
from armillary.sky.healpix import healpix_indices
from tests.support import bombs
from tests.support.archive import OLD_NS, Archive, an_archive, put
from tests.support.headers import a_file, a_primary
from tests.support.kills import processes
from tests.support.patience import in_time
from tests.support.versions import a_version

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


async def test_positions_of_many_are_those_of_the_library(archive: Archive) -> None:
    for number in range(MANY):
        place = [] if number == 0 else [("RA", 10.0 + 20 * number, ""), ("DEC", 30.0 - number, "")]
        put(archive.directory / "night" / f"{number:02d}.fits", a_file(cards=place))
    await archive.ingest(archive.directory / "night")
    assert await orders(archive) == {}
    query = text("SELECT ra_deg, dec_deg, hpx FROM frame ORDER BY file_id")
    async with archive.context.database.begin() as connection:
        rows = (await connection.execute(query)).all()
    without = [row for row in rows if row.hpx is None]
    placed = [row for row in rows if row.hpx is not None]
    assert [(row.ra_deg, row.dec_deg) for row in without] == [(None, None)]
    places = (np.array([row[at] for row in placed]) for at in (0, 1))
    assert [row.hpx for row in placed] == healpix_indices(*places).tolist()
    assert len(placed) == MANY - 1


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


async def test_a_broken_file_among_many_is_told_of_as_if_it_were_alone(archive: Archive) -> None:
    folder = put_many(archive)
    put(folder / "cut.fits", a_file()[:-2881])
    report = await archive.ingest(folder)
    assert (report.ingested, report.skipped) == (MANY, 0)
    alone = await archive.ingest(folder / "cut.fits")
    assert report.failed == alone.failed
    assert "the file ends inside" in report.failed[0][1].lower()
    (folder / "cut.fits").unlink()
    assert len(await pictured(archive, folder)) == MANY


async def test_equal_pictures_are_stored_once_and_damaged_ones_anew(archive: Archive) -> None:
    folder = put_many(archive)
    await archive.ingest(folder)
    before = await picture(archive, "night-000.fits")
    objects = [one for one in products.directory_of(archive.context).rglob("*") if one.is_file()]
    assert len(objects) == 1
    objects[0].write_bytes(b"")
    second = put_many(archive, night="second")
    await archive.ingest(second)
    assert objects[0].read_bytes() == before
    assert len(await pictured(archive, second)) == MANY


async def test_pictures_that_cannot_be_stored_keep_no_file_out(archive: Archive) -> None:
    objects = products.directory_of(archive.context)
    objects.parent.mkdir(exist_ok=True)
    objects.write_bytes(b"in the way")
    folder = put_many(archive)
    assert (await archive.ingest(folder)).ingested == MANY
    assert await orders(archive) == {"preview": MANY}
    async with archive.context.database.begin() as connection:
        tries = text("SELECT max(attempts) FROM work_order WHERE kind = 'ingest'")
        assert await connection.scalar(tries) == 1
    objects.unlink()
    await archive.drain()
    assert len(await pictured(archive, folder)) == MANY


def children() -> set[int]:
    """Return the child processes of this one that work is left to."""
    return {one.pid for one in processes() if one.parent == os.getpid() and "sandbox.child" in one.command}


async def test_children_are_made_ready_for_many_small_files_alone(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    # A limit of its own, so that its children are those of no other test.
    async with an_archive(postgres, tmp_path, preview_memory=(1 << 30) + 8192) as archive:
        before = children()
        few, large = put_many(archive, LEAST - 1), archive.directory / "large"
        for number in range(LEAST):
            put(large / f"{number}.fits", bytes(SMALL + 1))
        for folder in (few, large):
            await get_ready(archive.context, sorted(folder.iterdir()))
        assert children() == before
        many = put_many(archive, night="many")
        await get_ready(archive.context, sorted(many.iterdir()))
        ready = children() - before
        assert len(ready) == CHILDREN
        await archive.ingest(many)
        assert children() - before == ready
        assert len(await pictured(archive, many)) == MANY


async def test_a_child_is_started_where_many_small_files_seem_to_be(
    postgres: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_archive(postgres, tmp_path) as archive:
        few = put_many(archive, LEAST - 1)
        (few / "notes.txt").write_text("none of ours")
        put(few / ".hidden.fits", b"")
        large = archive.directory / "large"
        for number in range(LEAST):
            put(large / f"{number}.fits", bytes(SMALL + 1))
        data = archive.context.settings.data
        for folder in (few, large, tmp_path / "nowhere"):
            assert child_for([folder], data) is None
        many = put_many(archive, night="below/many")
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
        assert child_for([many.parent], data) is None
        monkeypatch.undo()
        with children_for([few], data) as children:
            assert list(children()) == []
        with children_for([many.parent], data) as children:
            first, second = children()
        for child in (first, second):
            with pytest.raises(ChildDied):
                child.serve(lambda ask: ask(os.getpid, None), memory=1 << 30)
        await archive.ingest(many.parent)
        assert child_for([many.parent], data) is None


def test_what_is_known_of_a_file_without_fields_can_be_handed_over() -> None:
    known = NewVersion.again(a_version(), fields=UNTOLD, values=HeaderValues(()))
    given = pickle.loads(pickle.dumps(known.with_rows()))
    assert (given.rows, given.fields) == (known.rows, UNTOLD)


def test_places_are_handed_over_as_they_are() -> None:
    for one in (Location(3, "2026/a b", "ä.fits"), StoredObject("a/b.fits", 2880, -1, "5:7")):
        assert pickle.loads(pickle.dumps(one)) == one


async def test_large_files_are_recorded_before_all_of_a_batch_are_read(
    postgres: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "LARGE", 2)
    recorded: list[list[str]] = []
    record = ingest.record_candidates

    async def recording(
        connection: AsyncConnection, good: Sequence[Candidate], *how: Any, **more: Any
    ) -> None:
        recorded.append([one.name for one in good])
        await record(connection, good, *how, **more)

    monkeypatch.setattr(ingest, "record_candidates", recording)
    async with an_archive(postgres, tmp_path) as archive:
        folder = put_many(archive)
        small = sorted(path.name for path in folder.iterdir())
        large = [f"x{number}.fits" for number in range(5)]
        for number, name in enumerate(large):
            put(folder / name, a_file(cards=[("OBJECT", str(number), "")]) + bytes(SMALL))
        report = await archive.ingest(folder)
        assert (report.ingested, report.failed) == (len(small) + len(large), [])
    assert recorded == [[*small, *large[:2]], large[2:4], large[4:]]


async def test_a_portion_whose_process_dies_is_drawn_one_by_one(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
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
