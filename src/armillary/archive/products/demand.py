"""Products that are made when somebody asks for them; all who ask share one build."""

from __future__ import annotations

from armillary.archive.catalog import product_store
from armillary.archive.catalog.models import Product
from armillary.archive.products.orders import ask_again
from armillary.archive.products.registry import OF_KIND
from armillary.base.work import wait_for
from armillary.context import Context


async def awaited(context: Context, kind: str, version_id: int, *, timeout_s: float) -> Product | None:
    """Return a product of a version, or the reason why there is none; None if it takes longer.

    What is not on record is asked for, and so is what an earlier attempt could not make.
    """
    async with context.database.begin() as connection:
        found = await product_store.get_product(connection, version_id, kind)
        if found is not None and found.reason is None:
            return found
        order = await ask_again(connection, OF_KIND[kind].name, version_id)
    await wait_for(context.database, context.signals, [order], timeout_s)
    async with context.database.begin() as connection:
        return await product_store.get_product(connection, version_id, kind)
