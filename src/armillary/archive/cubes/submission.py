"""Orders for files of ingestion roots: one for each path, called by its number, whatever asked for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Location, Root
from armillary.archive.cubes.errors import RootNotSetUp
from armillary.archive.cubes.models import Options
from armillary.archive.cubes.previews import Ordered, previews_made
from armillary.archive.cubes.roots import check_source, location_below, root_called
from armillary.archive.intake import paths
from armillary.archive.intake.orders import INGEST_CUBE, submit_ingests
from armillary.base.work import State
from armillary.base.work.admin import LatestRun, latest_runs
from armillary.context import Context

PATIENCE_S, LOOK_S = 10.0, 0.1


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What is ordered of one path: its number, where it is, and how the run stands that counts now.

    The outcome of the step `previews` among ``steps`` is that of the orders which make them, None until they end.
    """

    number: int
    root: Root
    path: str
    latest: LatestRun
    steps: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Submitted:
    """An order that was accepted: the number of its path, and that of the run."""

    number: int
    order: int


async def submit(
    context: Context, text: str, options: Options, *, root: str | None, actor: str, priority: int = 0
) -> Submitted:
    """Order a file of an ingestion root to be taken in; a run that waits already takes the options over.

    Raises
    ------
    NoIngestionRoot, NotInRoot
        If no such file can be taken in.
    """
    base = await _root(context, root)
    place = await asyncio.to_thread(location_below, base, text)
    for name, source in (("image_source", options.image_source), ("video_source", options.video_source)):
        if source:
            await asyncio.to_thread(check_source, base, name, source)
    return await _submit(context, place, options, actor=actor, priority=priority)


async def _root(context: Context, name: str | None) -> Root:
    """Return an ingestion root; a program that has just started sets it up in a moment."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            async with context.database.begin() as connection:
                return await root_called(connection, context.settings.ingestion, name)
        except RootNotSetUp:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(LOOK_S)


async def again(context: Context, one: Ingestion, *, actor: str) -> Submitted:
    """Order a path once more, with the options that a failed run has left."""
    return await _submit(context, Location.of_key(one.root.id, one.path), Options(), actor=actor)


async def follow_edits(context: Context, connection: AsyncConnection, places: Sequence[Location]) -> None:
    """Let cubes whose headers were edited say what these say now; called in the transaction of the edits."""
    if not context.settings.ingestion.roots:
        # Most archives have none, and their edits are not to cost a look for them.
        return
    profiled = {root.id for root in await catalog.list_roots(connection) if root.profile}
    concerned = [place for place in places if place.root_id in profiled]
    await submit_ingests(connection, concerned, actor="edits")


async def _submit(
    context: Context, place: Location, options: Options, *, actor: str, priority: int = 0
) -> Submitted:
    said = options.to_args()
    force, verify = said.pop("force", False), said.pop("verify", False)
    async with context.database.begin() as connection:
        number = (await paths.numbers(connection, [place]))[place]
        (order,) = await submit_ingests(
            connection,
            [place],
            actor=actor,
            origin="ingest",
            force=force,
            verify=verify,
            options=said,
            priority=priority,
        )
    return Submitted(number, order)


async def ingestion(context: Context, number: int) -> Ingestion | None:
    """Return how a path stands, None if nothing is known of that number, or all its runs are past retention."""
    async with context.database.begin() as connection:
        if (found := await paths.numbered(connection, number)) is None:
            return None
        root_id, path = found
        root = await catalog.root_by_id(connection, root_id)
        runs = await latest_runs(connection, INGEST_CUBE, unique_keys=[_unique_key(root_id, path)])
        steps = await _steps(connection, runs[0]) if runs else ()
    return Ingestion(number, root, path, runs[0], steps) if runs else None


async def ingestions(
    context: Context,
    *,
    path: str | None = None,
    state: State | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Ingestion]:
    """Return paths with the runs that count now, the latest first; ``before`` is the id of a run."""
    async with context.database.begin() as connection:
        roots = {root.id: root for root in await catalog.list_roots(connection) if root.profile}
        keys = None if path is None else [_unique_key(root_id, path) for root_id in roots]
        runs = await latest_runs(
            connection, INGEST_CUBE, unique_keys=keys, state=state, before=before, limit=limit
        )
        known = [one for one in runs if int(str(one.view.args["root_id"])) in roots]
        return [
            Ingestion(
                int(str(one.view.args["number"])),
                roots[int(str(one.view.args["root_id"]))],
                _path(one),
                one,
                await _steps(connection, one),
            )
            for one in known
        ]


async def _steps(connection: AsyncConnection, run: LatestRun) -> list[Mapping[str, Any]]:
    """Return the steps of a run; its pictures and movies are made after it has ended."""
    steps: list[Mapping[str, Any]] = list(run.view.steps or ())
    brought: Any = run.view.response.value if run.view.response else None
    if not isinstance(brought, Mapping) or not brought.get("previews"):
        return steps
    ordered = Ordered(int(brought["version"]), tuple(brought["previews"]))
    outcome, why = await previews_made(connection, ordered)
    return [{**one, "outcome": outcome, "why": why} if one["name"] == "previews" else one for one in steps]


def _unique_key(root_id: int, path: str) -> str:
    return f"{INGEST_CUBE}:{root_id}:{path}"


def _path(one: LatestRun) -> str:
    args = one.view.args
    return Location(0, str(args["path"]), str(args["filename"])).key
