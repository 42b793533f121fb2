"""The work orders that derive products of versions in the background."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog.priorities import LOWEST_INGEST
from armillary.base.work import NewOrder, admin, submit

DIGEST, PREVIEW = "digest", "preview"
AWAITED_PRIORITY = 0
DIGEST_PRIORITY, PREVIEW_PRIORITY = LOWEST_INGEST - 10, LOWEST_INGEST - 20
REASON_TYPE = "text/plain"
"""A product of this type is no picture, but says why there is none."""


async def submit_products(
    connection: AsyncConnection, version_ids: Sequence[int], *, actor: str, previews: bool = True
) -> None:
    """Queue digests, and pictures if wanted, of new versions.

    Those without pictures come from edits, whose clients wait for the digests: no ingest goes first.
    """
    orders = []
    for version_id in version_ids:
        args = {"version_id": version_id}
        orders.append(
            NewOrder(
                kind=DIGEST,
                args=args,
                key=f"{DIGEST}:{version_id}",
                unique_key=f"{DIGEST}:{version_id}",
                priority=DIGEST_PRIORITY if previews else AWAITED_PRIORITY,
                actor=actor,
            )
        )
        if previews:
            orders.append(
                NewOrder(
                    kind=PREVIEW,
                    args=args,
                    key=f"{PREVIEW}:{version_id}",
                    unique_key=f"{PREVIEW}:{version_id}",
                    priority=PREVIEW_PRIORITY,
                    actor=actor,
                )
            )
    await submit(connection, orders, keyed_fifo=False)


async def digests_pending(connection: AsyncConnection, version_ids: Iterable[int]) -> dict[str, int]:
    """Return the unfinished digest orders of these versions, id by key."""
    return await admin.unfinished_by_key(connection, [f"{DIGEST}:{one}" for one in version_ids])
