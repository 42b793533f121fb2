"""Where the bytes of products are: objects that are named by what is in them.

They can all be made again, so nothing waits until a disk has written them. Whoever reads one proves it: after a
failure of power it may be empty, and then it is made anew.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path

from armillary.archive.catalog.models import Product
from armillary.archive.errors import NoPreview
from armillary.archive.products.files import key_of, write_new
from armillary.base.place import PRIVATE
from armillary.base.store import ObjectStore
from armillary.context import Context
from armillary.errors import NotFound


def directory_of(context: Context) -> Path:
    """Return where the objects are: among what is private to the program, which a web process may read."""
    return context.settings.data.resolve() / PRIVATE / "objects"


def store_of_products(context: Context) -> ObjectStore:
    """Return the store of products."""
    return context.stores.at("products", directory_of(context).as_uri(), in_place=True, durable=False)


async def keep(context: Context, media_type: str, content: bytes) -> str:
    """Store the bytes of a product and return their key; equal bytes are stored once."""
    key = key_of(media_type, content)
    damaged = await asyncio.to_thread(write_new, directory_of(context), {key: content})
    await mend(context, dict.fromkeys(damaged, content))
    return key


async def mend(context: Context, contents: Mapping[str, bytes]) -> None:
    """Write what is damaged anew."""
    objects = store_of_products(context)
    for key, content in contents.items():
        await objects.write(key, content, overwrite=True)


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
