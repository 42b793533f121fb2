"""Pictures of many small files at once, drawn when these are taken in, and recorded with them.

Whatever goes wrong, the files are left to orders of their own, as large ones are: each is drawn alone then, and
one that takes too much costs no other its picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import product_store
from armillary.archive.products.building import row_of
from armillary.archive.products.files import JPEG
from armillary.archive.products.models import Made
from armillary.archive.products.orders import PREVIEW
from armillary.archive.products.registry import BY_NAME
from armillary.context import Context

if TYPE_CHECKING:
    from armillary.archive.products.drawing import Kept


def rows_of(context: Context, source: str, pictures: Sequence[Kept]) -> list[dict[str, Any]]:
    """Return the rows of pictures that are stored, but for their version; ``source`` is the word for its data."""
    builder = BY_NAME[PREVIEW]
    made = [(one.key, Made(one.kind, JPEG, b"", one.width, one.height, source)) for one in pictures]
    return [row_of(context, builder, source, one, key=key) for key, one in made]


async def add_pictures(connection: AsyncConnection, rows: Mapping[int, Sequence[dict[str, Any]]]) -> None:
    """Put drawn pictures of new versions on record, in the transaction that records these."""
    whole = [{"version_id": version_id, **row} for version_id, some in rows.items() for row in some]
    await product_store.add_products(connection, whole)
