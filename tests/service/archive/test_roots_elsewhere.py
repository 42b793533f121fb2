"""A root whose files lie in no directory: everything works but what needs one, and that says so."""

from __future__ import annotations

import asyncio
import bz2
import dataclasses
from pathlib import Path

import pytest

from armillary.access.models import OPERATOR
from armillary.archive.catalog import store
from armillary.archive.catalog.models import Location, Root
from armillary.archive.catalog.service import claim, ensure_root, get_product, roots_of, store_of
from armillary.archive.download.service import open_download, stream, version_to_serve
from armillary.archive.errors import NotWatchable
from armillary.archive.intake.orders import submit_ingests
from armillary.archive.intake.watching import Pauses, watch_root
from armillary.archive.products.service import fetch, submit_cube_media
from armillary.base.store.errors import RootNotClaimed, UnknownScheme
from armillary.base.store.stores import FACTORIES, Stores
from armillary.operations.service import status_of
from tests.support.archive import Archive
from tests.support.headers import a_file
from tests.support.media import a_cube, a_picture, shown
from tests.support.memory_store import MemoryStore
from tests.support.night import gemini_file

URL, NAME, PLACE = "memory://night", "N20260101S0001.fits", "data/2026"
KEY = f"{PLACE}/{NAME}"


@dataclasses.dataclass
class Elsewhere:
    """An archive with a root that is in memory, and the objects there."""

    archive: Archive
    root: Root
    objects: MemoryStore

    async def take_in(self, content: bytes, name: str = NAME) -> None:
        """Put a file there and take it in."""
        await self.objects.write(f"{PLACE}/{name}", content, mtime_ns=10**18)
        async with self.archive.context.database.begin() as connection:
            place = Location(self.root.id, PLACE, name)
            ids = await submit_ingests(connection, [place], actor="test", patient=False)
        await self.archive.finish(ids)
        await self.archive.drain()

    async def served(self) -> bytes:
        """Return what a download gives."""
        async with self.archive.context.database.begin() as connection:
            now = self.archive.context.clock.now()
            served = await version_to_serve(connection, NAME, OPERATOR, now=now)
        bytes_of = store_of(self.archive.context, served.root)
        download = await open_download(bytes_of, served, NAME, max_unpacked=1 << 30)
        return b"".join([chunk async for chunk in stream(download)])


@pytest.fixture
async def elsewhere(archive: Archive) -> Elsewhere:
    """Open an archive that knows stores in memory, with one root there."""
    objects = MemoryStore()
    factories = {**FACTORIES, "memory": lambda url, private, *, in_place, durable: objects}
    stores = Stores(archive.context.stores.private, factories)
    context = dataclasses.replace(archive.context, stores=stores)
    async with context.database.begin() as connection:
        root = await ensure_root(connection, "night", URL, in_place=True)
        assert await ensure_root(connection, "night", URL, in_place=True) == root
    return Elsewhere(Archive(context, archive.directory), root, objects)


@pytest.mark.parametrize("container", ["", ".bz2"])
async def test_a_file_is_taken_in_shown_edited_and_given_back(elsewhere: Elsewhere, container: str) -> None:
    archive = elsewhere.archive
    plain = gemini_file(kb=20)
    stored = bz2.compress(plain) if container else plain
    await elsewhere.take_in(stored, NAME + container)
    assert await archive.find() == [NAME]
    version = await archive.version(NAME)
    assert version.file_sha256
    async with archive.context.database.begin() as connection:
        picture = await get_product(connection, version.id, "preview")
    assert picture is not None
    assert (await fetch(archive.context, picture))[:3] == b"\xff\xd8\xff"
    assert await elsewhere.served() == plain

    await archive.set(NAME, OBJECT="elsewhere")
    await archive.drain()
    assert b"elsewhere" in await elsewhere.served()
    assert set((await archive.verify()).values()) == {""}
    await archive.revert(NAME)
    assert await elsewhere.objects.read(KEY + container) == stored
    assert set((await archive.verify()).values()) == {""}


@pytest.mark.parametrize("beside", [True, False])
async def test_its_picture_is_that_beside_it_or_of_its_data(elsewhere: Elsewhere, *, beside: bool) -> None:
    archive = elsewhere.archive
    if beside:
        key = f"{PLACE}/{NAME.removesuffix('.fits')}.png"
        await elsewhere.objects.write(key, a_picture("PNG", (60, 20)), mtime_ns=10**18)
    await elsewhere.take_in(a_cube((20, 30)))
    version = await archive.version(NAME)
    async with archive.context.database.begin() as connection:
        await submit_cube_media(connection, version.id, {"make_video": False}, actor="test")
    await archive.drain()
    async with archive.context.database.begin() as connection:
        picture = await get_product(connection, version.id, "image")
    assert picture is not None
    assert shown(await fetch(archive.context, picture))[1].size == ((60, 20) if beside else (30, 20))


async def test_a_file_that_is_gone_is_marked_absent(elsewhere: Elsewhere) -> None:
    await elsewhere.take_in(a_file())
    await elsewhere.objects.delete(KEY)
    assert (await elsewhere.archive.verify())[NAME]
    assert not (await elsewhere.archive.version(NAME)).present


async def test_messages_and_lists_tell_the_place(elsewhere: Elsewhere) -> None:
    archive = elsewhere.archive
    (line,) = [one for one in (await roots_of(archive.context)).lines if one.root.name == "night"]
    assert (line.root.shown(), line.root.path, str(line.state)) == (URL, None, "editable")
    assert elsewhere.root.shown(KEY) == f"{URL}/{KEY}"
    # It takes no room on a disk of this machine.
    assert "night" not in {disk.name for disk in (await status_of(archive.context)).disks}


async def test_it_can_be_claimed_and_is_only_read_before(elsewhere: Elsewhere) -> None:
    archive = elsewhere.archive
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE root SET claimed = false WHERE name = 'night'")
    async with archive.context.database.begin() as connection:
        (unclaimed,) = [one for one in await store.list_roots(connection) if one.name == "night"]
    with pytest.raises(RootNotClaimed):
        await store_of(archive.context, unclaimed).delete(KEY)
    assert (await claim(archive.context, "night")).claimed


async def test_only_directories_are_watched(elsewhere: Elsewhere) -> None:
    with pytest.raises(NotWatchable, match="memory://night"):
        await watch_root(elsewhere.archive.context, elsewhere.root, asyncio.Event(), Pauses())


async def test_a_scheme_without_a_store_is_refused_by_name(archive: Archive) -> None:
    async with archive.context.database.begin() as connection:
        root = await ensure_root(connection, "tape", "tape://one", in_place=False)
    with pytest.raises(UnknownScheme, match=r"tape://one; this program has stores for file"):
        store_of(archive.context, root)


async def test_paths_with_characters_that_urls_reserve_are_found_again(
    archive: Archive, tmp_path: Path
) -> None:
    odd = tmp_path / "näme % with #?"
    odd.mkdir()
    async with archive.context.database.begin() as connection:
        root = await ensure_root(connection, "odd", odd, in_place=False)
    assert root.path == odd
