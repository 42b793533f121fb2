"""Whether the pictures and the movie of a version are as they should be; nothing is decoded for that."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import product_store
from armillary.archive.catalog.models import MadeProduct, Version
from armillary.archive.catalog.roots import root_by_id, store_of
from armillary.archive.errors import MediaSourceMissing, NoEncoder
from armillary.archive.products import objects
from armillary.archive.products.options import MediaOptions
from armillary.archive.products.origins import IMAGE, THUMBNAIL, VIDEO, MediaSource, Where, source_of
from armillary.context import Context
from armillary.errors import NotFound
from armillary.settings import ArchiveSettings

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType({IMAGE: (IMAGE, THUMBNAIL), VIDEO: (VIDEO,)})
"""The products that are made together, by the one that gives them their name."""
STEPS: Mapping[str, int] = MappingProxyType({IMAGE: 1, VIDEO: 1})
PARAMETERS: Mapping[str, Callable[[ArchiveSettings], dict[str, Any]]] = MappingProxyType(
    {
        IMAGE: lambda settings: {"image_px": settings.image_px, "thumbnail_px": settings.thumbnail_px},
        VIDEO: lambda settings: {"video_px": settings.video_px},
    }
)
SAME = "same source"
NOT_WANTED = "not wanted"


@dataclass(frozen=True, slots=True)
class Standing:
    """How the picture (`image`, with its thumbnail) or the movie (`video`) of a version stands.

    ``reason`` tells why nothing is to be done if it is ``up_to_date``, and otherwise what has to be made anew.
    ``source`` is None where nothing was looked at.
    """

    kind: str
    up_to_date: bool
    reason: str
    source: Where | None = None
    fingerprint: str | None = None


def has_encoder() -> bool:
    """Tell whether movies can be made here."""
    return importlib.util.find_spec("av") is not None


async def media_standing(
    context: Context, connection: AsyncConnection, version: Version, options: MediaOptions
) -> list[Standing]:
    """Return how picture and movie of a version stand, given the options of an order.

    One whose file is not there, or leads out of the root, is not up to date: its order fails alone.
    """
    bytes_of = store_of(context, await root_by_id(connection, version.location.root_id))
    found = []
    for kind, kinds in KINDS.items():
        if not options.makes(kind):
            found.append(Standing(kind, up_to_date=True, reason=NOT_WANTED))
            continue
        try:
            source = await source_of(bytes_of, version, kind, options.named(kind))
        except MediaSourceMissing as error:
            found.append(Standing(kind, up_to_date=False, reason=error.message))
            continue
        known = await product_store.made_products(connection, version.id, kinds)
        found.append(await standing_of(context, kind, source, known, force=options.force))
    return found


async def standing_of(
    context: Context, kind: str, source: MediaSource, known: Mapping[str, MadeProduct], *, force: bool = False
) -> Standing:
    """Return how a kind of product stands that is to be made of a source; ``known`` is what is on record."""
    reason = "forced" if force else await _change(context, kind, source, known)
    if reason is None:
        said = known[kind].product.reason
        return Standing(kind, True, said or SAME, source.where, source.fingerprint)
    return Standing(kind, False, reason, source.where, source.fingerprint)


async def _change(
    context: Context, kind: str, source: MediaSource, known: Mapping[str, MadeProduct]
) -> str | None:
    """Return why products have to be made anew; None if they have not."""
    for one in KINDS[kind]:
        made = known.get(one)
        if made is None:
            return "not made yet"
        if made.source != source.fingerprint:
            return "other source"
        if made.step != STEPS[kind]:
            return "made by an earlier step"
        wanted = PARAMETERS[kind](context.settings.archive)
        if any(made.parameters.get(key) != value for key, value in wanted.items()):
            return "other settings"
        # An encoder that is still missing is no reason to try again.
        if made.failure is not None and (made.failure != NoEncoder().message or has_encoder()):
            return f"failed before: {made.failure}"
        if made.product.key is not None and not await _is_there(context, made.product.key):
            return "lost"
    return None


async def _is_there(context: Context, key: str) -> bool:
    try:
        await objects.store_of_products(context).head(key)
    except NotFound:
        return False
    return True
