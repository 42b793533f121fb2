"""The object store in memory, for tests: the behaviour of the others, and no durability."""

from __future__ import annotations

import asyncio
import builtins
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from armillary.base.store.blobs import check_name
from armillary.base.store.change import is_landed, is_pristine, pieces
from armillary.base.store.errors import Busy, ChangedOutside
from armillary.base.store.models import MAX_PATCHES, Chunks, Guard, Patch, ReplaceGuard, StoredObject
from armillary.base.store.places import check_key
from armillary.errors import ArmillaryError, BadRequest, Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Held:
    """An object and its bytes; a change makes a new one."""

    stored: StoredObject
    data: bytes

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``, fewer only at the end."""
        return self.data[offset : offset + size]

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill a buffer with the bytes from ``offset``; return how many there were."""
        found = self.read_at(offset, len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def fileno(self) -> None:
        """Return None: there is no descriptor."""

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MemoryStore:
    """Objects of one process."""

    def __init__(self, *, lock_wait_s: float = 10.0) -> None:
        self._wait_s = lock_wait_s
        self._objects: dict[str, Held] = {}
        self._blobs: dict[str, bytes] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._identities = 0

    def close(self) -> None:
        """Do nothing."""

    async def head(self, key: str) -> StoredObject:
        """Return what is stored, or raise NotFound."""
        return self.open(key).stored

    def open(self, key: str, *, settle: bool = True) -> Held:
        """Open a file for reading."""
        held = self._objects.get(check_key(key))
        if held is None:
            raise NotFound(f"There is no file {key}.")
        return held

    async def read(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return the bytes from ``start`` up to ``stop``."""
        return self.open(key).data[start:stop]

    async def write(
        self, key: str, chunks: Chunks, *, overwrite: bool = False, mtime_ns: int | None = None
    ) -> StoredObject:
        """Store a file completely or not at all; Conflict if it exists."""
        self._check_free(check_key(key), overwrite=overwrite)
        data = await _gathered(chunks)
        async with self._locked(key):
            self._check_free(key, overwrite=overwrite)
            return self._put(key, data, mtime_ns=mtime_ns)

    async def patch(
        self, patches: Sequence[Patch], guard: Guard
    ) -> builtins.list[StoredObject | ArmillaryError]:
        """Carry out edits of plain files, each completely or not at all."""
        if len({p.key for p in patches}) != len(patches) or len(patches) > MAX_PATCHES:
            raise BadRequest(f"Patch every file once, and at most {MAX_PATCHES} files per call.")
        results: dict[str, StoredObject | ArmillaryError] = {}
        async with AsyncExitStack() as locks:
            live = []
            for patch in sorted(patches, key=lambda p: p.key):
                try:
                    await locks.enter_async_context(self._locked(patch.key))
                    if (done := self._checked(patch)) is None:
                        live.append(patch)
                    else:
                        results[patch.key] = done
                except ArmillaryError as error:
                    results[patch.key] = error
            if live:
                await guard([p for p in patches if p in live])
            for patch in live:
                results[patch.key] = self._put(patch.key, self._edited(patch), like=self.open(patch.key))
        return [results[p.key] for p in patches]

    def _checked(self, patch: Patch) -> StoredObject | None:
        """Return the object if it holds the edit already, None if it is to be edited."""
        held, plan = self.open(patch.key), patch.plan
        if is_landed(plan, held.read_at, held.stored.size):
            return held.stored
        if not is_pristine(plan, held.read_at, held.stored.size) or patch.expected not in (None, held.stored):
            raise ChangedOutside(
                f"{patch.key} was changed outside Armillary; it was left alone: ingest it again."
            )
        return None

    def _edited(self, patch: Patch) -> bytes:
        data = self.open(patch.key).data
        parts = pieces(patch.plan)
        return b"".join(part if isinstance(part, bytes) else data[slice(*part)] for part in parts)

    async def replace(
        self, key: str, chunks: Chunks, expected: StoredObject | None, guard: ReplaceGuard
    ) -> StoredObject:
        """Give an existing file whole new bytes, if it is still ``expected``."""
        self.open(key)
        data = await _gathered(chunks)
        async with self._locked(key):
            if expected not in (None, self.open(key).stored):
                raise ChangedOutside(
                    f"{key} was changed outside Armillary; it was left alone: ingest it again."
                )
            await guard()
            return self._put(key, data)

    async def rename(self, old: str, new: str) -> StoredObject:
        """Move a file; Conflict if the new name is taken."""
        async with AsyncExitStack() as locks:
            for key in sorted({check_key(old), check_key(new)}):
                await locks.enter_async_context(self._locked(key))
            held = self.open(old)
            self._check_free(new, overwrite=False)
            del self._objects[old]
            return self._put(new, held.data, mtime_ns=held.stored.mtime_ns, like=held)

    async def delete(self, key: str) -> None:
        """Remove a file, or raise NotFound."""
        async with self._locked(key):
            self.open(key)
            del self._objects[key]

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield the files whose keys begin with ``prefix``, in order of key."""
        if prefix:
            check_key(prefix.rstrip("/") or prefix)
        for key in sorted(k for k in self._objects if k.startswith(prefix)):
            yield self._objects[key].stored

    async def recover(self) -> builtins.list[str]:
        """Return nothing: what a dead process had in memory is gone."""
        return []

    async def probe(self) -> None:
        """Do nothing: memory does not fail."""

    async def put_blob(self, name: str, data: bytes) -> None:
        """Keep a small object (an undo recipe)."""
        self._blobs[check_name(name)] = data

    async def get_blob(self, name: str) -> bytes:
        """Return a kept object, or raise NotFound."""
        try:
            return self._blobs[check_name(name)]
        except KeyError:
            raise NotFound(f"Nothing is kept under {name}.") from None

    async def blob_names(self) -> builtins.list[str]:
        """Return the names of all kept objects."""
        return sorted(self._blobs)

    async def delete_blob(self, name: str) -> None:
        """Forget a kept object; one that is not there is forgotten already."""
        self._blobs.pop(check_name(name), None)

    def _put(
        self, key: str, data: bytes, *, mtime_ns: int | None = None, like: Held | None = None
    ) -> StoredObject:
        before = self._objects.get(key)
        earliest = before.stored.mtime_ns + 1 if before else 0
        identity = like.stored.identity if like else self._new_identity()
        stored = StoredObject(key, len(data), mtime_ns or max(time.time_ns(), earliest), identity)
        self._objects[key] = Held(stored, data)
        return stored

    def _new_identity(self) -> str:
        self._identities += 1
        return str(self._identities)

    def _check_free(self, key: str, *, overwrite: bool) -> None:
        if not overwrite and key in self._objects:
            raise Conflict(f"There is a file {key} already.")

    @asynccontextmanager
    async def _locked(self, key: str) -> AsyncIterator[None]:
        lock = self._locks[check_key(key)]
        try:
            async with asyncio.timeout(self._wait_s):
                await lock.acquire()
        except TimeoutError:
            raise Busy(
                f"{key} is being changed for more than {self._wait_s:g} s; try again shortly."
            ) from None
        try:
            yield
        finally:
            lock.release()


async def _gathered(chunks: Chunks) -> bytes:
    return chunks if isinstance(chunks, bytes) else b"".join([c async for c in chunks])
