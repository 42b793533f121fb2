"""What other nouns and the dialects may ask of products: what is derived from versions in the background."""

from armillary.archive.products.orders import DIGEST, PREVIEW, REASON_TYPE, digests_pending, submit_products

__all__ = ["DIGEST", "PREVIEW", "REASON_TYPE", "digests_pending", "submit_products"]
