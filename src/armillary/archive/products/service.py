"""What other nouns and the dialects may ask of products: what is derived from versions in the background."""

from armillary.archive.products.conversions import STRETCHES, UNPACKED, tif_of
from armillary.archive.products.demand import awaited
from armillary.archive.products.leftovers import settle_products
from armillary.archive.products.objects import directory_of, fetch, mend
from armillary.archive.products.options import MediaOptions
from armillary.archive.products.orders import (
    DIGEST,
    PREVIEW,
    ask_again,
    digests_pending,
    submit_cube_media,
    submit_products,
)
from armillary.archive.products.origins import IMAGE, THUMBNAIL, VIDEO, Where
from armillary.archive.products.outcomes import MediaOutcome, media_outcome
from armillary.archive.products.pictures import described
from armillary.archive.products.portions import add_pictures, rows_of
from armillary.archive.products.registry import OF_KIND
from armillary.archive.products.standing import Standing, media_standing
from armillary.archive.products.tiles.building import needs_tiles
from armillary.archive.products.tiles.cutting import ServedTile, data_word
from armillary.archive.products.tiles.models import SkyGrid, TileImage, TileIndex
from armillary.archive.products.tiles.serving import (
    ImageDetails,
    tile,
    tile_image,
    tile_index,
    tile_sky,
)

__all__ = [
    "DIGEST",
    "IMAGE",
    "OF_KIND",
    "PREVIEW",
    "STRETCHES",
    "THUMBNAIL",
    "UNPACKED",
    "VIDEO",
    "ImageDetails",
    "MediaOptions",
    "MediaOutcome",
    "ServedTile",
    "SkyGrid",
    "Standing",
    "TileImage",
    "TileIndex",
    "Where",
    "add_pictures",
    "ask_again",
    "awaited",
    "data_word",
    "described",
    "digests_pending",
    "directory_of",
    "fetch",
    "media_outcome",
    "media_standing",
    "mend",
    "needs_tiles",
    "rows_of",
    "settle_products",
    "submit_cube_media",
    "submit_products",
    "tif_of",
    "tile",
    "tile_image",
    "tile_index",
    "tile_sky",
]
