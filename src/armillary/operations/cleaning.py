"""Forgetting what has had its time, and settling what a crash or a failing disk left behind.

The chores are work orders that are due again and again: status and logs tell how they went, as of any other order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import service as catalog
from armillary.archive.images import service as images
from armillary.archive.intake.service import sweep_staging
from armillary.archive.products import service as products
from armillary.base.log import get_logger
from armillary.base.work import Claim, Response, purge, step
from armillary.base.work.periods import Period
from armillary.context import Context
from armillary.edits.service import forget_expired_requests, record_failures, sweep_recipes
from armillary.operations import heartbeat
from armillary.operations.kinds import CLEANING, SWEEPING
from armillary.operations.retention import forget_samples
from armillary.pipe import service as pipe

log = get_logger(__name__)
PERIODS = (Period(CLEANING, 600.0), Period(SWEEPING, 86_400.0))
PURGED = 10_000
"""Rows that one transaction forgets: others wait for it."""


async def recover(context: Context) -> None:
    """Finish or undo what dead processes left behind in every store that no other archive has claimed."""
    async with context.database.begin() as connection:
        roots = await catalog.list_roots(connection)
    for root in roots:
        if root.is_there:
            await catalog.heed(context, root)
            for finding in await catalog.store_of(context, root).recover():
                log.warning("recovered", root=root.name, finding=finding)


async def clean(context: Context, claims: Sequence[Claim], *, portion: int = PURGED) -> None:
    """Record failed edits, forget what has had its time in tables and in the staging area, settle journals."""
    (claim,) = claims
    forgotten: dict[str, int] = {}
    async with step(claim, "failed edits"):
        await record_failures(context)
    async with step(claim, "orders"):
        forgotten["orders"] = await _in_portions(context, purge, portion)
    async with step(claim, "requests"):
        forgotten["requests"] = await _in_portions(context, forget_expired_requests, portion)
    async with step(claim, "pipe"):
        forgotten["pipe"] = await _in_portions(context, pipe.forget, portion)
    async with step(claim, "staged bytes"):
        forgotten["staged"] = await sweep_staging(context)
    async with step(claim, "samples"):
        forgotten["samples"] = await forget_samples(context)
    async with step(claim, "images"):
        forgotten |= await images.forget_expired(context)
    async with step(claim, "workers"):
        await heartbeat.forget_dead(context)
    async with step(claim, "journals"):
        # Journals that a failing disk kept from being settled cost every edit of their files a sync.
        await recover(context)
    claim.complete(Response(value=forgotten))
    if any(forgotten.values()):
        log.info("forgotten", **forgotten)


async def sweep(context: Context, claims: Sequence[Claim]) -> None:
    """Remove undo recipes that no version needs, and products without a record; queue products that are gone."""
    (claim,) = claims
    async with step(claim, "recipes"):
        recipes = await sweep_recipes(context)
    async with step(claim, "products"):
        settled = await products.settle_products(context)
    claim.complete(Response(value={"recipes": recipes, **settled}))


class Forget(Protocol):
    """A statement that deletes up to so many rows whose time is up."""

    async def __call__(self, connection: AsyncConnection, *, limit: int) -> int:
        """Return how many rows it deleted."""
        ...


async def _in_portions(context: Context, forget: Forget, portion: int) -> int:
    """Delete everything whose time is up, so many rows at a time that nobody waits for it."""
    total = 0
    while True:
        async with context.database.begin() as connection:
            deleted = await forget(connection, limit=portion)
        total += deleted
        if deleted < portion:
            return total
