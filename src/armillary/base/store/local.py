"""The object store in a directory tree: the store's own, or an observatory's that it adopts."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar

from armillary.base.store.blobs import Blobs
from armillary.base.store.errors import naming
from armillary.base.store.files import Files, SystemFiles, UnsyncedFiles
from armillary.base.store.listing import walk
from armillary.base.store.locks import FIRST_WAIT_S, LAST_WAIT_S, PathLocks
from armillary.base.store.models import Chunks, Guard, Patch, ReplaceGuard, StoredObject
from armillary.base.store.patching import Batch
from armillary.base.store.places import Place
from armillary.base.store.probing import Prober
from armillary.base.store.reading import LocalSnapshot, open_snapshot
from armillary.base.store.settling import recover
from armillary.base.store.workshop import Workshop, busy, stored_object
from armillary.base.store.writing import (
    NEW_MODE,
    Filling,
    begin_replace,
    check_free,
    finish_replace,
    move,
    publish_new,
    remove,
    start_temporary,
)
from armillary.errors import ArmillaryError

P = ParamSpec("P")
T = TypeVar("T")

PORTION = 1 << 20
"""Bytes gathered before a thread writes them."""
PAGE = 500
"""Files listed per visit to a thread."""


class LocalStore:
    """Files below ``root``; of ours there are but short-lived ``.armillary-*.tmp`` and the note of a claim.

    Parameters
    ----------
    root
        The tree of files.
    private_dir
        Journals, locks, undo recipes (mode 0700), outside the tree; shared by all processes of the tree.
    in_place
        Edit files themselves where that is possible. Only for trees that nobody else reads or writes, since
        only readers that go through this class are protected from seeing a half-written header.
    threads
        For blocking calls; 0 lets them block the event loop, for programs that do one thing at a time.
    create
        Make the tree if it is not there; otherwise it may come later, and nothing can be done until then.
    durable
        False skips journal and syncs, and may lose files when power fails: for what can be made again.
    """

    def __init__(
        self,
        root: Path,
        private_dir: Path,
        *,
        in_place: bool,
        create: bool = True,
        threads: int = 16,
        durable: bool = True,
        lock_wait_s: float = 10.0,
        files: Files | None = None,
    ) -> None:
        self.shop = Workshop(
            root,
            private_dir,
            in_place=in_place,
            create=create,
            durable=durable,
            wait_s=lock_wait_s,
            threads=threads,
            files=files or (SystemFiles() if durable else UnsyncedFiles()),
        )
        self._blobs = Blobs(self.shop.blobs, self.shop.files)
        self._prober = Prober(self.shop, self._blobs)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="store") if threads else None

    def close(self) -> None:
        """Finish what runs and let go of everything."""
        if self._threads:
            self._threads.shutdown()
        self.shop.close()

    async def head(self, key: str) -> StoredObject:
        """Return what is stored, or raise NotFound."""
        return await self._run(self._head, key)

    def _head(self, key: str) -> StoredObject:
        with self.shop.root.locate(key) as place, naming(key):
            fd = place.open(os.O_RDONLY)
            try:
                return stored_object(key, os.fstat(fd))
            finally:
                os.close(fd)

    def open(self, key: str, *, settle: bool = True) -> LocalSnapshot:
        """Open a file for reading. May wait some milliseconds for an edit: call it in a thread.

        Without ``settle`` an edit that was interrupted is left to others.
        """
        return open_snapshot(self.shop, key, settle=settle)

    async def read(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return the bytes from ``start`` up to ``stop``."""
        return await self._run(self._read, key, start, stop)

    def _read(self, key: str, start: int, stop: int | None) -> bytes:
        with self.open(key) as snapshot:
            end = snapshot.stored.size if stop is None else min(stop, snapshot.stored.size)
            return snapshot.read_at(start, max(0, end - start))

    async def write(
        self, key: str, chunks: Chunks, *, overwrite: bool = False, mtime_ns: int | None = None
    ) -> StoredObject:
        """Store a file durably and completely or not at all; Conflict if it exists."""
        with ExitStack() as opened:
            place = await self._run(self._locate, opened, key, create=True)
            if not overwrite:
                await self._run(check_free, place)
            temporary = await self._run(start_temporary, self.shop, opened, place, mode=NEW_MODE)
            await self._fill(Filling(self.shop, key, temporary), chunks, mtime_ns=mtime_ns)
            async with self._locked(place.path):
                return await self._run(publish_new, self.shop, place, temporary, overwrite=overwrite)

    async def _fill(self, filling: Filling, chunks: Chunks, *, mtime_ns: int | None = None) -> None:
        if isinstance(chunks, bytes):
            await self._run(filling.add, chunks)
        else:
            waiting = bytearray()
            async for chunk in chunks:
                waiting += chunk
                if len(waiting) >= PORTION:
                    await self._run(filling.add, bytes(waiting))
                    waiting.clear()
            await self._run(filling.add, bytes(waiting))
        await self._run(filling.finish, mtime_ns)

    async def patch(
        self, patches: Sequence[Patch], guard: Guard
    ) -> builtins.list[StoredObject | ArmillaryError]:
        """Carry out edits of plain files, each completely or not at all; they share the syncs."""
        batch = Batch(self.shop, patches)
        try:
            if not await self._run(batch.begin):
                if not await self._wait(batch.try_locks):
                    batch.give_up_waiting()
                await self._run(batch.prepare)
            if live := batch.going_live():
                await guard(live)
            return await self._run(batch.commit)
        finally:
            batch.close()

    async def replace(
        self, key: str, chunks: Chunks, expected: StoredObject | None, guard: ReplaceGuard
    ) -> StoredObject:
        """Give an existing file whole new bytes, if it is still ``expected``.

        Owner, mode, access lists and attributes carry over; if the key is a link, its target is replaced.
        """
        with ExitStack() as opened:
            place = await self._run(self._locate, opened, key)
            temporary = await self._run(start_temporary, self.shop, opened, place)
            await self._fill(Filling(self.shop, key, temporary), chunks)
            async with self._locked(place.path):
                before = await self._run(begin_replace, self.shop, place, expected, temporary)
                await guard()
                return await self._run(finish_replace, self.shop, place, before, temporary)

    async def rename(self, old: str, new: str) -> StoredObject:
        """Move a file (or a link to one); Conflict if the new name is taken."""
        with ExitStack() as opened:
            source = await self._run(self._locate, opened, old, follow=False)
            target = await self._run(self._locate, opened, new, follow=False, create=True)
            async with self._locked(source.path, target.path):
                await self._run(move, self.shop, source, target)
        return await self.head(new)

    async def delete(self, key: str) -> None:
        """Remove a file (or a link to one), or raise NotFound."""
        with ExitStack() as opened:
            place = await self._run(self._locate, opened, key, follow=False)
            async with self._locked(place.path):
                await self._run(remove, self.shop, place)

    def _locate(self, opened: ExitStack, key: str, *, follow: bool = True, create: bool = False) -> Place:
        """Find a place; it is registered in the thread, so a cancelled task closes it too."""
        return opened.enter_context(self.shop.root.locate(key, follow=follow, create=create))

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield the files whose keys begin with ``prefix``, in order of key."""
        found: Iterator[StoredObject] = walk(self.shop.root.path, prefix)
        while page := await self._run(lambda: builtins.list(islice(found, PAGE))):
            for stored in page:
                if self.shop.root.holds(stored.key):
                    yield stored

    async def recover(self, *, copied: bool = False) -> builtins.list[str]:
        """Undo or finish what dead processes left behind; return one sentence per finding.

        ``copied`` says that tree and journals are copies of those that they worked on.
        """
        await self._run(self._blobs.remove_orphans)
        return await self._run(recover, self.shop, copied=copied)

    async def probe(self) -> None:
        """Store and remove a few bytes in the tree and in the private directory, or raise RootFailed."""
        await self._run(self._prober.probe)

    async def put_blob(self, name: str, data: bytes) -> None:
        """Keep a small object (an undo recipe) outside the tree of files."""
        await self._run(self._blobs.put, name, data)

    async def get_blob(self, name: str) -> bytes:
        """Return a kept object, or raise NotFound."""
        return await self._run(self._blobs.get, name)

    async def blob_names(self) -> builtins.list[str]:
        """Return the names of all kept objects."""
        return await self._run(self._blobs.names)

    async def delete_blob(self, name: str) -> None:
        """Forget a kept object; one that is not there is forgotten already."""
        await self._run(self._blobs.delete, name)

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking call in a thread, to its end even if the task is cancelled: it holds locks."""
        if self._threads is None:
            return call(*args, **kwargs)
        future = asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **kwargs))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
            if not future.cancelled():
                future.exception()
            raise

    async def _wait(self, ready: Callable[[], bool]) -> bool:
        """Ask until something is ready, for as long as locks are waited for."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self.shop.wait_s, FIRST_WAIT_S
        while not ready():
            if loop.time() > deadline:
                return False
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_WAIT_S)
        return True

    @asynccontextmanager
    async def _locked(self, *paths: str) -> AsyncIterator[None]:
        locks = PathLocks(self.shop.locks)
        try:
            if not await self._wait(lambda: locks.try_all(paths) is None):
                raise busy(paths[0], self.shop.wait_s)
            yield
        finally:
            locks.close()
