"""Digests and pictures belong to the bytes of their version, whatever happens to the file meanwhile."""

from __future__ import annotations

import bz2
import hashlib
from pathlib import Path

from sqlalchemy import text

from tests.support.archive import OLD_NS, Archive, put
from tests.support.headers import a_file

INGEST_ONLY = "ingest"


async def take_in_without_products(archive: Archive, path: Path) -> None:
    """Ingest a file and leave its digest and picture waiting."""
    run = await archive.submit(path)
    worker = archive.worker()
    worker.kinds = {INGEST_ONLY: worker.kinds[INGEST_ONLY]}
    await worker.run_until(list(run.orders))


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
    assert "just being changed" in error
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
    path = put(archive.directory / "night" / "a.fits", a_file())
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
    path = put(archive.directory / "night" / "a.fits", a_file())
    await take_in_without_products(archive, path)
    rotten = bytearray(path.read_bytes())
    rotten[-2000] ^= 0xFF
    put(path, bytes(rotten))
    await archive.drain()
    ((_, error),) = await digest_states(archive)
    assert "verify tells" in error
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
