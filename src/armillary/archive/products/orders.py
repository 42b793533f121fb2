"""The work orders that derive products of versions in the background."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import product_store
from armillary.archive.catalog.priorities import LOWEST_INGEST
from armillary.archive.products.options import MediaOptions
from armillary.archive.products.origins import IMAGE, THUMBNAIL, VIDEO
from armillary.base.work import JsonObject, Merging, NewOrder, admin, ask, submit

DIGEST, PREVIEW, TILES = "digest", "preview", "tiles"
AWAITED_PRIORITY = 0
NOTHING: Mapping[str, object] = MappingProxyType({})
MEDIA_MERGING = Merging(sticky=("asked", "force"))
DIGEST_PRIORITY, PREVIEW_PRIORITY = LOWEST_INGEST - 10, LOWEST_INGEST - 20
TILES_PRIORITY = LOWEST_INGEST - 30


async def submit_products(
    connection: AsyncConnection,
    version_ids: Sequence[int],
    *,
    actor: str,
    previews: bool = True,
    digested: Container[int] = (),
    pictured: Container[int] = (),
    tiled: Container[int] = (),
) -> None:
    """Queue digests, and pictures if wanted, of new versions, and tiles of those that are to be ``tiled``.

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
        if version_id in tiled:
            orders.append(_order(TILES, version_id, actor, TILES_PRIORITY))
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


async def submit_cube_media(
    connection: AsyncConnection,
    version_id: int,
    options: Mapping[str, object] = NOTHING,
    *,
    actor: str,
    former: int | None = None,
    priority: int = PREVIEW_PRIORITY,
) -> list[int]:
    """Queue picture, thumbnail and movie of a version in the caller's transaction; return the orders.

    ``options`` are those of an order (`MediaOptions`); others are passed over. What is as it should be already is
    left so, but with ``force``. The products of the version ``former`` serve this one until it has its own. A
    later call merges into orders that wait: what it says wins, what it does not say stays, and ``force`` stays.

    Raises
    ------
    BadMediaOption
        If an option has a value that it cannot have.
    """
    said = MediaOptions.of(options)
    kinds = [kind for kind in (IMAGE, VIDEO) if said.makes(kind)]
    if former is not None:
        await product_store.hand_on_products(connection, former, version_id, (IMAGE, THUMBNAIL, VIDEO))
    orders = []
    for kind in kinds:
        args = {
            "version_id": version_id,
            "asked": True,
            "named": said.named(kind),
            "force": said.force or None,
        }
        orders.append(
            NewOrder(
                kind=kind,
                args={name: value for name, value in args.items() if value is not None},
                key=f"{kind}:{version_id}",
                unique_key=f"{kind}:{version_id}",
                priority=priority,
                actor=actor,
                merging=MEDIA_MERGING,
            )
        )
    return await submit(connection, orders, keyed_fifo=False)


async def ask_again(connection: AsyncConnection, kind: str, version_id: int) -> int:
    """Have the products of a builder made again, as somebody waits for them; return the order."""
    args: JsonObject = {"version_id": version_id}
    return await ask(connection, kind, args, actor="armillary", unique_key=f"{kind}:{version_id}")


async def digests_pending(connection: AsyncConnection, version_ids: Iterable[int]) -> dict[str, int]:
    """Return the unfinished digest orders of these versions, id by key."""
    return await admin.unfinished_by_key(connection, [f"{DIGEST}:{one}" for one in version_ids])
