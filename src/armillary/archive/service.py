"""What other nouns and the dialects may ask of the archive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive import embargo, store
from armillary.archive.catalog import NewVersion, record_versions
from armillary.archive.errors import (
    FileAmbiguous,
    FileEmbargoed,
    FileNotFound,
    UnknownRoot,
    VersionNotFound,
)
from armillary.archive.names import LOWEST_INGEST, science_priority
from armillary.archive.store import (
    canonical_of,
    get_product,
    is_empty,
    list_roots,
    move_products,
    present_at,
    present_by_label,
    present_by_name,
    unclaimed_roots,
    versions_by_id,
    versions_of,
)
from armillary.archive.versions import Location, Root, Version
from armillary.base.place import STORE
from armillary.base.store import ObjectStore
from armillary.base.store.errors import StorageFailed, explain
from armillary.base.work import Merging, NewOrder, admin, submit
from armillary.context import Context
from armillary.errors import Conflict
from armillary.fits.containers import logical_name

if TYPE_CHECKING:
    from armillary.archive.profiles import Profiles

INGEST, DIGEST, PREVIEW = "ingest", "digest", "preview"
AWAITED_PRIORITY = 0
MOST_NAMESAKES = 1000
DIGEST_PRIORITY, PREVIEW_PRIORITY = LOWEST_INGEST - 10, LOWEST_INGEST - 20
REASON_TYPE = "text/plain"
"""A product of this type is no picture, but says why there is none."""


@lru_cache(maxsize=4)
def profiles_of(directory: Path | None) -> Profiles:
    """Return the instrument profiles, read once per process."""
    # Only here: who only reads the catalog needs none.
    from armillary.archive.profiles import load_profiles

    return load_profiles(directory)


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
    connection: AsyncConnection, name: str, path: Path, *, in_place: bool, watched: bool = False
) -> Root:
    """Return the root at a path, recording it if it is new.

    The name may be taken: it is made of a path, where another directory stood before this archive was moved.
    """
    for number in range(1, MOST_NAMESAKES):
        free = name if number == 1 else f"{name}-{number}"
        await store.insert_root(connection, name=free, path=path, in_place=in_place, watched=watched)
        if found := {root.path: root for root in await list_roots(connection)}.get(path):
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
        return context.stores.at(root.name, root.path, in_place=root.in_place, claimed=root.claimed)
    except FileNotFoundError as error:
        # That is not said of any file, so none of them is gone.
        raise StorageFailed(f"{root.path} cannot be opened: {error.strerror}; look at the disk.") from error
    except OSError as error:
        raise explain(error, str(root.path)) from error


async def store_root(connection: AsyncConnection, context: Context) -> Root:
    """Return the root of Armillary's own store, below the data directory."""
    path = context.settings.data / STORE
    # A link may lead to a disk that is not mounted.
    if not path.is_symlink():
        path.mkdir(mode=0o755, exist_ok=True)
    return await ensure_root(connection, STORE, path.resolve(), in_place=True)


async def submit_ingests(
    connection: AsyncConnection,
    locations: Sequence[Location],
    *,
    actor: str,
    origin: str = "ingest",
    force: bool = False,
    known: Mapping[Location, Mapping[str, Any]] | None = None,
    patient: bool = True,
) -> list[int]:
    """Queue the intake of stored files; a file that waits already is not queued twice.

    ``known`` may carry ``size``, ``mtime_ns`` and ``crc`` of files whose bytes were summed on their way in.
    ``patient`` lets files that still grow wait until they rest.
    """
    orders = [
        NewOrder(
            kind=INGEST,
            args={
                "root_id": place.root_id,
                "path": place.path,
                "filename": place.filename,
                "origin": origin,
                "patient": patient,
                # Left out where it says nothing, since a waiting order takes over what is said.
                **({"force": True} if force else {}),
                **({"known": known[place]} if known and place in known else {}),
            },
            key=place.file_key,
            unique_key=f"{INGEST}:{place.file_key}",
            priority=science_priority(place.filename),
            actor=actor,
            merging=Merging(sticky=("force",)),
        )
        for place in locations
    ]
    return await submit(connection, orders, keyed_fifo=False)


async def submit_products(
    connection: AsyncConnection, version_ids: Sequence[int], *, actor: str, previews: bool = True
) -> None:
    """Queue digests, and pictures if wanted, of new versions.

    Those without pictures come from edits, whose clients wait for the digests: no ingest goes first.
    """
    orders = []
    for version_id in version_ids:
        args = {"version_id": version_id}
        orders.append(
            NewOrder(
                kind=DIGEST,
                args=args,
                key=f"{DIGEST}:{version_id}",
                unique_key=f"{DIGEST}:{version_id}",
                priority=DIGEST_PRIORITY if previews else AWAITED_PRIORITY,
                actor=actor,
            )
        )
        if previews:
            orders.append(
                NewOrder(
                    kind=PREVIEW,
                    args=args,
                    key=f"{PREVIEW}:{version_id}",
                    unique_key=f"{PREVIEW}:{version_id}",
                    priority=PREVIEW_PRIORITY,
                    actor=actor,
                )
            )
    await submit(connection, orders, keyed_fifo=False)


async def digests_pending(connection: AsyncConnection, version_ids: Iterable[int]) -> dict[str, int]:
    """Return the unfinished digest orders of these versions, id by key."""
    return await admin.unfinished_by_key(connection, [f"{DIGEST}:{one}" for one in version_ids])


@dataclass(frozen=True, slots=True)
class Served:
    """A version that somebody may have, with the reason."""

    version: Version
    root: Root
    reason: embargo.Reason


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
) -> embargo.Reason | None:
    """Return why the viewer may have the bytes of a version, or None."""
    row = await store.frame_row(connection, version.file_id)
    if row is None:
        return embargo.Reason.STAFF if embargo.sees_everything(viewer) else None
    return embargo.why_visible({**row._mapping, "name": version.name}, viewer, now.date())


async def version_number(connection: AsyncConnection, file_id: int, number: int) -> Version:
    """Return the version of a file by its number in the history, the first being 1.

    Raises
    ------
    VersionNotFound
        With the numbers that there are.
    """
    versions = await versions_of(connection, file_id)
    if not 1 <= number <= len(versions):
        raise VersionNotFound(f"There is no version {number}; the file has versions 1 to {len(versions)}.")
    return versions[number - 1]


async def frame_of_file(connection: AsyncConnection, file_id: int) -> dict[str, Any] | None:
    """Return the frame of a file as a plain mapping."""
    row = await store.frame_row(connection, file_id)
    return dict(row._mapping) if row else None


__all__ = [
    "STORE",
    "NewVersion",
    "Served",
    "canonical_of",
    "ensure_root",
    "frame_of_file",
    "get_product",
    "is_empty",
    "list_roots",
    "logical_name",
    "move_products",
    "present_at",
    "present_by_label",
    "present_by_name",
    "profiles_of",
    "record_versions",
    "root_by_id",
    "store_of",
    "store_root",
    "submit_ingests",
    "submit_products",
    "unclaimed_roots",
    "version_number",
    "version_to_serve",
    "versions_by_id",
    "versions_of",
    "why_visible",
]
