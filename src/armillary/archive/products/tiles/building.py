"""The tiles of a version as a product, and which files need them."""

from __future__ import annotations

from armillary.archive.catalog import product_store
from armillary.archive.catalog.models import Version, layout_of
from armillary.archive.catalog.rows import NewVersion
from armillary.archive.catalog.standing import check_standing
from armillary.archive.errors import NoPreview
from armillary.archive.products.models import Made, fingerprint, may_have_tiles
from armillary.archive.products.objects import fetch
from armillary.archive.products.orders import TILES
from armillary.archive.products.pictures import Limits, confined, described
from armillary.archive.products.sources import Work
from armillary.archive.products.tiles.models import TiledSubject, unpacks_slowly
from armillary.base.sandbox.pool import Ask
from armillary.context import Context
from armillary.fits.containers import Container
from armillary.fits.header import read_values
from armillary.fits.models import Layout
from armillary.fits.rasters import rasters
from armillary.settings import ArchiveSettings

STEP = 1
MEDIA_TYPE = "application/x-armillary-tiles"


async def tiles(context: Context, work: Work) -> list[Made] | None:
    """Return the tiles of the large images of a version, nothing without any; None if they are as they should be.

    Raises
    ------
    PictureTooLarge, PictureTooSlow, PictureFailed
        If there can be none.
    """
    # Only here: arrays take long to load, and most who know of products make none.
    from armillary.archive.products.tiles.making import make

    settings, current = context.settings.archive, work.current
    wanted = subject_of(current, settings)
    if not current.is_fits or settings.tiles == "off" or not any(wanted.wanted()):
        return []
    if await _is_made(context, current):
        return None
    limits = Limits("Making tiles", settings.preview_memory, settings.preview_s)

    def make_them(ask: Ask) -> bytes:
        with work.bytes_of.open(current.location.key) as snapshot, described(snapshot) as fd:
            check_standing(current, snapshot)
            return ask(make, fd, wanted)

    content = await confined(context, limits, make_them)
    return [Made(TILES, MEDIA_TYPE, content)] if content else []


async def _is_made(context: Context, version: Version) -> bool:
    """Tell whether the tiles are there and whole: several who wait for them may each have asked."""
    async with context.database.begin() as connection:
        known = (await product_store.made_products(connection, version.id, (TILES,))).get(TILES)
    if (
        known is None
        or known.product.key is None
        or known.step != STEP
        or known.source != fingerprint(version)
    ):
        return False
    if known.parameters != parameters(context.settings.archive):
        return False
    try:
        await fetch(context, known.product)
    except NoPreview:
        return False
    return True


def parameters(settings: ArchiveSettings) -> dict[str, int]:
    """Return what of the settings the tiles depend on."""
    return {"tiles_px": settings.tiles_px, "tiles_whole": settings.tiles_whole}


def subject_of(version: Version, settings: ArchiveSettings) -> TiledSubject:
    """Return a version as something of which tiles are made."""
    return subject(version.layout(), Container(version.container), settings)


def needs_tiles(new: NewVersion, settings: ArchiveSettings) -> bool:
    """Tell whether tiles are to be made of a file that is taken in.

    Most files are small, and are passed over at the sight of their sizes.
    """
    if settings.tiles != "ingest":
        return False
    slow = unpacks_slowly(new.data_size, Container(new.container))
    if not slow and not may_have_tiles(new, settings.tiles_px):
        return False
    layout = layout_of(new.hdus, new.headers, new.trailing)
    wanted = subject(layout, Container(new.container), settings)
    found = new.values.headers if new.values else map(read_values, new.headers)
    return any(wanted.wants(raster) for raster in rasters(layout, found))


def subject(layout: Layout, container: Container, settings: ArchiveSettings) -> TiledSubject:
    """Return a file as something of which tiles are made."""
    return TiledSubject(layout, container, settings.max_unpacked, settings.tiles_px**2, settings.tiles_whole)
