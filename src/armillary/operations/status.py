"""One look at everything: versions, queues, workers, failures, disks."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary import __version__
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Root
from armillary.base import revisions
from armillary.base.identity import read_identity
from armillary.base.work import overview
from armillary.base.work.overview import Line
from armillary.context import Context
from armillary.operations import store
from armillary.operations.models import (
    ContestedName,
    DestinationLine,
    Disk,
    Failure,
    HeldOrders,
    OldOrder,
    Queue,
    Status,
    Totals,
    WorkerLine,
)

LAST_FAILURES = 5
MOST_CONTESTED = 20


async def status_of(context: Context, *, failures: int = LAST_FAILURES) -> Status:
    """Return how the archive stands now, with its last ``failures`` failed orders."""
    schema = await revisions.current(context.database)
    async with context.database.begin() as connection:
        postgresql, size = await store.about_server(connection)
        totals, exact = await store.totals(connection)
        roots = await catalog.list_roots(connection)
        names = {str(root.id): root.name for root in roots}
        oldest = await overview.oldest(connection)
        failed = await overview.failures(connection, failures)
        files = await _files(connection, [oldest, *failed] if oldest else failed)
        return Status(
            version=__version__,
            archive=str((await read_identity(connection)).id),
            schema=schema or "",
            schema_known=revisions.head(),
            postgresql=postgresql,
            database_bytes=size,
            at=context.clock.now(),
            totals=Totals(**totals, exact=exact),
            queues=await queues(connection),
            held=tuple(
                HeldOrders(**{**row._mapping, "place": names.get(row.place, row.place)})
                for row in await overview.held(connection)
            ),
            oldest=_old_order(oldest, files[oldest.id]) if oldest else None,
            workers=await _workers(connection),
            failures=tuple(_failure(line, files[line.id]) for line in failed),
            failed=await overview.failed(connection),
            disks=await disks_of(context, connection),
            destinations=tuple(
                DestinationLine(**row._mapping) for row in await store.destinations(connection)
            ),
            unclaimed=tuple(root.name for root in roots if not root.claimed),
            contested=await _contested(connection),
        )


async def _contested(connection: AsyncConnection) -> tuple[ContestedName, ...]:
    """Return names that identify files and stand for several contents."""
    places: dict[str, list[str]] = {}
    for one in await catalog.contested(connection, most=MOST_CONTESTED):
        places.setdefault(one.key.name, []).append(one.shown)
    return tuple(ContestedName(name, tuple(found)) for name, found in places.items())


def status_to_json(status: Status) -> dict[str, Any]:
    """Return the status as plain values; instants as ISO 8601 with Z."""
    return dataclasses.asdict(status, dict_factory=lambda pairs: {key: _plain(value) for key, value in pairs})


def _plain(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value


async def queues(connection: AsyncConnection) -> tuple[Queue, ...]:
    """Return the unfinished orders by kind."""
    return tuple(Queue(**row._mapping) for row in await overview.kinds(connection))


async def _files(connection: AsyncConnection, lines: Sequence[Line]) -> dict[int, str]:
    """Return the file that each order is about, by the order's id, as far as it says so.

    Orders of products know the version they are about, but no name.
    """
    versions = {line.id: int(line.args["version_id"]) for line in lines if "version_id" in line.args}
    names = await store.names_of_versions(connection, list(versions.values()))
    return {
        line.id: line.args.get("name")
        or line.args.get("filename")
        or names.get(versions.get(line.id, 0))
        or line.key
        or ""
        for line in lines
    }


def _old_order(line: Line, file: str) -> OldOrder:
    return OldOrder(line.id, line.kind, file, str(line.state), line.attempts, line.error, line.age_s)


def _failure(line: Line, file: str) -> Failure:
    if line.finished is None:
        raise AssertionError("a failed order has ended")
    return Failure(line.id, line.kind, file, line.error, line.attempts, line.finished)


async def _workers(connection: AsyncConnection) -> tuple[WorkerLine, ...]:
    """Return the living, then whoever else holds leases: commands, and the dead until these expire."""
    leases = await overview.leases(connection)
    lines = [
        WorkerLine(
            row.owners[0],
            row.name,
            row.host,
            row.pid,
            row.slots,
            row.up_s,
            row.seen_s,
            sum(leases.pop(owner, 0) for owner in row.owners),
            True,
        )
        for row in await store.living(connection)
    ]
    registered = {row.owner for row in await store.rows(connection, store.REGISTERED)}
    for owner, count in sorted(leases.items()):
        alive = False if owner in registered else None
        name, pid = _parts(str(owner))
        lines.append(WorkerLine(owner, name, "", pid, None, None, None, count, alive))
    return tuple(lines)


def _parts(owner: str) -> tuple[str, int | None]:
    """Return name and process id of a worker from what it writes into its leases."""
    name, _, rest = owner.rpartition("-")[0].rpartition("-")
    return (name, int(rest)) if name and rest.isdecimal() else (owner, None)


def directories_of(context: Context, roots: Sequence[Root]) -> dict[str, Path]:
    """Return the directories on whose room an archive depends, by what they are called."""
    found = {root.name: root.path for root in roots if root.path} | {"private": context.stores.private}
    own = {} if context.settings.database.url else {"database": context.settings.data / "postgres"}
    return found | own


async def disks_of(context: Context, connection: AsyncConnection) -> tuple[Disk, ...]:
    """Return the room on the file systems on which an archive depends."""
    directories = directories_of(context, await catalog.list_roots(connection))
    return await asyncio.to_thread(disks, directories)


def disks(directories: dict[str, Path]) -> tuple[Disk, ...]:
    """Return the room on the file systems of directories."""
    return tuple(Disk(name, str(path), *_room(path)) for name, path in directories.items())


def _room(path: Path) -> Sequence[int | None]:
    try:
        found = os.statvfs(path)
    except OSError:
        return None, None
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
