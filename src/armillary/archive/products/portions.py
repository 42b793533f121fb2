"""Pictures of many small files at once, drawn when these are taken in, and recorded with them.

Whatever goes wrong, the files are left to orders of their own, as large ones are: each is drawn alone then, and
one that takes too much costs no other its picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import product_store
from armillary.archive.catalog.keywords import to_json
from armillary.archive.products.building import row_of
from armillary.archive.products.files import JPEG, digest_in
from armillary.archive.products.models import Kept, Made
from armillary.archive.products.orders import PREVIEW
from armillary.archive.products.registry import BY_NAME
from armillary.context import Context

_COLUMNS = (
    "kind", "media_type", "width", "height", "sha256", "made", "step", "parameters", "source", "key",
)  # fmt: skip
Row = tuple[Any, ...]
"""The row of a picture, but for its version."""


def rows_of(context: Context, stored: Iterable[tuple[str, Sequence[Kept]]]) -> list[list[Row]]:
    """Return the rows of pictures that are stored, but for their versions.

    Each version comes with the word for its data.
    """
    # What all have in common is told, and turned into JSON, once.
    common = row_of(context, BY_NAME[PREVIEW], "", Made("", JPEG, b""), key=None)
    made, step, parameters = common["made"], common["step"], to_json(common["parameters"])
    return [
        [
            (
                one.kind,
                JPEG,
                one.width,
                one.height,
                digest_in(one.key),
                made,
                step,
                parameters,
                source,
                one.key,
            )
            for one in pictures
        ]
        for source, pictures in stored
    ]


async def add_pictures(connection: AsyncConnection, rows: Mapping[int, Sequence[Row]]) -> None:
    """Put drawn pictures of new versions on record, in the transaction that records these."""
    whole = [(version_id, *row) for version_id, some in rows.items() for row in some]
    await product_store.add_products(connection, ("version_id", *_COLUMNS), whole)
