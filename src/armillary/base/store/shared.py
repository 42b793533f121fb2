"""A tree that somebody else may be changing: then it is only read. Undo recipes are our own and lie elsewhere."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator, Callable, Sequence

from armillary.base.store.errors import RootNotClaimed
from armillary.base.store.models import (
    Chunks,
    Guard,
    ObjectStore,
    Patch,
    ReplaceGuard,
    Snapshot,
    StoredObject,
)
from armillary.errors import ArmillaryError


class SharedStore:
    """The store of a root, by name, that refuses every change of its files as long as they are another archive's.

    ``is_barred`` tells whether they are. It may block, and is asked for each change anew, the last time when bytes
    are about to go live: another archive may claim the tree at any moment.
    """

    def __init__(self, store: ObjectStore, name: str, is_barred: Callable[[], bool]) -> None:
        self._store, self._name, self._is_barred = store, name, is_barred

    async def head(self, key: str) -> StoredObject:
        """Return what is stored, or raise NotFound."""
        return await self._store.head(key)

    def open(self, key: str, *, settle: bool = False) -> Snapshot:
        """Open a file for reading; an edit of it that was interrupted may not be ours to undo."""
        return self._store.open(key, settle=settle and not self._is_barred())

    async def read(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return the bytes from ``start`` up to ``stop``."""
        return await asyncio.to_thread(self._read, key, start, stop)

    def _read(self, key: str, start: int, stop: int | None) -> bytes:
        with self.open(key) as snapshot:
            end = snapshot.stored.size if stop is None else min(stop, snapshot.stored.size)
            return snapshot.read_at(start, max(0, end - start))

    async def write(
        self, key: str, chunks: Chunks, *, overwrite: bool = False, mtime_ns: int | None = None
    ) -> StoredObject:
        """Store a file."""
        await self._check(key)
        return await self._store.write(key, chunks, overwrite=overwrite, mtime_ns=mtime_ns)

    async def patch(
        self, patches: Sequence[Patch], guard: Guard
    ) -> builtins.list[StoredObject | ArmillaryError]:
        """Carry out edits of plain files."""

        async def last(going_live: Sequence[Patch]) -> None:
            await self._check(going_live[0].key)
            await guard(going_live)

        if await asyncio.to_thread(self._is_barred):
            return [self._refused(patch.key) for patch in patches]
        return await self._store.patch(patches, last)

    async def replace(
        self, key: str, chunks: Chunks, expected: StoredObject | None, guard: ReplaceGuard
    ) -> StoredObject:
        """Give a file whole new bytes."""

        async def last() -> None:
            await self._check(key)
            await guard()

        await self._check(key)
        return await self._store.replace(key, chunks, expected, last)

    async def rename(self, old: str, new: str) -> StoredObject:
        """Move a file."""
        await self._check(old)
        return await self._store.rename(old, new)

    async def delete(self, key: str) -> None:
        """Remove a file."""
        await self._check(key)
        await self._store.delete(key)

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield the files whose keys begin with ``prefix``, in order of key."""
        return self._store.list(prefix)

    async def recover(self) -> builtins.list[str]:
        """Settle what dead processes left behind, unless that is left to whoever may change the files."""
        return [] if await asyncio.to_thread(self._is_barred) else await self._store.recover()

    async def probe(self) -> None:
        """Probe what may be written: where nothing is written no write can have failed."""
        if not await asyncio.to_thread(self._is_barred):
            await self._store.probe()

    async def put_blob(self, name: str, data: bytes) -> None:
        """Keep a small object outside the tree of files."""
        await self._store.put_blob(name, data)

    async def get_blob(self, name: str) -> bytes:
        """Return a kept object, or raise NotFound."""
        return await self._store.get_blob(name)

    async def blob_names(self) -> builtins.list[str]:
        """Return the names of all kept objects."""
        return await self._store.blob_names()

    async def delete_blob(self, name: str) -> None:
        """Forget a kept object."""
        await self._store.delete_blob(name)

    def close(self) -> None:
        """Let go of everything."""
        self._store.close()

    async def _check(self, key: str) -> None:
        if await asyncio.to_thread(self._is_barred):
            raise self._refused(key)

    def _refused(self, key: str) -> RootNotClaimed:
        return RootNotClaimed.of(self._name, f"{key} is left as it is")
