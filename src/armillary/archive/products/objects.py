"""Where the bytes of products are: objects that are named by what is in them.

They can all be made again, so nothing waits until a disk has written them. Whoever reads one proves it: after a
failure of power it may be empty, and then it is made anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from armillary.archive.catalog.models import Product
from armillary.archive.errors import NoPreview
from armillary.base.place import PRIVATE
from armillary.base.store import ObjectStore
from armillary.base.store.errors import naming
from armillary.base.store.files import UnsyncedFiles
from armillary.base.store.workshop import own_directory
from armillary.base.store.writing import NEW_MODE
from armillary.context import Context
from armillary.errors import NotFound

_FILES = UnsyncedFiles()
ENDINGS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/tiff+bzip2": ".tif.bz2",
    "application/fits": ".fits",
    "video/webm": ".webm",
    "application/x-armillary-tiles": ".tiles",
}


def directory_of(context: Context) -> Path:
    """Return where the objects are: among what is private to the program, which a web process may read."""
    return context.settings.data.resolve() / PRIVATE / "objects"


def store_of_products(context: Context) -> ObjectStore:
    """Return the store of products."""
    return context.stores.at("products", directory_of(context).as_uri(), in_place=True, durable=False)


async def keep(context: Context, media_type: str, content: bytes) -> str:
    """Store the bytes of a product and return their key; equal bytes are stored once."""
    (key,) = await keep_all(context, [(media_type, content)])
    return key


async def keep_all(context: Context, products: Sequence[tuple[str, bytes]]) -> list[str]:
    """Store the bytes of products, each with its media type, and return their keys."""
    keys = [key_of(*one) for one in products]
    contents = {key: content for key, (_, content) in zip(keys, products, strict=True)}
    objects = store_of_products(context)
    there = await asyncio.to_thread(_write_new, directory_of(context), contents)
    for key in there:
        if hashlib.sha256(await objects.read(key)).hexdigest() != digest_in(key):
            await objects.write(key, contents[key], overwrite=True)
    return keys


def key_of(media_type: str, content: bytes) -> str:
    """Return where the bytes of a product are kept."""
    digest = hashlib.sha256(content).hexdigest()
    return f"{digest[:2]}/{digest}{ENDINGS.get(media_type, '')}"


def digest_in(key: str) -> str:
    """Return the SHA-256 of the bytes that are kept under a key."""
    return key.partition("/")[2].partition(".")[0]


def _write_new(directory: Path, contents: Mapping[str, bytes]) -> list[str]:
    """Write what is not there yet, in a thread; return the keys that are there already.

    Under its own name at once, since nothing speaks of an object before it is whole: what an interrupted write
    leaves behind is found when the bytes are stored again, or read.
    """
    own_directory(directory)
    top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return [key for key, content in contents.items() if not _write(top, key, content)]
    finally:
        os.close(top)


def _write(top: int, key: str, content: bytes) -> bool:
    """Write an object; False if there is one already."""
    with naming(key):
        try:
            fd = _create(top, key)
        except FileExistsError:
            return False
        try:
            _FILES.write_at(fd, content, 0)
        except BaseException:
            _FILES.unlink(top, key)
            raise
        finally:
            os.close(fd)
    return True


def _create(top: int, key: str) -> int:
    try:
        return _FILES.create(top, key, NEW_MODE)
    except FileNotFoundError:
        _FILES.make_directory(top, key.partition("/")[0])
        return _FILES.create(top, key, NEW_MODE)


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
