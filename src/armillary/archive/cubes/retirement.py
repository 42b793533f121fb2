"""Take a file of an ingestion root out: its cubes with all that was derived, and its frame. The file stays."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import file_store
from armillary.archive.catalog import store as catalog_store
from armillary.archive.catalog.models import Location
from armillary.archive.cubes import store
from armillary.archive.cubes.errors import CubeNotFound
from armillary.archive.cubes.models import Cube
from armillary.archive.intake import paths
from armillary.fits.containers import logical_name


async def retire(
    connection: AsyncConnection, called: str, root_id: int | None = None, *, now: datetime, actor: str
) -> list[Cube]:
    """Take the file of an oid out, or that of a path below a root; return the cubes that it was.

    Nothing of it is shown or published any more; its versions, and what was edited, stay on record. As it is, a
    watched folder does not take it in again, but whoever asks for it does.

    Raises
    ------
    CubeNotFound
        If there is no such cube.
    """
    cubes = await _cubes_called(connection, called, root_id)
    # A run that is under way holds them for moments only.
    await store.await_oids(connection, [one.oid for one in cubes])
    cubes = await _cubes_called(connection, called, root_id)
    for place in {one.location for one in cubes}:
        await _retire_file(connection, place, now=now, actor=actor)
    await store.delete_cubes(connection, [one.id for one in cubes])
    await store.settle_observations(connection, {one.observation_id for one in cubes})
    return cubes


async def _cubes_called(connection: AsyncConnection, called: str, root_id: int | None) -> list[Cube]:
    if root_id is not None:
        found = await store.cubes_at(connection, root_id, called)
    else:
        one = (await store.cubes_called(connection, [called])).get(called)
        found = await store.cubes_at(connection, one.root_id, one.path) if one else []
    if not found:
        raise CubeNotFound(f"There is no cube '{called}'.")
    return found


async def _retire_file(connection: AsyncConnection, place: Location, *, now: datetime, actor: str) -> None:
    key = (place.root_id, place.path, logical_name(place.filename))
    version = (await file_store.present_at(connection, [key])).get(key)
    if version is None:
        return
    await paths.retire(connection, place, (version.file_size, version.mtime_ns), now=now, actor=actor)
    await catalog_store.mark_absent(connection, [version.id])
    await catalog_store.delete_frames(connection, [version.file_id])
