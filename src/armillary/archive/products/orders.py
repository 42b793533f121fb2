"""The work orders that derive products of versions in the background."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog.priorities import LOWEST_INGEST
from armillary.base.work import JsonObject, NewOrder, admin, ask, submit

DIGEST, PREVIEW = "digest", "preview"
AWAITED_PRIORITY = 0
DIGEST_PRIORITY, PREVIEW_PRIORITY = LOWEST_INGEST - 10, LOWEST_INGEST - 20


async def submit_products(
    connection: AsyncConnection,
    version_ids: Sequence[int],
    *,
    actor: str,
    previews: bool = True,
    digested: Container[int] = (),
    pictured: Container[int] = (),
) -> None:
    """Queue digests, and pictures if wanted, of new versions.

    Those without pictures come from edits, whose clients wait for the digests: no ingest goes first. Versions that
    are ``digested`` have their digests, and those that are ``pictured`` their pictures, or can have none.
    """
    priority = DIGEST_PRIORITY if previews else AWAITED_PRIORITY
    orders = []
    for version_id in version_ids:
        if version_id not in digested:
            orders.append(_order(DIGEST, version_id, actor, priority))
        if previews and version_id not in pictured:
            orders.append(_order(PREVIEW, version_id, actor, PREVIEW_PRIORITY))
    await submit(connection, orders, keyed_fifo=False)


async def submit_builds(
    connection: AsyncConnection, kind: str, version_ids: Sequence[int], *, actor: str
) -> None:
    """Queue the builder of that name for versions, behind everything else."""
    orders = [_order(kind, version_id, actor, PREVIEW_PRIORITY) for version_id in version_ids]
    await submit(connection, orders, keyed_fifo=False)


def _order(kind: str, version_id: int, actor: str, priority: int) -> NewOrder:
    key = f"{kind}:{version_id}"
    args: JsonObject = {"version_id": version_id}
    return NewOrder(kind=kind, args=args, key=key, unique_key=key, priority=priority, actor=actor)


async def ask_again(connection: AsyncConnection, kind: str, version_id: int) -> int:
    """Have the products of a builder made again, as somebody waits for them; return the order."""
    args: JsonObject = {"version_id": version_id}
    return await ask(connection, kind, args, actor="armillary", unique_key=f"{kind}:{version_id}")


async def digests_pending(connection: AsyncConnection, version_ids: Iterable[int]) -> dict[str, int]:
    """Return the unfinished digest orders of these versions, id by key."""
    return await admin.unfinished_by_key(connection, [f"{DIGEST}:{one}" for one in version_ids])
