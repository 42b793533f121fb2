"""What other nouns and the dialects may ask of products: what is derived from versions in the background."""

from armillary.archive.products.leftovers import settle_products
from armillary.archive.products.objects import fetch
from armillary.archive.products.orders import (
    DIGEST,
    PREVIEW,
    ask_again,
    digests_pending,
    submit_products,
)
from armillary.archive.products.registry import OF_KIND

__all__ = [
    "DIGEST",
    "OF_KIND",
    "PREVIEW",
    "ask_again",
    "digests_pending",
    "fetch",
    "settle_products",
    "submit_products",
]
