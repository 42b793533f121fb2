"""The work orders of builders: products of versions, made in the background and put on record together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import file_store, product_store
from armillary.archive.catalog.models import REASON_TYPE
from armillary.archive.products import objects
from armillary.archive.products.files import digest_in
from armillary.archive.products.models import Lack, Made, fingerprint
from armillary.archive.products.registry import BY_NAME, Builder
from armillary.archive.products.sources import Superseded, Work, each, place_of
from armillary.base.work import Claim, JsonValue, Response, completing_all
from armillary.context import Context
from armillary.errors import ArmillaryError, Unavailable


@dataclass(frozen=True, slots=True)
class _Built:
    """What a builder made of a version, with the keys of what is in the store; None if nothing was to be done."""

    made: tuple[tuple[Made, str], ...] = ()
    lacks: tuple[Lack, ...] = ()
    skipped: bool = False

    def outcome(self) -> dict[str, JsonValue]:
        """Return what is told of it."""
        if self.skipped:
            return {"outcome": "same source"}
        if self.lacks:
            return {"outcome": "none", "why": self.lacks[0].reason}
        return {"outcome": "made" if self.made else "no image"}


async def build(context: Context, claims: Sequence[Claim]) -> None:
    """Make the products that orders of one builder ask for."""
    builder = BY_NAME[claims[0].order.kind]
    built: dict[int, _Built] = {}

    async def make(work: Work) -> None:
        try:
            found = await builder.build(context, work)
        except ArmillaryError as error:
            if not isinstance(error, Unavailable | Superseded):
                await _say_why_not(context, builder, work, error.message)
            raise
        built[work.version.id] = await _kept(context, found)

    done = await each(context, claims, make)
    if not done:
        return
    responses = {w.claim.order.id: Response(value=built[w.version.id].outcome()) for w in done}
    async with completing_all([work.claim for work in done], responses) as connection:
        # An edit may have come meanwhile; its version shows the same pixels.
        present = await file_store.settled_at(connection, [place_of(work.version) for work in done])
        for work in done:
            owner = present.get(place_of(work.version), work.current)
            await _record(context, connection, builder, work, owner.id, built[work.version.id])


async def _kept(context: Context, found: Sequence[Made | Lack] | None) -> _Built:
    if found is None:
        return _Built(skipped=True)
    made = [one for one in found if isinstance(one, Made)]
    keys = [await objects.keep(context, one.media_type, one.content) for one in made]
    lacks = tuple(one for one in found if isinstance(one, Lack))
    return _Built(tuple(zip(made, keys, strict=True)), lacks)


async def _record(
    context: Context, connection: AsyncConnection, builder: Builder, work: Work, owner: int, built: _Built
) -> None:
    """Put what was built of a version on record, for the version that has its place now."""
    for made, key in built.made:
        values = row_of(context, builder, fingerprint(work.version), made, key=key)
        await product_store.put_product(connection, {"version_id": owner, **values})
    for lack in built.lacks:
        values = {"version_id": owner, **_row_of_lack(context, builder, work, lack)}
        if lack.lasting:
            await product_store.put_product(connection, values)
        else:
            await product_store.note_lack(connection, values, lack.reason)


async def _say_why_not(context: Context, builder: Builder, work: Work, reason: str) -> None:
    """Let who asks for the products of a version know why there are none, or none that are newer."""
    async with context.database.begin() as connection:
        present = await file_store.settled_at(connection, [place_of(work.version)])
        owner = present.get(place_of(work.version), work.current)
        for kind in builder.makes:
            values = _row_of_lack(context, builder, work, Lack(kind, reason))
            await product_store.note_lack(connection, {"version_id": owner.id, **values}, reason)


def _row_of_lack(context: Context, builder: Builder, work: Work, lack: Lack) -> dict[str, Any]:
    content = lack.reason.encode()
    made = Made(lack.kind, REASON_TYPE, content, source=lack.source, options=lack.options)
    return row_of(context, builder, fingerprint(work.version), made, key=None)


def row_of(context: Context, builder: Builder, source: str, made: Made, *, key: str | None) -> dict[str, Any]:
    """Return the row of a product but for its version.

    ``source`` is the word for the data of that, and ``key`` is where the bytes are, if not in the row.
    """
    return {
        "kind": made.kind,
        "media_type": made.media_type,
        "width": made.width,
        "height": made.height,
        "sha256": digest_in(key) if key else hashlib.sha256(made.content).hexdigest(),
        "made": context.clock.now(),
        "step": builder.step,
        "parameters": {**builder.parameters(context.settings.archive), **made.options},
        "source": made.source or source,
        "key": key,
        "content": None if key else made.content,
    }
