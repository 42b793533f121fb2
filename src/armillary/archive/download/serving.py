"""Which version of a file somebody may have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog import store
from armillary.archive.catalog.models import Root, Version
from armillary.archive.catalog.service import present_by_name, root_by_id
from armillary.archive.errors import FileAmbiguous, FileEmbargoed, FileNotFound
from armillary.archive.query import visibility


@dataclass(frozen=True, slots=True)
class Served:
    """A version that somebody may have, with the reason."""

    version: Version
    root: Root
    reason: visibility.Reason


async def version_to_serve(
    connection: AsyncConnection, name: str, viewer: Principal, *, now: datetime, path: str | None = None
) -> Served:
    """Return the present version of a logical file that the viewer may have.

    Raises
    ------
    FileNotFound
        If there is none at that path.
    FileAmbiguous
        If it is present in several places and no path was given.
    FileEmbargoed
        If it is not public and the viewer may not see it.
    """
    found = await present_by_name(connection, [name])
    if path is not None and (exact := [one for one in found if one.location.path == path]):
        found = exact
    if not found:
        raise FileNotFound(f"No file named '{name}' is in the archive.")
    if len(found) > 1:
        places = ", ".join(sorted(one.location.key for one in found))
        raise FileAmbiguous(f"'{name}' is present in several places: {places}. Give the path.")
    reason = await why_visible(connection, found[0], viewer, now=now)
    if reason is None:
        raise FileEmbargoed(f"'{name}' is not public yet; show a token that may read it.")
    return Served(found[0], await root_by_id(connection, found[0].location.root_id), reason)


async def why_visible(
    connection: AsyncConnection, version: Version, viewer: Principal, *, now: datetime
) -> visibility.Reason | None:
    """Return why the viewer may have the bytes of a version, or None."""
    row = await store.frame_row(connection, version.file_id)
    if row is None:
        return visibility.Reason.STAFF if visibility.sees_everything(viewer) else None
    return visibility.why_visible({**row._mapping, "name": version.name}, viewer, now.date())
