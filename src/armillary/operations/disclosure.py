"""What somebody may know of a work order: the one rule for all surfaces.

Whoever may read everything is told all. Others may know of orders about files that they may know of, and of those
that they asked for themselves; arguments, response and steps may tell a position, and so may errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal, Scope
from armillary.archive.catalog import service as catalog
from armillary.archive.query import service as query
from armillary.base.work import JsonObject
from armillary.base.work.admin import OrderView
from armillary.edits.service import Discretion
from armillary.fits.containers import logical_name
from armillary.operations.errors import OrderNotFound
from armillary.operations.orders import find_order

_CONTAINERS = ("", ".bz2", ".gz", ".BZ2", ".GZ")


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """A work order, and what may be told of its error; the rest is told only if it is ``whole``."""

    view: OrderView
    error: str | None
    error_code: str | None
    whole: bool


async def known_order(
    connection: AsyncConnection, order_id: int, viewer: Principal, today: date
) -> KnownOrder:
    """Return an order, unless it may be about a file that the viewer may not know of.

    Raises
    ------
    OrderNotFound
        If it is that, or there is none.
    """
    found = await find_order(connection, order_id)
    # Whoever asked for something itself knows what.
    if found.actor != viewer.name and not await _may_know(connection, found.args, viewer, today):
        raise OrderNotFound(f"There is no work order {order_id}, or its record has expired.")
    if viewer.may(Scope.READ):
        return KnownOrder(found, found.error, found.error_code, whole=True)
    known, file_id = await discretion_of(connection, found, viewer, today)
    return KnownOrder(
        found, known.error(found.error, file_id), known.code(found.error_code, file_id), whole=False
    )


async def discretion_of(
    connection: AsyncConnection, found: OrderView, viewer: Principal, today: date
) -> tuple[Discretion, int | None]:
    """Return what may be told of an order, and the file that it edits."""
    known = Discretion(viewer, today)
    file_id = found.args.get("file_id")
    if not isinstance(file_id, int):
        return known, None
    await known.look_at(connection, [file_id])
    return known, file_id


def file_of(args: JsonObject) -> str | None:
    """Return the name of the file that an order is about, if its arguments say so."""
    found = args.get("name") or args.get("filename")
    return None if found is None else str(found)


def names_of(logical: str) -> list[str]:
    """Return the names that orders about a file of that logical name may bear."""
    return [logical_name(logical) + suffix for suffix in _CONTAINERS]


async def _may_know(connection: AsyncConnection, args: JsonObject, viewer: Principal, today: date) -> bool:
    if query.sees_everything(viewer) or not await query.hides_files(connection):
        return True
    files = await _files_of(connection, args)
    # Of an order that names no file of the catalog nobody can say which one it will be about.
    return bool(files) and not await query.unknown_among(connection, files, viewer, today)


async def _files_of(connection: AsyncConnection, args: JsonObject) -> set[int]:
    """Return the ids of the files that an order may be about."""
    match args:
        case {"file_id": int(file_id)}:
            return {file_id}
        case {"version_id": int(version_id)}:
            return {one.file_id for one in (await catalog.versions_by_id(connection, [version_id])).values()}
    name = file_of(args)
    found = await catalog.present_meant(connection, [name]) if name else {}
    return {one.file_id for versions in found.values() for one in versions}
