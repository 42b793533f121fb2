"""Compare the DATASUM that headers state with what the data sum to; report, never repair.

A sum written anew would bless data that rotted unseen, so the catalog only keeps a warning.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from armillary.fits.checksum import ones_add, ones_sum, stored_datasum
from armillary.fits.models import Layout

WORD = 4


class DataSums:
    """The sums of the data of every HDU that states one, added up while the file passes by."""

    def __init__(self, layout: Layout) -> None:
        # Most headers that have no such card are told by one search of their bytes.
        stated = (
            (hdu, stored_datasum(header))
            for hdu, header in zip(layout.hdus, layout.headers, strict=True)
            if b"DATASUM" in header
        )
        self._stated = {hdu.index: (hdu, value) for hdu, value in stated if value is not None}
        self._sums = dict.fromkeys(self._stated, 0)
        self._ahead = deque(hdu for hdu, _ in self._stated.values())
        self._position = 0

    def passing(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the chunks of the file unchanged, summing data on the way."""
        for chunk in chunks:
            self._add(chunk)
            yield chunk

    def _add(self, chunk: bytes) -> None:
        start, stop = self._position, self._position + len(chunk)
        while self._ahead and self._ahead[0].data_offset < stop:
            hdu = self._ahead[0]
            low, high = max(start, hdu.data_offset), min(stop, hdu.end)
            if low < high:
                piece = chunk[low - start : high - start]
                # Words begin at multiples of four from the start of the data.
                lead = b"\0" * ((low - hdu.data_offset) % WORD)
                self._sums[hdu.index] = ones_add(self._sums[hdu.index], ones_sum(lead + piece))
            if hdu.end > stop:
                break
            self._ahead.popleft()
        self._position = stop

    @property
    def sums(self) -> dict[int, int]:
        """The sums of the data of those HDUs, by index, once all of the file has passed."""
        return dict(self._sums)

    def warnings(self) -> list[str]:
        """Return one sentence per HDU whose data do not sum to what its header states."""
        return [
            f"DATASUM of HDU {index} says {stated}, but its data sum to {self._sums[index]}:"
            " the data changed after it was written, or it was never right"
            for index, (_, stated) in self._stated.items()
            if stated != self._sums[index]
        ]
