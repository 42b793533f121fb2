"""Tiles for viewers: of the product where there is one, and cut from the file where that is quick."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from armillary.archive.catalog import product_store
from armillary.archive.catalog.models import Product, Root, Version
from armillary.archive.catalog.roots import root_by_id, store_of
from armillary.archive.catalog.standing import check_standing
from armillary.archive.errors import NoImage, NoPreview, TileNotFound, TilesPending
from armillary.archive.products.objects import store_of_products
from armillary.archive.products.orders import TILES, ask_again
from armillary.archive.products.pictures import Limits, confined, described
from armillary.archive.products.sources import fingerprint
from armillary.archive.products.tiles.atlas import Atlas, Read, opened, place_of
from armillary.archive.products.tiles.building import STEP, subject_of
from armillary.archive.products.tiles.models import UNDEFINED, SkyGrid, TileImage, TileIndex
from armillary.base.sandbox.pool import Ask
from armillary.base.store import ObjectStore
from armillary.context import Context
from armillary.errors import NotFound
from armillary.fits.containers import Container
from armillary.fits.header import read_values
from armillary.fits.rasters import SIDE, Raster, coarsest, raster_of, rasters, tiles_at
from armillary.fits.statistics import Statistics

if TYPE_CHECKING:
    from armillary.fits.tilings import Tile

TOGETHER = 8
"""Tiles that are decoded at once, about as many as are seen side by side."""
QUICK_S = 30.0
"""What somebody waits for takes a part of a second, and longer where much else runs."""
SWITCHED_OFF = "Tiles are switched off here: archive.tiles is 'off'."
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ImageDetails:
    """What is known of an image; no statistics if no pixel of it has a value."""

    image: TileImage
    unit: str
    statistics: Statistics | None


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


@dataclass(frozen=True, slots=True)
class _Standing:
    """How the tiles of a version stand: the product, or why there is none."""

    atlas: Atlas | None = None
    reason: str | None = None
    pending: bool = False


def data_word(version: Version) -> str:
    """Return a word for the pixels of a version as its tiles show them; an edit of a header keeps it."""
    return f"{fingerprint(version)}-{STEP}"


async def tile_index(context: Context, version: Version) -> TileIndex:
    """Return the images of a version and how their tiles stand; those that are not made yet are asked for.

    Raises
    ------
    NoImage
        If it has none.
    """
    layout = version.layout()
    found = [*rasters(layout, map(read_values, layout.headers))] if version.is_fits else []
    if not found:
        raise NoImage(f"'{version.name}' has no image of two or more axes.")
    wanted = {one.hdu.index for one in subject_of(version, context.settings.archive).wanted()}
    standing = await _standing(context, version) if wanted else _Standing()
    images = [_image(one, one.hdu.index in wanted, standing) for one in found]
    waiting = [one.reason for one in images if not one.ready]
    return TileIndex(
        version.name, data_word(version), SIDE, not waiting, standing.pending, (waiting or [None])[0], images
    )


async def tile_image(context: Context, version: Version, hdu: int) -> ImageDetails:
    """Return what is known of an image of a version.

    Raises
    ------
    TileNotFound
        If that HDU is no image.
    TilesPending
        If its tiles are not made yet.
    """
    raster, wanted = _raster(context, version, hdu)
    header = version.headers()[hdu]
    standing = await _standing(context, version) if wanted else _Standing()
    image = _image(raster, wanted, standing)
    _refuse(image, standing)
    try:
        statistics = await _statistics(context, version, raster, header, standing)
    except NoPreview:
        await _ask(context, version)
        raise TilesPending from None
    return ImageDetails(image, str(read_values(header).get("BUNIT") or ""), statistics)


async def tile_sky(context: Context, version: Version, hdu: int) -> SkyGrid | None:
    """Return where the sky is in an image, as its header tells now; None if it does not.

    Raises
    ------
    TileNotFound
        If that HDU is no image.
    """
    from armillary.archive.products.tiles.sky import sky_of

    raster, _ = _raster(context, version, hdu)
    header = version.headers()[hdu]
    return await confined(
        context,
        _limits(context, "Finding positions"),
        lambda ask: ask(sky_of, None, header, raster.axes, raster.shown),
        quick=True,
    )


async def tile(context: Context, version: Version, hdu: int, level: int, column: int, row: int) -> ServedTile:
    """Return a tile of an image of a version; column 0 and row 0 are at the first pixel of the image.

    Raises
    ------
    TileNotFound
        If there is no such tile.
    TilesPending
        If it is not made yet.
    BeingChanged
        If the file is being edited.
    """
    raster, wanted = _raster(context, version, hdu)
    top = coarsest(raster.width, raster.height) if wanted else 0
    columns, rows = tiles_at(level, raster.width, raster.height) if level <= top else (0, 0)
    if column >= columns or row >= rows:
        raise TileNotFound
    if not wanted:
        _refuse(_image(raster, wanted, _Standing()), _Standing())
        return await _cut(context, version, raster, column, row)
    standing = await _standing(context, version)
    _refuse(_image(raster, wanted, standing), standing)
    return await _of_atlas(context, version, standing, raster, (level, column, row))


async def _of_atlas(
    context: Context, version: Version, standing: _Standing, raster: Raster, wanted: tuple[int, int, int]
) -> ServedTile:
    level, column, row = wanted
    atlas = standing.atlas
    chart = atlas.contents.chart(raster.hdu.index) if atlas else None
    if atlas is None or chart is None:
        raise TileNotFound
    place = place_of(chart, level, column, row)
    if place is None:
        if level or not chart.cuttable:
            raise TileNotFound
        return await _cut(context, version, raster, column, row)
    try:
        stored = await atlas.tile(place)
    except NoPreview:
        await _ask(context, version)
        raise TilesPending from None
    kind, blank = ("uint16", UNDEFINED) if level else (chart.kind, chart.blank)
    width, height = (
        min(SIDE, -(-length // (1 << level)) - at * SIDE)
        for length, at in ((raster.width, column), (raster.height, row))
    )
    return ServedTile(kind, width, height, stored.scale, stored.zero, blank, stored.content, compressed=True)


def _raster(context: Context, version: Version, hdu: int) -> tuple[Raster, bool]:
    """Return an image of a version, and whether tiles of it are made ahead."""
    raster = None
    if version.is_fits and hdu < len(version.hdus):
        layout = version.layout()
        raster = raster_of(layout.hdus[hdu], read_values(layout.headers[hdu]))
    if raster is None:
        raise TileNotFound(
            f"HDU {hdu} of '{version.name}' is no image; /v1/files/NAME/tiles lists those that are."
        )
    return raster, subject_of(version, context.settings.archive).wants(raster)


async def _standing(context: Context, version: Version) -> _Standing:
    async with context.database.begin() as connection:
        made = await product_store.get_product(connection, version.id, TILES)
    if made is not None and made.reason is not None:
        return _Standing(reason=made.reason)
    if made is not None and made.key is not None:
        try:
            return _Standing(await opened(_reader(store_of_products(context), made)))
        except NoPreview:
            pass
    if context.settings.archive.tiles == "off":
        return _Standing(reason=SWITCHED_OFF)
    await _ask(context, version)
    return _Standing(reason=TilesPending().message, pending=True)


async def _ask(context: Context, version: Version) -> None:
    async with context.database.begin() as connection:
        await ask_again(connection, TILES, version.id)


def _reader(objects: ObjectStore, made: Product) -> Read:
    async def read(start: int, stop: int) -> bytes:
        try:
            return await objects.read(str(made.key), start, stop)
        except (NotFound, FileNotFoundError):
            return b""

    return read


def _image(raster: Raster, wanted: bool, standing: _Standing) -> TileImage:
    chart = standing.atlas.contents.chart(raster.hdu.index) if standing.atlas and wanted else None
    reason, finest, top = None, 0, coarsest(raster.width, raster.height)
    if not raster.is_decodable:
        reason = f"Tiles compressed by {raster.compression} are not decoded here."
    elif not wanted:
        top = 0
    elif chart is None:
        reason = standing.reason or TilesPending().message
    else:
        reason, finest = chart.why, 0 if chart.cuttable else chart.finest
    return TileImage(
        hdu=raster.hdu.index,
        name=raster.hdu.name,
        extver=raster.hdu.version,
        width=raster.width,
        height=raster.height,
        planes=raster.planes,
        finest=finest,
        coarsest=top,
        ready=reason is None,
        reason=reason,
    )


def _refuse(image: TileImage, standing: _Standing) -> None:
    if not image.ready:
        raise (TilesPending if standing.pending else TileNotFound)(image.reason)


async def _cut(context: Context, version: Version, raster: Raster, column: int, row: int) -> ServedTile:
    """Cut a tile from the file: in a child process if its pixels have to be decoded."""
    if raster.compression or version.container != Container.PLAIN:
        found = await _cut_there(context, version, raster, column, row)
    else:
        objects = store_of(context, await _root(context, version))
        found = await asyncio.to_thread(_cut_here, objects, version, raster, column, row)
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


async def _cut_there(context: Context, version: Version, raster: Raster, column: int, row: int) -> Tile:
    from armillary.archive.products.tiles.making import cut

    header, most = version.headers()[raster.hdu.index], context.settings.archive.max_unpacked
    first = column // TOGETHER * TOGETHER
    columns = range(first, min(first + TOGETHER, tiles_at(0, raster.width, raster.height)[0]))

    def make() -> Awaitable[list[Tile]]:
        return _in_child(
            context,
            version,
            lambda ask, fd: ask(cut, fd, raster, header, Container(version.container), most, columns, row),
        )

    # Checksums can be forged: the pixels of one file are never those of another.
    key = (version.file_id, data_word(version), raster.hdu.index, first, row)
    found = await context.strips.get(key, make, lambda tiles: sum(len(one.content) for one in tiles))
    return found[column - first]


def _cut_here(objects: ObjectStore, version: Version, raster: Raster, column: int, row: int) -> Tile:
    from armillary.fits.planes import image_of
    from armillary.fits.tilings import cut

    header = version.headers()[raster.hdu.index]
    image = image_of(raster.hdu, header, read_values(header))
    if image is None:
        raise TileNotFound
    with objects.open(version.location.key) as snapshot:
        check_standing(version, snapshot)
        return cut(image, snapshot.read_at, range(column, column + 1), row)[0]


async def _statistics(
    context: Context, version: Version, raster: Raster, header: bytes, standing: _Standing
) -> Statistics | None:
    chart = standing.atlas.contents.chart(raster.hdu.index) if standing.atlas else None
    if standing.atlas is not None and chart is not None:
        return msgspec.json.decode(await standing.atlas.blob(chart.statistics), type=Statistics | None)
    from armillary.archive.products.tiles.making import survey

    most = context.settings.archive.max_unpacked
    return await _in_child(
        context, version, lambda ask, fd: ask(survey, fd, raster, header, version.container, most)
    )


async def _in_child(context: Context, version: Version, work: Callable[[Ask, int], T]) -> T:
    """Let a child process work on the opened file of a version."""
    objects = store_of(context, await _root(context, version))

    def opened_for(ask: Ask) -> T:
        with objects.open(version.location.key) as snapshot, described(snapshot) as fd:
            check_standing(version, snapshot)
            return work(ask, fd)

    return await confined(context, _limits(context, "Cutting a tile"), opened_for, quick=True)


def _limits(context: Context, what: str) -> Limits:
    settings = context.settings.archive
    return Limits(what, settings.preview_memory, min(settings.preview_s, QUICK_S))


async def _root(context: Context, version: Version) -> Root:
    async with context.database.begin() as connection:
        return await root_by_id(connection, version.location.root_id)
