"""A tree that is only read, since somebody else may be changing it. Undo recipes are our own and lie elsewhere."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator, Sequence

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


class ReadOnlyStore:
    """The store of a root, by name, that refuses every change of its files."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        self._store, self._name = store, name

    async def head(self, key: str) -> StoredObject:
        """Return what is stored, or raise NotFound."""
        return await self._store.head(key)

    def open(self, key: str, *, settle: bool = False) -> Snapshot:
        """Open a file for reading; an edit of it that was interrupted is not ours to undo."""
        return self._store.open(key, settle=False)

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
        """Refuse to store a file."""
        raise self._refused(key)

    async def patch(
        self, patches: Sequence[Patch], guard: Guard
    ) -> builtins.list[StoredObject | ArmillaryError]:
        """Refuse every edit."""
        return [self._refused(patch.key) for patch in patches]

    async def replace(
        self, key: str, chunks: Chunks, expected: StoredObject | None, guard: ReplaceGuard
    ) -> StoredObject:
        """Refuse to replace a file."""
        raise self._refused(key)

    async def rename(self, old: str, new: str) -> StoredObject:
        """Refuse to move a file."""
        raise self._refused(old)

    async def delete(self, key: str) -> None:
        """Refuse to remove a file."""
        raise self._refused(key)

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield the files whose keys begin with ``prefix``, in order of key."""
        return self._store.list(prefix)

    async def recover(self) -> builtins.list[str]:
        """Leave what dead processes left behind to whoever may change the files."""
        return []

    async def probe(self) -> None:
        """Do nothing: a probe writes, and nothing is written here, so no write can have failed."""

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

    def _refused(self, key: str) -> RootNotClaimed:
        return RootNotClaimed.of(self._name, f"{key} is left as it is")
