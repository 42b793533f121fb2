"""The roots of an archive: where they are, and which of them it may change.

A copy of an archive changes its own files. Trees outside of its directory it shares with the archive that it was
copied from, so it only reads them until somebody claims them (`armillary.base.identity`). Then it is the other
archive that only reads them: the claim is noted in the tree (`armillary.base.store.notes`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from armillary.archive.catalog import store
from armillary.archive.catalog.models import Root
from armillary.archive.catalog.roots import root_by_id, root_by_name, store_of
from armillary.base.identity import check_place, read_identity, take_over
from armillary.base.log import get_logger
from armillary.base.place import STORE
from armillary.base.store.errors import RootAway
from armillary.base.store.notes import claimed_by, note_claim
from armillary.base.work import admin
from armillary.context import Context

log = get_logger(__name__)


class RootState(StrEnum):
    """What can be done with the files of a root."""

    EDITABLE = "editable"
    READ_ONLY = "read-only"
    """Nothing is changed until the root is claimed."""
    AWAY = "away"
    """The directory is not there."""


@dataclass(frozen=True, slots=True)
class RootLine:
    """A root and its state."""

    root: Root
    state: RootState


@dataclass(frozen=True, slots=True)
class Roots:
    """All roots of an archive, with its id and the directory that it was copied from, if it was."""

    archive: UUID
    copied_from: str | None
    lines: tuple[RootLine, ...]


async def roots_of(context: Context) -> Roots:
    """Return the roots with their states."""
    async with context.database.begin() as connection:
        identity = await read_identity(connection)
        roots = await store.list_roots(connection)
    lines = [RootLine(root, await asyncio.to_thread(_state, root)) for root in roots]
    return Roots(identity.id, identity.copied_from, tuple(lines))


def _state(root: Root) -> RootState:
    if not root.is_there:
        return RootState.AWAY
    return RootState.EDITABLE if root.claimed else RootState.READ_ONLY


async def claim(context: Context, name: str) -> Root:
    """Let the archive, and no other, change the files of a root; run the orders at once that waited for that.

    To claim the store is to say that this directory is the archive, wherever its database or other state lies.

    Raises
    ------
    UnknownRoot
        If there is no root of that name.
    DirectoryNotClaimed
        If the database belongs to another directory, which is to be claimed first.
    OthersAtWork
        If processes are at work that may use another directory with the same database.
    RootAway
        If the directory of the root is not there, so that no other archive can be told.
    """
    async with context.database.begin() as connection:
        await root_by_name(connection, name)
    if name == STORE:
        await take_over(context.database, context.settings.data)
    else:
        await check_place(context.database, context.settings.data)
    async with context.database.begin() as connection:
        root = await root_by_name(connection, name)
    await _note(context, root)
    async with context.database.begin() as connection:
        await store.claim_root(connection, root.id)
        root = await root_by_id(connection, root.id)
    if root.is_there:
        # What a crash left behind before the directory was copied or moved.
        for finding in await store_of(context, root).recover():
            log.warning("recovered", root=root.name, finding=finding)
    async with context.database.begin() as connection:
        await admin.run_keys_now(connection, f"{root.id}:")
    return root


async def _note(context: Context, root: Root) -> None:
    """Tell other archives that share a tree outside of the directory of this one."""
    if (path := _shared(context, root)) is None:
        return
    if not await asyncio.to_thread(path.is_dir):
        raise RootAway(
            f"{path} is not there. Mount its disk, so that its claim can be noted there; then retry."
        )
    await asyncio.to_thread(note_claim, path, context.settings.data)


def _shared(context: Context, root: Root) -> Path | None:
    """Return the directory of a root that other archives could have, too, None if it is our own."""
    home = context.settings.data.resolve()
    return None if root.path is None or root.path.is_relative_to(home) else root.path


async def heed(context: Context, root: Root) -> None:
    """Only read a root from now on if another archive has claimed it."""
    if not root.claimed or (path := _shared(context, root)) is None:
        return
    if (other := await asyncio.to_thread(claimed_by, path, context.settings.data)) is None:
        return
    async with context.database.begin() as connection:
        await store.claim_root(connection, root.id, claimed=False)
    log.warning("a root is another archive's now: it is only read", root=root.name, claimed_by=other)
