"""Which version of a file somebody may have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog import file_store, store
from armillary.archive.catalog.models import Root, Version
from armillary.archive.catalog.service import find_present, root_by_id
from armillary.archive.errors import FileEmbargoed, FileNotFound
from armillary.archive.query import visibility
from armillary.fits.containers import logical_name


@dataclass(frozen=True, slots=True)
class Served:
    """A version that somebody may have, with the reason."""

    version: Version
    root: Root
    reason: visibility.Reason


async def version_to_serve(
    connection: AsyncConnection, name: str, viewer: Principal, *, now: datetime
) -> Served:
    """Return the present version that a name or path means, and that the viewer may have.

    Raises
    ------
    FileNotFound
        If there is none that the viewer may know of.
    FileAmbiguous
        If the name means several files of different content.
    FileEmbargoed
        If it is not public and the viewer may not see it.
    """
    found = await find_present(connection, name, visibility.unknown_to(viewer, now.date()))
    reason = await why_visible(connection, found, viewer, now=now)
    if reason is None:
        raise FileEmbargoed(f"'{found.name}' is not public yet; show a token that may read it.")
    return Served(found, await root_by_id(connection, found.location.root_id), reason)


async def serve_version(
    connection: AsyncConnection, file_id: int, viewer: Principal, *, now: datetime
) -> Served:
    """Return the present version of a file by its id, if the viewer may have it.

    Whether the viewer may know of the file is for the caller to judge.

    Raises
    ------
    FileNotFound
        If nothing of the file is present.
    FileEmbargoed
        If it is not public and the viewer may not see it.
    """
    found = await file_store.present_of_files(connection, [file_id])
    if not found:
        raise FileNotFound("The file is not present any more.")
    version = next((one for one in found if one.canonical), found[0])
    reason = await why_visible(connection, version, viewer, now=now)
    if reason is None:
        raise FileEmbargoed(f"'{version.name}' is not public yet; show a token that may read it.")
    return Served(version, await root_by_id(connection, version.location.root_id), reason)


async def signed_version(connection: AsyncConnection, root: Root, path: str, filename: str) -> Served:
    """Return the version at a place of which a signed address tells.

    Raises
    ------
    FileNotFound
        If there is none any more.
    """
    key = (root.id, path, logical_name(filename))
    version = (await file_store.present_at(connection, [key])).get(key)
    if version is None:
        raise FileNotFound(f"No file named '{filename}' is in the archive any more.")
    return Served(version, root, visibility.Reason.SIGNED)


async def why_visible(
    connection: AsyncConnection, version: Version, viewer: Principal, *, now: datetime
) -> visibility.Reason | None:
    """Return why the viewer may have the bytes of a version, or None."""
    row = await store.frame_row(connection, version.file_id)
    if row is None:
        return visibility.Reason.STAFF if visibility.sees_everything(viewer) else None
    return visibility.why_visible(dict(row._mapping), viewer, now.date())
