"""Roots, the directory trees that hold the files of an archive, and their object stores."""

from __future__ import annotations

import difflib
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Level
from armillary.archive.catalog import store
from armillary.archive.catalog.models import Root
from armillary.archive.catalog.store import (
    list_roots,
)
from armillary.archive.errors import UnknownRoot
from armillary.archive.models import Identity
from armillary.base.place import IMAGES, STORE
from armillary.base.store import ObjectStore
from armillary.base.store.errors import StorageFailed, explain
from armillary.context import Context
from armillary.errors import Conflict
from armillary.settings import ArchiveSettings

MOST_NAMESAKES = 1000
MANY = 10_000
"""Rows of which so many are written anew are worth a look of the planner at their table."""


async def root_by_id(connection: AsyncConnection, root_id: int) -> Root:
    """Return a root.

    Raises
    ------
    UnknownRoot
        If there is none of that number.
    """
    found = {root.id: root for root in await list_roots(connection)}.get(root_id)
    if found is None:
        raise UnknownRoot(f"There is no root {root_id}; armillary root list shows those that there are.")
    return found


async def ensure_root(
    connection: AsyncConnection,
    name: str,
    place: Path | str,
    *,
    in_place: bool,
    watched: bool = False,
    visibility: Level = Level.METADATA,
    identity: Identity = Identity.UNIQUE,
) -> Root:
    """Return the root at a path, or at a URL, recording it if it is new.

    The name may be taken: it is made of a path, where another directory stood before this archive was moved.
    """
    url = place if isinstance(place, str) else place.as_uri()
    for number in range(1, MOST_NAMESAKES):
        free = name if number == 1 else f"{name}-{number}"
        await store.insert_root(
            connection,
            name=free,
            place=place,
            in_place=in_place,
            watched=watched,
            visibility=visibility,
            identity=identity,
        )
        if found := {root.url: root for root in await list_roots(connection)}.get(url):
            return found
    raise Conflict(f"There are {number} roots named {name} already.")


def store_of(context: Context, root: Root) -> ObjectStore:
    """Return the object store of a root.

    Raises
    ------
    ArmillaryError
        If its directory, or the private one that belongs to it, cannot be opened.
    """
    try:
        return context.stores.at(root.name, root.url, in_place=root.in_place, claimed=root.claimed)
    except FileNotFoundError as error:
        # That is not said of any file, so none of them is gone.
        raise StorageFailed(
            f"{root.shown()} cannot be opened: {error.strerror}; look at the disk."
        ) from error
    except OSError as error:
        raise explain(error, root.shown()) from error


async def store_root(connection: AsyncConnection, context: Context) -> Root:
    """Return the root of Armillary's own store, below the data directory."""
    path = context.settings.data / STORE
    # A link may lead to a disk that is not mounted.
    if not path.is_symlink():
        path.mkdir(mode=0o755, exist_ok=True)
    return await ensure_root(
        connection, STORE, path.resolve(), in_place=True, visibility=visibility_of(context.settings.archive)
    )


async def images_root(connection: AsyncConnection, context: Context) -> Root:
    """Return the root of the images that sites send; they are open where no release date holds them back."""
    path = context.settings.data / IMAGES
    path.mkdir(mode=0o755, exist_ok=True)
    return await ensure_root(
        connection,
        IMAGES,
        path.resolve(),
        in_place=True,
        visibility=Level.OPEN,
        identity=Identity.BY_PATH,
    )


async def own_roots(connection: AsyncConnection, context: Context) -> tuple[Root, Root]:
    """Return the roots in the directory of the archive itself: the store, and that of images."""
    return await store_root(connection, context), await images_root(connection, context)


def visibility_of(settings: ArchiveSettings) -> Level:
    """Return what strangers are told of the files of a new root."""
    return Level(settings.visibility)


async def set_visibility(context: Context, name: str, visibility: Level) -> int:
    """Say what strangers are told of the files of a root; return for how many files that is news.

    Raises
    ------
    UnknownRoot
        If there is no root of that name.
    """
    async with context.database.begin() as connection:
        root = await root_by_name(connection, name)
        count = await store.set_visibility(connection, root.id, visibility)
    if count >= MANY:
        # Every one of them has left an old row behind, and plans should know how many are open.
        await context.database.refresh("frame")
    return count


async def root_by_name(connection: AsyncConnection, name: str) -> Root:
    """Return a root.

    Raises
    ------
    UnknownRoot
        If there is none of that name, with the nearest one that there is.
    """
    roots = {root.name: root for root in await store.list_roots(connection)}
    if name not in roots:
        near = difflib.get_close_matches(name, roots, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise UnknownRoot(f"There is no root '{name}'.{hint} See armillary root list.")
    return roots[name]
