"""Take a file out: its frame, and its cubes with all that was derived. The file itself stays where it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import file_store, product_store
from armillary.archive.catalog import store as catalog_store
from armillary.archive.catalog.models import Location
from armillary.archive.cubes import store
from armillary.archive.cubes.errors import NothingToRetire
from armillary.archive.cubes.models import Cube
from armillary.archive.intake import paths
from armillary.fits.containers import logical_name


@dataclass(frozen=True, slots=True)
class Retired:
    """A file that was taken out: where it is, and the oids of the cubes that it was."""

    location: Location
    oids: tuple[str, ...]


async def place_of_oid(connection: AsyncConnection, oid: str) -> Location | None:
    """Return where the file of a cube is, None if there is no such cube."""
    found = (await store.cubes_called(connection, [oid])).get(oid)
    return found.location if found else None


async def retire(connection: AsyncConnection, place: Location, *, now: datetime, actor: str) -> Retired:
    """Take the file at a place out.

    Nothing of it is shown or published any more, and its pictures are forgotten. Its versions, and what was edited
    in it, stay on record for those who may see everything. As it is, a watched folder does not take it in again,
    but whoever asks for it does.

    Raises
    ------
    NothingToRetire
        If the archive has no such file.
    """
    cubes = await _held(connection, place)
    taken_out = await take_out(connection, place, now=now, actor=actor)
    # A file that has vanished has a frame all the same.
    files = {one.file_id for one in cubes} | ({taken_out} if taken_out else set())
    if not files:
        raise NothingToRetire(f"{place.key} is not in the archive.")
    await catalog_store.delete_frames(connection, list(files))
    await product_store.forget_products_of_files(connection, files)
    await store.delete_cubes(connection, [one.id for one in cubes])
    await store.settle_observations(connection, {one.observation_id for one in cubes})
    return Retired(place, tuple(one.oid for one in cubes))


async def _held(connection: AsyncConnection, place: Location) -> list[Cube]:
    """Return the cubes of a file, which nobody else changes until the end of the transaction."""
    found = await store.cubes_at(connection, place.root_id, place.key)
    # A run that is under way holds them for moments only.
    await store.await_oids(connection, [one.oid for one in found])
    return await store.cubes_at(connection, place.root_id, place.key)


async def take_out(connection: AsyncConnection, place: Location, *, now: datetime, actor: str) -> int | None:
    """Show the file at a place no more, and let no watched folder take it in as it is; return its id, if any."""
    key = (place.root_id, place.path, logical_name(place.filename))
    version = (await file_store.present_at(connection, [key])).get(key)
    if version is None:
        return None
    await paths.retire(connection, place, (version.file_size, version.mtime_ns), now=now, actor=actor)
    await catalog_store.mark_absent(connection, [version.id])
    await catalog_store.delete_frames(connection, [version.file_id])
    return version.file_id
