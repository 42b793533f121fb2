"""Tiles that are cut from the file while somebody waits: in a child process where pixels have to be decoded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from armillary.archive.catalog.models import Root, Version
from armillary.archive.catalog.roots import root_by_id, store_of
from armillary.archive.catalog.standing import check_standing
from armillary.archive.errors import TileNotFound
from armillary.archive.products.models import fingerprint
from armillary.archive.products.pictures import Limits, confined, described
from armillary.archive.products.tiles.atlas import Atlas
from armillary.archive.products.tiles.building import STEP
from armillary.base.sandbox.pool import Ask
from armillary.base.store import ObjectStore
from armillary.context import Context
from armillary.fits.containers import Container
from armillary.fits.header import read_values
from armillary.fits.rasters import Raster, tiles_at

if TYPE_CHECKING:
    from armillary.archive.products.tiles.making import Source
    from armillary.fits.tilings import Tile

TOGETHER = 8
"""Tiles that are decoded at once, about as many as are seen side by side."""
BLOCK_BYTES = 500
"""What is known of a block of bzip2 takes about so much memory."""
QUICK_S = 30.0
"""What somebody waits for takes a part of a second, and longer where much else runs."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pictured:
    """An image of a version with the header that it has now, and whether its tiles are made ahead."""

    raster: Raster
    header: bytes
    unit: str
    ahead: bool


@dataclass(frozen=True, slots=True)
class ServedTile:
    """A tile as it is sent: little-endian numbers row by row from the bottom, perhaps compressed with gzip.

    A value is ``zero + scale * number``; ``blank`` is no value. Without ``content`` no pixel of it has one.
    """

    kind: str
    width: int
    height: int
    scale: float
    zero: float
    blank: int | None
    content: bytes
    compressed: bool


def data_word(version: Version) -> str:
    """Return a word for the pixels of a version as its tiles show them; an edit of a header keeps it."""
    return f"{fingerprint(version)}-{STEP}"


async def cut_tile(
    context: Context, version: Version, pictured: Pictured, column: int, row: int, atlas: Atlas | None = None
) -> ServedTile:
    """Cut a tile from the file: in a child process if its pixels have to be decoded.

    The product of the file, if there is one, tells how long the blocks of bzip2 are.
    """
    if pictured.raster.compression or version.container != Container.PLAIN:
        source = await _source(context, version, atlas)
        found = await _cut_there(context, version, pictured, source, column, row)
    else:
        objects = store_of(context, await _root(context, version))
        found = await asyncio.to_thread(_cut_here, objects, version, pictured, column, row)
    return ServedTile(
        found.kind,
        found.width,
        found.height,
        found.scale,
        found.zero,
        found.blank,
        found.content,
        compressed=False,
    )


async def _source(context: Context, version: Version, atlas: Atlas | None) -> Source:
    from armillary.archive.products.tiles.making import Source, located

    source = Source(Container(version.container), context.settings.archive.max_unpacked)
    if atlas is None or source.container is not Container.BZ2:
        return source
    known = replace(source, lengths=await atlas.lengths())

    def locate() -> Awaitable[Source]:
        return in_child(context, version, lambda ask, fd: ask(located, fd, known))

    key = (version.id, "blocks")
    return await context.strips.get(key, locate, lambda found: BLOCK_BYTES * len(found.blocks))


async def _cut_there(
    context: Context, version: Version, pictured: Pictured, source: Source, column: int, row: int
) -> Tile:
    from armillary.archive.products.tiles.making import cut

    raster, header = pictured.raster, pictured.header
    first = column // TOGETHER * TOGETHER
    columns = range(first, min(first + TOGETHER, tiles_at(0, raster.width, raster.height)[0]))

    def make() -> Awaitable[list[Tile]]:
        return in_child(context, version, lambda ask, fd: ask(cut, fd, raster, header, source, columns, row))

    # Checksums can be forged: the pixels of one file are never those of another.
    key = (version.file_id, data_word(version), raster.hdu.index, first, row)
    found = await context.strips.get(key, make, lambda tiles: sum(len(one.content) for one in tiles))
    return found[column - first]


def _cut_here(objects: ObjectStore, version: Version, pictured: Pictured, column: int, row: int) -> Tile:
    from armillary.fits.planes import image_of
    from armillary.fits.tilings import cut

    image = image_of(pictured.raster.hdu, pictured.header, read_values(pictured.header))
    if image is None:
        raise TileNotFound
    with objects.open(version.location.key) as snapshot:
        check_standing(version, snapshot)
        return cut(image, snapshot.read_at, range(column, column + 1), row)[0]


async def in_child(context: Context, version: Version, work: Callable[[Ask, int], T]) -> T:
    """Let a child process work on the opened file of a version."""
    objects = store_of(context, await _root(context, version))

    def opened_for(ask: Ask) -> T:
        with objects.open(version.location.key) as snapshot, described(snapshot) as fd:
            check_standing(version, snapshot)
            return work(ask, fd)

    return await confined(context, limits(context, "Cutting a tile"), opened_for, quick=True)


def limits(context: Context, what: str) -> Limits:
    settings = context.settings.archive
    return Limits(what, settings.preview_memory, min(settings.preview_s, QUICK_S))


async def _root(context: Context, version: Version) -> Root:
    async with context.database.begin() as connection:
        return await root_by_id(connection, version.location.root_id)
