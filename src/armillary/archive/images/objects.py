"""Objects by their keys: which version they are, and whether somebody may have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog import file_store
from armillary.archive.catalog import service as catalog
from armillary.archive.download.service import why_visible
from armillary.archive.images.askers import Asker, held_back
from armillary.archive.images.models import place_of
from armillary.archive.images.names import parse_name
from armillary.archive.images.tables import image

PACKINGS = (".fz", ".bz2", ".gz")


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object that is there: its key, and the version that it is."""

    key: str
    version_id: int


async def find_object(
    connection: AsyncConnection, key: str, viewer: Principal, *, now: datetime
) -> FoundObject | None:
    """Return an object, or else one that is the same in another packing; None if the viewer may not know it."""
    roots = {root.name: root for root in await catalog.list_roots(connection)}
    if (root := roots.get(catalog.IMAGES)) is None:
        return None
    keys = list(_twins(key))
    places = [place_of(root.id, one) for one in keys]
    present = await file_store.present_at(connection, places)
    for one, place in zip(keys, places, strict=True):
        version = present.get(place)
        if version is None or version.location.key != one:
            continue
        if await held_back(connection, Asker(viewer, now), _base_of(one)):
            return None
        if await why_visible(connection, version, viewer, now=now) is None:
            return None
        return FoundObject(one, version.id)
    return None


def _twins(key: str) -> Iterator[str]:
    yield key
    plain = key
    for packing in PACKINGS:
        plain = plain.removesuffix(packing)
    yield from (f"{plain}{packing}" for packing in ("", *PACKINGS) if f"{plain}{packing}" != key)


def _base_of(key: str) -> set[str]:
    name = parse_name(key.rpartition("/")[2])
    return {name.base} if name else set()


async def filter_of(connection: AsyncConnection, key: str) -> str | None:
    """Return the filter of the image that an object belongs to, None if it is not known."""
    directory, _, filename = key.partition("/")
    name = parse_name(filename)
    if name is None:
        return None
    query = sa.select(image.c.filter_used).where(
        image.c.directory == directory, image.c.base_filename == name.base
    )
    found: str | None = (await connection.execute(query)).scalar()
    return found
