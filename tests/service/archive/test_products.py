"""Digests and pictures belong to the bytes of their version, whatever happens to the file meanwhile."""

from __future__ import annotations

import asyncio
import bz2
import hashlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from armillary.archive.catalog import service as catalog
from armillary.archive.models import SMALL
from armillary.archive.products import digests, objects
from armillary.archive.products import service as products
from armillary.base.halting import Halt, Halted, in_thread
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.sandbox.errors import OutOfTime
from armillary.base.work import Worker
from armillary.context import Context
from armillary.edits.kinds import UPDATE_HEADERS
from tests.support import bombs
from tests.support.archive import OLD_NS, ORIGIN, Archive, an_archive, put
from tests.support.edits import accept_one
from tests.support.headers import a_file
from tests.support.night import gemini_file

INGEST_ONLY = "ingest"
LARGE_KB = 2 * SMALL >> 10
"""The digests of smaller plain files come with their intake."""
WAIT_S = 300.0
LATE_S = 3.0
"""Longer than it takes to put pictures on record."""


async def product_orders(archive: Archive, kind: str) -> list[tuple[str, int, str]]:
    """Return state, attempts and error of the orders of a kind."""
    query = "SELECT state, attempts, coalesce(error, '') FROM work_order WHERE kind = :kind ORDER BY id"
    async with archive.context.database.begin() as connection:
        return [tuple(row) for row in await connection.execute(text(query), {"kind": kind})]


async def picture_of(archive: Archive, name: str, kind: str = "preview") -> tuple[str, bytes]:
    """Return media type and content of a product."""
    async with archive.context.database.begin() as connection:
        found = await catalog.get_product(connection, (await archive.version(name)).id, kind)
    assert found is not None
    return found.media_type, await products.fetch(archive.context, found)


def only(archive: Archive, kind: str) -> Worker[Context]:
    """Return a worker of one kind."""
    worker = archive.worker()
    worker.kinds = {kind: worker.kinds[kind]}
    return worker


async def take_in_without_products(archive: Archive, path: Path) -> None:
    """Ingest a file and leave its digest and picture waiting."""
    run = await archive.submit(path)
    await only(archive, INGEST_ONLY).run_until(list(run.orders))


async def digest_states(archive: Archive) -> list[tuple[str, str]]:
    async with archive.context.database.begin() as connection:
        rows = await connection.execute(
            text("SELECT state, coalesce(error, '') FROM work_order WHERE kind = 'digest' ORDER BY id")
        )
        return [(row[0], row[1]) for row in rows.all()]


async def test_digests_are_those_of_the_stored_and_of_the_uncompressed_bytes(archive: Archive) -> None:
    content = a_file()
    stored = bz2.compress(content)
    path = put(archive.directory / "night" / "a.fits.bz2", stored)
    await archive.ingest(path)
    await archive.drain()
    version = await archive.version("a.fits")
    assert version.data_md5 == hashlib.md5(content).hexdigest()
    assert version.file_md5 == hashlib.md5(stored).hexdigest()
    assert version.data_sha256 == hashlib.sha256(content).hexdigest()
    assert version.file_sha256 == hashlib.sha256(stored).hexdigest()


async def test_bytes_of_an_edit_that_is_not_recorded_yet_give_no_digest(archive: Archive) -> None:
    path = put(archive.directory / "night" / "a.fits.bz2", bz2.compress(a_file()))
    await take_in_without_products(archive, path)
    put(path, mtime_ns=OLD_NS + 1, data=bz2.compress(a_file(cards=[("OBJECT", "another", "")])))
    await archive.drain()
    ((state, error),) = await digest_states(archive)
    assert state != "Completed"
    assert "is being edited" in error
    assert (await archive.version("a.fits")).data_md5 is None


async def test_an_older_version_keeps_its_own_digest(archive: Archive) -> None:
    content = a_file()
    path = put(archive.directory / "night" / "a.fits", content)
    await take_in_without_products(archive, path)
    first = await archive.version("a.fits")
    await archive.set("a.fits", OBSERVER="somebody")
    await archive.drain()
    history = await archive.history("a.fits")
    assert [one.data_md5 for one in history.versions] == [
        hashlib.md5(content).hexdigest(),
        hashlib.md5(path.read_bytes()).hexdigest(),
    ]
    assert history.versions[0].id == first.id


async def test_other_data_in_the_place_of_a_version_give_it_no_digest(archive: Archive) -> None:
    path = put(archive.directory / "night" / "a.fits", gemini_file(kb=LARGE_KB))
    await take_in_without_products(archive, path)
    changed = bytearray(path.read_bytes())
    changed[-2000] ^= 0xFF
    put(path, bytes(changed), mtime_ns=OLD_NS + 1_000_000_000)
    run = await archive.submit(path)
    await archive.run(list(run.orders))
    await archive.drain()
    first, second = (await archive.history("a.fits")).versions
    assert first.data_md5 is None
    assert second.data_md5 == hashlib.md5(bytes(changed)).hexdigest()


async def test_bytes_that_rotted_since_they_were_taken_in_give_no_digest(archive: Archive) -> None:
    path = put(archive.directory / "night" / "a.fits", gemini_file(kb=LARGE_KB))
    await take_in_without_products(archive, path)
    rotten = bytearray(path.read_bytes())
    rotten[-2000] ^= 0xFF
    put(path, bytes(rotten))
    await archive.drain()
    ((_, error),) = await digest_states(archive)
    assert "differ from the catalog" in error
    assert (await archive.version("a.fits")).data_md5 is None


