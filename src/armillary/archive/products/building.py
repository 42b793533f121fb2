"""The work orders of builders: products of versions, made in the background and put on record together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from armillary.archive.catalog import file_store, product_store
from armillary.archive.catalog.models import REASON_TYPE
from armillary.archive.products import objects
from armillary.archive.products.models import Made
from armillary.archive.products.objects import digest_in
from armillary.archive.products.registry import BY_NAME, Builder
from armillary.archive.products.sources import Data, Superseded, Work, each, fingerprint, place_of
from armillary.base.work import Claim, Response, completing_all
from armillary.context import Context
from armillary.errors import ArmillaryError, Unavailable


@dataclass(frozen=True, slots=True)
class _Kept:
    """A product whose bytes are in the store."""

    made: Made
    key: str


async def build(context: Context, claims: Sequence[Claim]) -> None:
    """Make the products that orders of one builder ask for."""
    builder = BY_NAME[claims[0].order.kind]
    kept: dict[int, list[_Kept]] = {}

    async def make(work: Work) -> None:
        try:
            made = await builder.build(context, work)
        except ArmillaryError as error:
            if not isinstance(error, Unavailable | Superseded):
                await _say_why_not(context, builder, work, error.message)
            raise
        kept[work.version.id] = [
            _Kept(one, await objects.keep(context, one.media_type, one.content)) for one in made
        ]

    done = await each(context, claims, make)
    if not done:
        return
    outcomes = {w.claim.order.id: "made" if kept[w.version.id] else "no image" for w in done}
    responses = {order: Response(value={"outcome": outcome}) for order, outcome in outcomes.items()}
    async with completing_all([work.claim for work in done], responses) as connection:
        # An edit may have come meanwhile; its version shows the same pixels.
        present = await file_store.settled_at(connection, [place_of(work.version) for work in done])
        for work in done:
            owner = present.get(place_of(work.version), work.current)
            for one in kept[work.version.id]:
                values = row_of(context, builder, work.version, one.made, key=one.key)
                await product_store.put_product(connection, {"version_id": owner.id, **values})


async def _say_why_not(context: Context, builder: Builder, work: Work, reason: str) -> None:
    """Let who asks for the products of a version know why there are none."""
    async with context.database.begin() as connection:
        present = await file_store.settled_at(connection, [place_of(work.version)])
        owner = present.get(place_of(work.version), work.current)
        for kind in builder.makes:
            made = Made(kind, REASON_TYPE, reason.encode())
            values = row_of(context, builder, work.version, made, key=None)
            await product_store.put_product(connection, {"version_id": owner.id, **values})


def row_of(context: Context, builder: Builder, of: Data, made: Made, *, key: str | None) -> dict[str, Any]:
    """Return the row of a product but for its version; ``key`` is where its bytes are, if not in the row."""
    return {
        "kind": made.kind,
        "media_type": made.media_type,
        "width": made.width,
        "height": made.height,
        "sha256": digest_in(key) if key else hashlib.sha256(made.content).hexdigest(),
        "made": context.clock.now(),
        "step": builder.step,
        "parameters": builder.parameters(context.settings.archive),
        "source": fingerprint(of),
        "key": key,
        "content": None if key else made.content,
    }
