"""Pictures of many small files at once: one call of a child process draws them, before the files are recorded.

Whatever goes wrong, the files are left to orders of their own, as large ones are: each is drawn alone then, and
one that takes too much costs no other its picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import product_store
from armillary.archive.products import objects
from armillary.archive.products.building import row_of
from armillary.archive.products.orders import PREVIEW
from armillary.archive.products.pictures import made_of
from armillary.archive.products.registry import BY_NAME
from armillary.archive.products.sources import Data
from armillary.base.log import get_logger
from armillary.base.sandbox.errors import ChildDied, OutOfMemory, OutOfTime
from armillary.base.sandbox.pool import Ask
from armillary.context import Context

if TYPE_CHECKING:
    from armillary.fits.pictures import Picture
    from armillary.fits.planes import PlainImage

log = get_logger(__name__)

LEAST = 8
"""Fewer files are not kept waiting for a child that may have to be started first."""
MOST_BYTES = 8 << 20
"""Pixels of one portion."""
PORTION_S = 30.0
"""A portion takes milliseconds, and a child that has to be started first some seconds where much else runs."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An image with the bytes of its first plane, and what is known of the data of its file."""

    image: PlainImage
    pixels: bytes
    of: Data


async def draw_portion(context: Context, subjects: Sequence[Subject]) -> list[list[dict[str, Any]]]:
    """Draw the pictures of small files and store them; return their rows but for the version.

    A file without rows has to be drawn alone.
    """
    if len(subjects) < LEAST:
        return [[] for _ in subjects]
    drawn = [one for portion in _portions(subjects) for one in await _drawn(context, portion)]
    made = [made_of(one) if one else [] for one in drawn]
    keys = await objects.keep_all(context, [(one.media_type, one.content) for some in made for one in some])
    following, builder = deque(keys), BY_NAME[PREVIEW]
    return [
        [row_of(context, builder, subject.of, one, key=following.popleft()) for one in some]
        for subject, some in zip(subjects, made, strict=True)
    ]


async def add_pictures(connection: AsyncConnection, rows: Mapping[int, Sequence[dict[str, Any]]]) -> None:
    """Put drawn pictures of new versions on record, in the transaction that records these."""
    whole = [{"version_id": version_id, **row} for version_id, some in rows.items() for row in some]
    await product_store.add_products(connection, whole)


def _portions(subjects: Sequence[Subject]) -> Iterator[list[Subject]]:
    portion: list[Subject] = []
    size = 0
    for one in subjects:
        if portion and size + len(one.pixels) > MOST_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(one)
        size += len(one.pixels)
    yield portion


async def _drawn(context: Context, subjects: Sequence[Subject]) -> Sequence[dict[str, Picture] | None]:
    # Only here: arrays and pictures take long to load, and most who know of products draw none.
    from armillary.archive.products.drawing import draw_all

    settings = context.settings.archive

    images = [(one.image, one.pixels) for one in subjects]

    def draw(ask: Ask) -> list[dict[str, Picture] | None]:
        return ask(draw_all, None, images, settings.preview_px)

    try:
        seconds = min(settings.preview_s, PORTION_S)
        return await context.quick.run(draw, memory=settings.preview_memory, seconds=seconds)
    except (OutOfMemory, OutOfTime, ChildDied) as error:
        log.warning("pictures left to orders", count=len(subjects), reason=error.message)
        return [None] * len(subjects)
