"""Single runs of the order that takes a cube in, with something that happens in the middle of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.models import Options
from armillary.archive.cubes.run import ingest_cube
from armillary.archive.intake.orders import INGEST_CUBE
from armillary.base.work import Claim, Kind, Worker
from armillary.base.work.admin import LatestRun, OrderView, cancel
from armillary.base.work.ledger import Ledger
from armillary.context import Context
from tests.support.ingestion import Observatory

Hook = Callable[[], Awaitable[Any]]
CATALOGUE = ("file", "version", "frame", "cube", "cube_tag", "cube_derived", "observation")
"""What a run that fails leaves as it was."""


async def ask(observatory: Observatory, path: Path, *, priority: int = 0, **options: Any) -> cubes.Submitted:
    """Order a file to be taken in, and do nothing about it."""
    below = str(path.relative_to(observatory.root))
    asked = Options.of_args(options)
    return await cubes.submit(observatory.context, below, asked, root=None, actor="test", priority=priority)


async def latest(observatory: Observatory, submitted: cubes.Submitted) -> LatestRun:
    """Return the run that counts of a path."""
    found = await cubes.ingestion(observatory.context, submitted.number)
    assert found is not None
    return found.latest


def options_of(order: OrderView | LatestRun) -> dict[str, Any]:
    """Return what an order asks for."""
    view = order.view if isinstance(order, LatestRun) else order
    return Options.of_args(view.args).to_args()


async def run_one(
    observatory: Observatory, *, before: Hook | None = None, midway: Hook | None = None, **kind: Any
) -> bool:
    """Run the order that is due next, once; tell whether there was one.

    ``before`` is awaited when it is claimed, ``midway`` between reading the file and recording it.
    """

    async def handle(context: Context, claims: Sequence[Claim]) -> None:
        if before:
            await before()
        with pytest.MonkeyPatch.context() as patch:
            if midway:
                patch.setattr(claims[0], "completing", delaying(claims[0].completing, midway))
            await ingest_cube(context, claims)

    worker = Worker(observatory.context, [Kind(INGEST_CUBE, handle, **kind)], name="one")
    return await worker.run_one()


def delaying(completing: Any, midway: Hook) -> Any:
    @asynccontextmanager
    async def delayed(*values: Any) -> AsyncIterator[Any]:
        await midway()
        async with completing(*values) as connection:
            yield connection

    return delayed


async def claim(observatory: Observatory, owner: str = "another") -> Claim:
    """Claim the order that is due next, as a worker that never renews its lease."""
    ledger = Ledger(observatory.context.database, observatory.context.settings.work, owner)
    try:
        (claimed,) = await ledger.exchange((), [INGEST_CUBE], 1, {})
        return claimed
    finally:
        await ledger.close()


async def cancelled(observatory: Observatory, order: int) -> str | None:
    """Cancel an order; return its state then, None if that cannot be."""
    async with observatory.context.database.begin() as connection:
        return await cancel(connection, order, "Cancelled by observer.", keep_s=3600.0)


async def rows(observatory: Observatory, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Return rows of the database."""
    async with observatory.context.database.begin() as connection:
        return [tuple(row) for row in await connection.exec_driver_sql(query, values)]


async def catalogue(observatory: Observatory) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that is recorded of files and cubes."""
    return {name: await rows(observatory, f"SELECT * FROM {name} ORDER BY 1, 2") for name in CATALOGUE}
