"""The words of the object store: what is stored, what is changed, and the Protocol of every store."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from armillary.errors import ArmillaryError
from armillary.fits.models import EditPlan

MAX_PATCHES = 256
"""Most patches of one call: all of them are open at once."""

Chunks = AsyncIterable[bytes] | bytes


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One state of a stored file. ``identity`` is the store's own word for which file it is."""

    key: str
    size: int
    mtime_ns: int
    identity: str

    def __reduce__(self) -> tuple[type[StoredObject], tuple[str, int, int, str]]:
        # That of data classes looks its fields up for each of the thousands that are handed to other processes.
        return StoredObject, (self.key, self.size, self.mtime_ns, self.identity)


@dataclass(frozen=True, slots=True)
class Patch:
    """An edit of the plain file ``key``; refused unless the file is still ``expected``.

    ``tag`` is the caller's word for it, kept in the journal and told when an interrupted patch is found.
    """

    key: str
    plan: EditPlan
    expected: StoredObject | None = None
    tag: str = ""


def same_file(one: str, other: str) -> bool:
    """Tell whether two identities that a store gave are of one file.

    Device numbers are given anew when a system starts, inode numbers are not.
    """
    return one.rpartition(":")[2] == other.rpartition(":")[2]


Guard = Callable[[Sequence[Patch]], Awaitable[None]]
"""Awaited under the files' locks just before bytes go live; what it raises aborts, and nothing changed."""

ReplaceGuard = Callable[[], Awaitable[None]]
"""The same for a whole new file."""


class Snapshot(Protocol):
    """An opened file whose bytes never change while it is open. Close it soon: it slows edits down."""

    @property
    def stored(self) -> StoredObject:
        """Return what was opened."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``, fewer only at the end. Any thread may call."""

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill a buffer with the bytes from ``offset``; return how many there were: memory is used again."""

    def fileno(self) -> int | None:
        """Return the descriptor where there is one, for sendfile."""

    def close(self) -> None:
        """Let go of the file."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ObjectStore(Protocol):
    """Where the bytes of versions live. Keys are relative POSIX paths."""

    async def head(self, key: str) -> StoredObject:
        """Return what is stored, or raise NotFound."""

    def open(self, key: str, *, settle: bool = True) -> Snapshot:
        """Open a file for reading. May wait some milliseconds for an edit: call it in a thread.

        Without ``settle`` an edit that was interrupted is left to others.
        """

    async def read(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return the bytes from ``start`` up to ``stop``."""

    async def write(
        self, key: str, chunks: Chunks, *, overwrite: bool = False, mtime_ns: int | None = None
    ) -> StoredObject:
        """Store a file durably and completely or not at all; Conflict if it exists."""

    async def patch(
        self, patches: Sequence[Patch], guard: Guard
    ) -> builtins.list[StoredObject | ArmillaryError]:
        """Carry out edits of plain files, each completely or not at all; they share the syncs."""

    async def replace(
        self, key: str, chunks: Chunks, expected: StoredObject | None, guard: ReplaceGuard
    ) -> StoredObject:
        """Give an existing file whole new bytes, if it is still ``expected``."""

    async def rename(self, old: str, new: str) -> StoredObject:
        """Move a file; Conflict if the new name is taken."""

    async def delete(self, key: str) -> None:
        """Remove a file, or raise NotFound."""

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield the files whose keys begin with ``prefix``, in order of key."""

    async def recover(self) -> builtins.list[str]:
        """Undo or finish what dead processes left behind; return one sentence per finding."""

    async def probe(self) -> None:
        """Store and remove a few bytes that belong to no file, or raise RootFailed."""

    async def put_blob(self, name: str, data: bytes) -> None:
        """Keep a small object (an undo recipe) outside the tree of files."""

    async def get_blob(self, name: str) -> bytes:
        """Return a kept object, or raise NotFound."""

    async def blob_names(self) -> builtins.list[str]:
        """Return the names of all kept objects."""

    async def delete_blob(self, name: str) -> None:
        """Forget a kept object; one that is not there is forgotten already."""

    def close(self) -> None:
        """Finish what runs and let go of everything."""
