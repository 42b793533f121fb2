"""Carry out an edit plan on bytes that come as a stream of chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from armillary.fits.errors import PlanMismatch
from armillary.fits.models import EditPlan, Splice


def edited(chunks: Iterable[bytes], plan: EditPlan) -> Iterator[bytes]:
    """Yield the bytes of the file after the plan, given those before it; memory stays flat.

    Raises
    ------
    PlanMismatch
        If the old bytes or the size of the file are not those that the plan expects.
    """
    source = _Source(chunks)
    for splice in plan.splices:
        yield from source.until(splice.offset)
        if source.take(len(splice.old)) != splice.old:
            raise PlanMismatch(f"The bytes at {splice.offset} changed since the edit was planned; plan anew.")
        if splice.new:
            yield splice.new
    yield from source.rest()
    if source.at != plan.size_before:
        raise PlanMismatch(f"The file has {source.at} bytes, the edit was planned for {plan.size_before}.")


def spliced_part(content: bytes, offset: int, splices: Iterable[Splice]) -> bytes:
    """Return part of a file, beginning at ``offset`` of it, after the splices that lie inside that part."""
    moved = tuple(Splice(s.offset - offset, s.old, s.new) for s in splices)
    return b"".join(edited([content], EditPlan(moved, len(content))))


class _Source:
    """Chunks read forward, cut where asked."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.at = 0
        self._chunks = iter(chunks)
        self._chunk = b""
        self._used = 0

    def until(self, offset: int) -> Iterator[bytes]:
        """Yield what lies before ``offset``; less if the chunks end first."""
        while self.at < offset and self._fill():
            piece = self._chunk[self._used : self._used + offset - self.at]
            self._used += len(piece)
            self.at += len(piece)
            yield piece

    def take(self, size: int) -> bytes:
        return b"".join(self.until(self.at + size))

    def rest(self) -> Iterator[bytes]:
        while self._fill():
            piece = self._chunk[self._used :]
            self._used = len(self._chunk)
            self.at += len(piece)
            yield piece

    def _fill(self) -> bool:
        while self._used == len(self._chunk):
            following = next(self._chunks, None)
            if following is None:
                return False
            self._chunk, self._used = following, 0
        return True
