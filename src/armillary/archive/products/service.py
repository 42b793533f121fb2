"""What other nouns and the dialects may ask of products: what is derived from versions in the background."""

from armillary.archive.products.conversions import STRETCHES, UNPACKED, tif_of
from armillary.archive.products.demand import awaited
from armillary.archive.products.leftovers import settle_products
from armillary.archive.products.objects import fetch
from armillary.archive.products.orders import (
    DIGEST,
    PREVIEW,
    ask_again,
    digests_pending,
    submit_products,
)
from armillary.archive.products.pictures import described
from armillary.archive.products.portions import Subject, add_pictures, draw_portion
from armillary.archive.products.registry import OF_KIND

__all__ = [
    "DIGEST",
    "OF_KIND",
    "PREVIEW",
    "STRETCHES",
    "UNPACKED",
    "Subject",
    "add_pictures",
    "ask_again",
    "awaited",
    "described",
    "digests_pending",
    "draw_portion",
    "fetch",
    "settle_products",
    "submit_products",
    "tif_of",
]
