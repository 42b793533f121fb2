"""How FITS files are stored: plain, bzip2 or gzip. Tile-compressed ``.fz`` is plain FITS."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

from armillary.fits.container_errors import ContainerMismatch, UnpackedTooLarge
from armillary.fits.models import ReadAt

GZIP_MAGIC = b"\x1f\x8b"
_PLAIN_PIECE = 1 << 18


class Container(StrEnum):
    """How the bytes of a file are stored."""

    PLAIN = "plain"
    BZ2 = "bz2"
    GZ = "gz"

    @property
    def suffix(self) -> str:
        """Return the ending that the container adds to a file name."""
        return "" if self is Container.PLAIN else f".{self}"


_ENDINGS = {one.suffix: one for one in (Container.BZ2, Container.GZ)}


def logical_name(filename: str) -> str:
    """Return the name of a file without one trailing ``.bz2`` or ``.gz``, in any case."""
    return filename if container_named(filename) is Container.PLAIN else filename.rpartition(".")[0]


def container_of(filename: str, head: bytes) -> Container:
    """Tell the container from the first bytes of a file (four or more); the name must agree.

    Raises
    ------
    ContainerMismatch
        If the name promises another container than the bytes are.
    """
    promised, found = container_named(filename), _found(head)
    if promised is found:
        return found
    if found is Container.PLAIN:
        raise ContainerMismatch(
            f"The name {filename} promises {promised} data, but the bytes are not; rename or fetch it again."
        )
    proper = logical_name(filename) + found.suffix
    raise ContainerMismatch(f"The bytes of {filename} are {found} data; rename it to {proper}.")


def container_named(filename: str) -> Container:
    """Return the container that the name of a file promises; capitals mean the same."""
    # Only the ending is folded: some letters outside ASCII change their length in lower case.
    ending = filename[-4:].lower()
    return _ENDINGS.get(ending) or _ENDINGS.get(ending[-3:], Container.PLAIN)


def _found(head: bytes) -> Container:
    if head[:3] == b"BZh" and head[3:4] in (b"", *(b"%d" % n for n in range(1, 10))):
        return Container.BZ2
    return Container.GZ if head[:2] == GZIP_MAGIC else Container.PLAIN


def expand(read: ReadAt, container: Container, *, limit: int) -> Iterator[bytes]:
    """Yield the uncompressed bytes of a stored file in pieces of at most 1 MiB.

    Compressed data may not unpack to more than ``limit`` bytes: a few kB can hold many GB. What they say of
    their size themselves is not asked.

    Raises
    ------
    DamagedContainer
        If the compressed data are damaged, cut short, or followed by foreign bytes.
    UnpackedTooLarge
        If they hold more than ``limit`` bytes.
    """
    # Only here: the names of containers are needed by every command, their decoders by few.
    match container:
        case Container.BZ2:
            from armillary.fits.bzip2 import expand_bzip2

            return within(limit, expand_bzip2(read))
        case Container.GZ:
            from armillary.fits.gzip import expand_gzip

            return within(limit, expand_gzip(read))
        case Container.PLAIN:
            return _as_stored(read)


def within(limit: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces that were unpacked, as long as they are no more than ``limit`` bytes.

    Raises
    ------
    UnpackedTooLarge
        If they are more.
    """
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > limit:
            raise UnpackedTooLarge(
                f"The file unpacks to more than {limit} bytes; raise archive.max_unpacked to allow that."
            )
        yield piece


def _as_stored(read: ReadAt) -> Iterator[bytes]:
    at = 0
    while piece := read(at, _PLAIN_PIECE):
        yield piece
        at += len(piece)


def open_logical(read: ReadAt, container: Container, *, limit: int) -> ReadAt:
    """Return a reader of the uncompressed bytes, given one of the stored bytes.

    Compressed data are decoded as far as asked for, up to ``limit`` bytes, and no more than a few MiB of them
    are held. Reading on is cheap; going back further than the last read begins again at the start.
    """
    if container is Container.PLAIN:
        return read
    return _Forward(lambda: expand(read, container, limit=limit)).read


class _Forward:
    """A window that moves over a stream of pieces."""

    def __init__(self, begin: Callable[[], Iterator[bytes]]) -> None:
        self._begin = begin
        self._restart()

    def _restart(self) -> None:
        self._pieces = self._begin()
        self._window: deque[bytes] = deque()
        self._start = self._stop = 0

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``, fewer only at the end."""
        if offset < self._start:
            self._restart()
        self._reach(offset, offset + size)
        parts, at = [], self._start
        for piece in self._window:
            parts.append(piece[max(offset - at, 0) : max(offset + size - at, 0)])
            at += len(piece)
        return b"".join(parts)

    def _reach(self, start: int, stop: int) -> None:
        """Decode up to ``stop``, letting go of pieces that end before ``start``."""
        while True:
            while self._window and self._start + len(self._window[0]) <= start:
                self._start += len(self._window.popleft())
            piece = next(self._pieces, None) if self._stop < stop else None
            if piece is None:
                return
            self._window.append(piece)
            self._stop += len(piece)