async def test_digests_that_a_client_waits_for_go_before_those_of_a_bulk_intake(archive: Archive) -> None:
    # The digests of small plain files come with the edit.
    path = put(archive.directory / "night" / "a.fits.bz2", bz2.compress(a_file()))
    await take_in_without_products(archive, path)
    await archive.set("a.fits", OBSERVER="somebody")
    async with archive.context.database.begin() as connection:
        rows = await connection.scalars(
            text("SELECT priority FROM work_order WHERE kind = 'digest' ORDER BY id")
        )
        of_intake, of_edit = rows.all()
    assert of_intake < of_edit == 0


async def test_a_preview_that_takes_too_long_ends_failed_and_says_why_it_is_missing(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    async with an_archive(postgres, tmp_path, preview_s=1e-6) as archive:
        await archive.ingest(put(tmp_path / "night" / "a.fits"))
        await archive.drain()
        attempts = archive.context.settings.work.max_attempts
        reason = "A preview takes more than 1e-06 s; raise archive.preview_s to allow that."
        assert await product_orders(archive, "preview") == [("Failed", attempts, reason)]
        assert await picture_of(archive, "a.fits") == ("text/plain", reason.encode())
        assert await picture_of(archive, "a.fits", "thumbnail") == ("text/plain", reason.encode())
        await archive.set("a.fits", OBSERVER="somebody")
        assert await picture_of(archive, "a.fits") == ("text/plain", reason.encode())

        patient = archive.context.settings.archive.model_copy(update={"preview_s": WAIT_S})
        object.__setattr__(archive.context.settings, "archive", patient)
        async with archive.context.database.begin() as connection:
            await products.submit_products(connection, [(await archive.version("a.fits")).id], actor="test")
        await archive.drain()
        media_type, content = await picture_of(archive, "a.fits")
        assert (media_type, content[:2]) == ("image/jpeg", b"\xff\xd8")


async def test_pictures_made_while_an_edit_is_recorded_are_those_of_its_version(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_in_without_products(archive, put(archive.directory / "night" / "a.fits"))
    keep, submit_products = objects.keep, products.submit_products
    drawn, looked = asyncio.Event(), asyncio.Event()

    async def slowly(*args: Any) -> str:
        drawn.set()
        await looked.wait()
        return await keep(*args)

    async def late(*args: Any, **options: Any) -> None:
        # The edit has looked for pictures to take along, and is not committed yet.
        looked.set()
        await asyncio.wait({building}, timeout=LATE_S)
        await submit_products(*args, **options)

    monkeypatch.setattr(objects, "keep", slowly)
    monkeypatch.setattr(products, "submit_products", late)
    building = asyncio.create_task(only(archive, "preview").drain())
    await asyncio.wait_for(drawn.wait(), WAIT_S)
    cards = {"generic": [["OBSERVER", "somebody"]]}
    accepted = await accept_one(archive.context, cards, "a.fits", ORIGIN)
    await only(archive, UPDATE_HEADERS).run_until(list(accepted.order_ids))
    await building
    assert (await archive.version("a.fits")).origin == "edit"
    assert (await picture_of(archive, "a.fits"))[0] == "image/jpeg"


async def test_a_digest_that_takes_too_long_ends_failed_and_says_so(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(archive.directory / "night" / "a.fits.bz2", bz2.compress(a_file()))
    await take_in_without_products(archive, path)
    monkeypatch.setattr(digests, "DIGEST_S", -WAIT_S)
    await archive.drain()
    attempts = archive.context.settings.work.max_attempts
    assert await product_orders(archive, "digest") == [("Failed", attempts, OutOfTime().message)]
    assert (await archive.version("a.fits")).data_md5 is None


async def test_a_stop_ends_a_preview_at_once_and_leaves_it_to_others(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    # Every tile lies before the last one read, so the 64 MiB are unpacked anew for each: that takes hours.
    cells = [bytes(40)] * 10_000
    claims = [(40, 40 * (len(cells) - number)) for number in range(1, len(cells) + 1)]
    slow = bombs.tiles(
        cells, image=(10, 10_000), tile=(10, 1), kind="NOCOMPRESS", claims=claims, gap=64 * bombs.MIB
    )
    async with an_archive(postgres, tmp_path, preview_s=WAIT_S) as archive:
        await take_in_without_products(archive, put(tmp_path / "night" / "a.fits.bz2", bz2.compress(slow)))
        stop = asyncio.Event()
        running = asyncio.create_task(archive.worker().run(stop))
        async with asyncio.timeout(WAIT_S):
            while (found := await product_orders(archive, "preview"))[0][0] != "Started":
                assert found == [("Queued", 0, "")]
                await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(running, WAIT_S / 2)
        assert await product_orders(archive, "preview") == [("Queued", 0, "")]


async def test_work_in_a_thread_ends_when_its_time_is_up_or_when_nobody_waits_for_it() -> None:
    with pytest.raises(OutOfTime):
        await in_thread(lambda halt: list(halt.passing([b"a"])), seconds=-1.0)
    assert await in_thread(lambda halt: list(halt.passing([b"a", b"b"])), seconds=WAIT_S) == [b"a", b"b"]

    begun, ended = asyncio.Event(), asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def for_ever(halt: Halt) -> None:
        try:
            for _ in halt.passing(iter(lambda: b"more", b"")):
                loop.call_soon_threadsafe(begun.set)
        except Halted as error:
            loop.call_soon_threadsafe(ended.set_result, error)
            raise

    task = asyncio.create_task(in_thread(for_ever, seconds=WAIT_S))
    await begun.wait()
    task.cancel()
    assert isinstance(await asyncio.wait_for(ended, WAIT_S), Halted)
