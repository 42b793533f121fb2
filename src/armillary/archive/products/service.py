"""What other nouns and the dialects may ask of products: what is derived from versions in the background."""

from armillary.archive.products.conversions import STRETCHES, UNPACKED, tif_of
from armillary.archive.products.demand import awaited
from armillary.archive.products.leftovers import settle_products
from armillary.archive.products.objects import fetch
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
from armillary.archive.products.portions import Subject, add_pictures, draw_portion
from armillary.archive.products.registry import OF_KIND
from armillary.archive.products.standing import Standing, media_standing

__all__ = [
    "DIGEST",
    "IMAGE",
    "OF_KIND",
    "PREVIEW",
    "STRETCHES",
    "THUMBNAIL",
    "UNPACKED",
    "VIDEO",
    "MediaOptions",
    "MediaOutcome",
    "Standing",
    "Subject",
    "Where",
    "add_pictures",
    "ask_again",
    "awaited",
    "described",
    "digests_pending",
    "draw_portion",
    "fetch",
    "media_outcome",
    "media_standing",
    "settle_products",
    "submit_cube_media",
    "submit_products",
    "tif_of",
]
