"""Tiles for viewers: of the product where there is one, and cut from the file where that is quick."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from armillary.archive.catalog import product_store
from armillary.archive.catalog.models import Product, Version
from armillary.archive.errors import NoImage, NoPreview, TileNotFound, TilesPending
from armillary.archive.products.objects import store_of_products
from armillary.archive.products.orders import TILES, ask_again
from armillary.archive.products.pictures import confined
from armillary.archive.products.tiles.atlas import Atlas, Read, opened, place_of
from armillary.archive.products.tiles.building import subject
from armillary.archive.products.tiles.cutting import (
    Pictured,
    ServedTile,
    cut_tile,
    data_word,
    in_child,
    limits,
)
from armillary.archive.products.tiles.models import UNDEFINED, SkyGrid, TileImage, TileIndex
from armillary.base.store import ObjectStore
from armillary.context import Context
from armillary.errors import NotFound
from armillary.fits.containers import Container
from armillary.fits.header import read_values
from armillary.fits.rasters import SIDE, Statistics, coarsest, raster_of, tiles_at

SWITCHED_OFF = "Tiles are switched off here: archive.tiles is 'off'."


@dataclass(frozen=True, slots=True)
class ImageDetails:
    """What is known of an image; no statistics if no pixel of it has a value."""

    image: TileImage
    unit: str
    statistics: Statistics | None


@dataclass(frozen=True, slots=True)
class _Standing:
    """How the tiles of a version stand: the product, or why there is none."""

    atlas: Atlas | None = None
    reason: str | None = None
    pending: bool = False


async def tile_index(context: Context, version: Version) -> TileIndex:
    """Return the images of a version and how their tiles stand; those that are not made yet are asked for.

    Raises
    ------
    NoImage
        If it has none.
    """
    pictured = [*_pictured(context, version)]
    if not pictured:
        raise NoImage(f"'{version.name}' has no image of two or more axes.")
    ahead = any(one.ahead for one in pictured)
    standing = await _standing(context, version) if ahead else _Standing()
    images = [_image(one, standing) for one in pictured]
    waiting = [one.reason for one in images if not one.ready]
    reason = waiting[0] if waiting else None
    return TileIndex(version.name, data_word(version), SIDE, not waiting, standing.pending, reason, images)


async def tile_image(context: Context, version: Version, hdu: int) -> ImageDetails:
    """Return what is known of an image of a version.

    Raises
    ------
    TileNotFound
        If that HDU is no image.
    TilesPending
        If its tiles are not made yet.
    """
    pictured = _picture(context, version, hdu)
    standing = await _standing(context, version) if pictured.ahead else _Standing()
    image = _image(pictured, standing)
    _refuse(image, standing)
    try:
        statistics = await _statistics(context, version, pictured, standing)
    except NoPreview:
        await _ask(context, version)
        raise TilesPending from None
    return ImageDetails(image, pictured.unit, statistics)


async def tile_sky(context: Context, version: Version, hdu: int) -> SkyGrid | None:
    """Return where the sky is in an image, as its header tells now; None if it does not.

    Raises
    ------
    TileNotFound
        If that HDU is no image.
    """
    from armillary.archive.products.tiles.sky import sky_of

    found = _picture(context, version, hdu)
    raster = found.raster
    return await confined(
        context,
        limits(context, "Finding positions"),
        lambda ask: ask(sky_of, None, found.header, raster.axes, raster.shown),
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
    pictured = _picture(context, version, hdu)
    width, height = pictured.raster.width, pictured.raster.height
    top = coarsest(width, height) if pictured.ahead else 0
    columns, rows = tiles_at(level, width, height) if level <= top else (0, 0)
    if column >= columns or row >= rows:
        raise TileNotFound
    standing = await _standing(context, version) if pictured.ahead else _Standing()
    _refuse(_image(pictured, standing), standing)
    if not pictured.ahead:
        return await cut_tile(context, version, pictured, column, row)
    return await _of_atlas(context, version, standing, pictured, (level, column, row))


async def _of_atlas(
    context: Context, version: Version, standing: _Standing, pictured: Pictured, place: tuple[int, int, int]
) -> ServedTile:
    (level, column, row), raster = place, pictured.raster
    atlas = standing.atlas
    chart = atlas.contents.chart(raster.hdu.index) if atlas else None
    if atlas is None or chart is None:
        raise TileNotFound
    number = place_of(chart, level, column, row)
    if number is None and (level or not chart.cuttable):
        raise TileNotFound
    try:
        if number is None:
            return await cut_tile(context, version, pictured, column, row, atlas)
        stored = await atlas.tile(number)
    except NoPreview:
        await _ask(context, version)
        raise TilesPending from None
    kind, blank = ("uint16", UNDEFINED) if level else (chart.kind, chart.blank)
    width, height = (
        min(SIDE, -(-length // (1 << level)) - at * SIDE)
        for length, at in ((raster.width, column), (raster.height, row))
    )
    return ServedTile(kind, width, height, stored.scale, stored.zero, blank, stored.content, compressed=True)


def _picture(context: Context, version: Version, hdu: int) -> Pictured:
    """Return an image of a version.

    Raises
    ------
    TileNotFound
        If that HDU is none.
    """
    for one in _pictured(context, version, only=hdu):
        return one
    raise TileNotFound(
        f"HDU {hdu} of '{version.name}' is no image; /v1/files/NAME/tiles lists those that are."
    )


def _pictured(context: Context, version: Version, only: int | None = None) -> Iterator[Pictured]:
    """Yield the images of a version, or that of one HDU."""
    if not version.is_fits:
        return
    layout = version.layout()
    wanted = subject(layout, Container(version.container), context.settings.archive)
    for hdu, header in zip(layout.hdus, layout.headers, strict=True):
        if only in (None, hdu.index):
            values = read_values(header)
            if (raster := raster_of(hdu, values)) is not None:
                yield Pictured(raster, header, str(values.get("BUNIT") or ""), wanted.wants(raster))


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


def _image(pictured: Pictured, standing: _Standing) -> TileImage:
    raster, ahead = pictured.raster, pictured.ahead
    chart = standing.atlas.contents.chart(raster.hdu.index) if standing.atlas and ahead else None
    reason, finest, top = None, 0, coarsest(raster.width, raster.height)
    if not raster.is_decodable:
        reason = f"Tiles compressed by {raster.compression} are not decoded here."
    elif not ahead:
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


async def _statistics(
    context: Context, version: Version, pictured: Pictured, standing: _Standing
) -> Statistics | None:
    raster, header = pictured.raster, pictured.header
    chart = standing.atlas.contents.chart(raster.hdu.index) if standing.atlas else None
    if standing.atlas is not None and chart is not None:
        return msgspec.json.decode(await standing.atlas.blob(chart.statistics), type=Statistics | None)
    from armillary.archive.products.tiles.making import survey

    most = context.settings.archive.max_unpacked
    return await in_child(
        context, version, lambda ask, fd: ask(survey, fd, raster, header, version.container, most)
    )
