"""Where the bytes of products are: objects that are named by what is in them.

They can all be made again, so nothing waits until a disk has written them. Whoever reads one proves it: after a
failure of power it may be empty, and then it is made anew.
"""

from __future__ import annotations

import asyncio
import hashlib

from armillary.archive.catalog.models import Product
from armillary.archive.errors import NoPreview
from armillary.base.place import PRODUCTS
from armillary.base.store import ObjectStore
from armillary.context import Context
from armillary.errors import Conflict, NotFound

ENDINGS = {"image/jpeg": ".jpg"}


def store_of_products(context: Context) -> ObjectStore:
    """Return the store of products, below the directory of the archive."""
    path = context.settings.data.resolve() / PRODUCTS
    return context.stores.at(PRODUCTS, path.as_uri(), in_place=True, durable=False)


async def keep(context: Context, media_type: str, content: bytes) -> str:
    """Store the bytes of a product and return their key; equal bytes are stored once."""
    await asyncio.to_thread((context.settings.data / PRODUCTS).mkdir, mode=0o755, exist_ok=True)
    digest = hashlib.sha256(content).hexdigest()
    key, objects = f"{digest[:2]}/{digest}{ENDINGS.get(media_type, '')}", store_of_products(context)
    try:
        await objects.write(key, content)
    except Conflict:
        if hashlib.sha256(await objects.read(key)).hexdigest() != digest:
            await objects.write(key, content, overwrite=True)
    return key


async def fetch(context: Context, product: Product) -> bytes:
    """Return the bytes of a product.

    Raises
    ------
    NoPreview
        If they are gone or damaged; it has to be made again.
    """
    if product.key is None:
        return product.content or b""
    try:
        content = await store_of_products(context).read(product.key)
    except (NotFound, FileNotFoundError):
        content = b""
    if hashlib.sha256(content).hexdigest() != product.sha256:
        raise NoPreview(f"The {product.kind} is lost; it is being made again.")
    return content
