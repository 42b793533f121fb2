"""What images are converted to when somebody asks: TIFF pictures, and plain FITS instead of packed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armillary.archive.products.models import Made
from armillary.archive.products.pictures import in_child
from armillary.archive.products.sources import Work
from armillary.context import Context
from armillary.fits.containers import Container

if TYPE_CHECKING:
    from armillary.archive.products.rendering import Source

TIF, UNPACKED = "tif", "unpacked"
STRETCHES = ("arcsinh", "linear")
TIF_TYPE, FITS_TYPE = "image/tiff+bzip2", "application/fits"


def tif_of(stretch: str) -> str:
    """Return the kind of the product that is a TIFF picture of a stretch."""
    return f"{TIF}-{stretch}"


async def tifs(context: Context, work: Work) -> list[Made]:
    """Return TIFF pictures of a version in every stretch, none without an image."""
    from armillary.archive.products.rendering import tiffs

    made = await in_child(context, work, tiffs, _source(context, work))
    return [Made(tif_of(stretch), TIF_TYPE, content) for stretch, content in made.items()]


async def plain_fits(context: Context, work: Work) -> list[Made]:
    """Return the tile-compressed image of a version as plain FITS, nothing without one."""
    from armillary.archive.products.rendering import unpacked

    content = await in_child(context, work, unpacked, _source(context, work))
    return [Made(UNPACKED, FITS_TYPE, content)] if content else []


def _source(context: Context, work: Work) -> Source:
    from armillary.archive.products.rendering import Source

    version = work.current
    packed = version.location.filename.lower().endswith(".fz")
    most = context.settings.archive.max_unpacked
    return Source(Container(version.container), packed, version.data_size, most)
