"""Look at a stored file, once and completely, before it enters the catalog. Plain functions for threads."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

from armillary.archive.catalog.media import is_fits
from armillary.archive.catalog.models import HduRecord, with_sums
from armillary.archive.intake.fingerprints import DataWatch, Seeing
from armillary.archive.intake.inspection import UNKNOWN_SIZE, Inspection, inspect_stream
from armillary.archive.intake.small import Digests, Pixels, digests_of, is_small, pixels_of
from armillary.base.store import Snapshot
from armillary.fits.containers import Container, container_of, expand, open_logical
from armillary.fits.crc import crc64, crc64_combine, crc64_fold
from armillary.fits.errors import TruncatedFile
from armillary.fits.models import BLOCK, Layout, ReadAt
from armillary.fits.scan import scan
from armillary.fits.series import HeaderValues, SeriesReader

READ = 1 << 18
"""Bytes per read: the buffer stays in the second-level cache while it is summed."""
HEAD = 10 * BLOCK
"""Bytes of the first read, in which most headers end."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What is known of a stored file: the container and its checksum, and the content."""

    container: Container
    file_size: int
    file_crc: int
    content: Inspection
    values: HeaderValues | None = None
    """What the headers say, if it was asked for."""
    digests: Digests | None = None
    """Those of a small file, if they were asked for."""
    has_image: bool = True
    """Whether there may be an image that a picture can show."""
    pixels: Pixels | None = None
    """Those of the image of a small file, if they were asked for."""


def examine(
    snapshot: Snapshot,
    filename: str,
    *,
    max_header: int,
    max_unpacked: int,
    known_crc: int | None = None,
    series: SeriesReader | None = None,
    digests: bool = False,
    watch: DataWatch | None = None,
) -> Examined:
    """Read a stored file once and return layout, headers and checksums.

    With ``known_crc``, the checksum that came with an upload, only the headers of a plain file are read. With
    ``series``, the values of the headers are returned too, and files that belong to a series are not scanned.

    With ``digests``, those of a small plain file are returned too, and the pixels of its picture. A ``watch``
    digests the data of every HDU as they pass by; a compressed file is unpacked a second time for it.

    A file of another medium has no headers: its bytes are what follows them.

    Raises
    ------
    ArmillaryError
        If the file is not whole, sound FITS although its name says so.
    """
    size = snapshot.stored.size
    if not is_fits(filename):
        return examine_as_bytes(snapshot, known_crc)
    if digests and is_small(filename, size):
        small = _examine_small(snapshot, filename, max_header, series, watch)
        # Digests of other bytes than those that were sent would bless them.
        if known_crc in (None, small.file_crc):
            return small
    if series and (found := series.recognise(snapshot.read_at, size, max_header=max_header)):
        layout, _ = found
        container_of(filename, layout.headers[0][:16])
        return _examine_plain(snapshot, *found, known_crc, watch)
    head = _Head(snapshot)
    container = container_of(filename, head.bytes[:16])
    if container is Container.PLAIN:
        layout = scan(head.read_at, size, max_header=max_header)
        values = series.read(layout.headers, layout) if series else None
        return _examine_plain(snapshot, layout, values, known_crc, watch)
    summed = _Summed(snapshot)
    chunks = expand(summed.read_at, container, limit=max_unpacked)
    content = inspect_stream(chunks, UNKNOWN_SIZE, max_header=max_header)
    values = series.read(content.headers) if series else None
    if watch:
        _watch_again(open_logical(snapshot.read_at, container, limit=max_unpacked), content, watch)
    return Examined(container, size, summed.finish(), content, values)


def _examine_small(
    snapshot: Snapshot,
    filename: str,
    max_header: int,
    series: SeriesReader | None,
    watch: DataWatch | None,
) -> Examined:
    """Look at a plain file that is read at once."""
    size = snapshot.stored.size
    data = snapshot.read_at(0, size)

    def read(offset: int, count: int) -> bytes:
        return data[offset : offset + count]

    container = container_of(filename, data[:16])
    found = series.recognise(read, size, max_header=max_header) if series else None
    layout = found[0] if found else scan(read, size, max_header=max_header)
    values = found[1] if found else series.read(layout.headers, layout) if series else None
    if len(data) < size:
        raise _cut(len(data))
    records = [
        HduRecord(h.kind, h.name, h.version, h.header_size, h.data_size, crc64(data[h.data_offset : h.end]))
        for h in layout.hdus
    ]
    if watch:
        for hdu in layout.hdus:
            watch.see(hdu.index, (memoryview(data)[hdu.data_offset : hdu.end],))
    trailing, end = layout.trailing, layout.hdus[-1].end
    digests = digests_of(data, layout)
    hdus, crc = with_sums(records, digests.sums) if digests.sums else tuple(records), crc64(data)
    content = Inspection(size, crc, layout.headers, hdus, trailing, crc64(data[end:]))
    has_image, pixels = pixels_of(data, layout, values)
    return Examined(container, size, crc, content, values, digests, has_image, pixels)


def examine_as_bytes(snapshot: Snapshot, known_crc: int | None = None) -> Examined:
    """Look at a stored file as at one of another medium, which has no headers."""
    size = snapshot.stored.size
    crc = known_crc if known_crc is not None else _sum(snapshot, 0, size, memoryview(bytearray(READ)))
    return Examined(Container.PLAIN, size, crc, Inspection(size, crc, (), (), size, crc), HeaderValues(()))


def _examine_plain(
    snapshot: Snapshot,
    layout: Layout,
    values: HeaderValues | None,
    known_crc: int | None,
    watch: DataWatch | None,
) -> Examined:
    known = _from_known(layout, known_crc) if known_crc is not None and watch is None else None
    content = known or _inspect_plain(snapshot, layout, watch)
    return Examined(Container.PLAIN, content.size, content.crc, content, values)


class _Head:
    """A reader that has read the first blocks once, for all who look at them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.bytes = snapshot.read_at(0, HEAD)
        self._snapshot = snapshot

    def read_at(self, offset: int, size: int) -> bytes:
        """Return stored bytes."""
        stop = offset + size
        if stop <= len(self.bytes):
            return self.bytes[offset:stop]
        return self._snapshot.read_at(offset, size)


def _inspect_plain(snapshot: Snapshot, layout: Layout, watch: DataWatch | None) -> Inspection:
    """Read the data of a plain file through one buffer that is used again and again."""
    size = snapshot.stored.size
    buffer = memoryview(bytearray(READ))
    records, parts = [], []
    for hdu, header in zip(layout.hdus, layout.headers, strict=True):
        stop = min(hdu.end, size)
        with watch.of(hdu.index) if watch else nullcontext() as seen:
            data_crc = _sum(snapshot, hdu.data_offset, stop, buffer, seen)
        parts += [(crc64(header), len(header)), (data_crc, stop - hdu.data_offset)]
        records.append(HduRecord(hdu.kind, hdu.name, hdu.version, hdu.header_size, hdu.data_size, data_crc))
    trailing_crc = _sum(snapshot, layout.hdus[-1].end, size, buffer)
    parts.append((trailing_crc, max(layout.trailing, 0)))
    return Inspection(size, crc64_fold(parts), layout.headers, tuple(records), layout.trailing, trailing_crc)


def _sum(snapshot: Snapshot, start: int, stop: int, buffer: memoryview, seen: Seeing | None = None) -> int:
    crc = 0
    while start < stop:
        count = snapshot.read_into(start, buffer[: min(len(buffer), stop - start)])
        if not count:
            raise _cut(start)
        crc = crc64(buffer[:count], crc)
        if seen:
            seen(buffer[:count])
        start += count
    return crc


def _watch_again(read: ReadAt, content: Inspection, watch: DataWatch) -> None:
    """Let a watch see the data of a compressed file, of which the layout was not known as it passed by."""
    offset = 0
    for index, (hdu, header) in enumerate(zip(content.hdus, content.headers, strict=True)):
        offset += len(header)
        stop = offset + hdu.data_size + (min(content.trailing, 0) if hdu is content.hdus[-1] else 0)
        pieces = (read(at, min(READ, stop - at)) for at in range(offset, stop, READ))
        watch.see(index, map(memoryview, pieces))
        offset += hdu.data_size


def _cut(end: int) -> TruncatedFile:
    return TruncatedFile(f"The file ended at byte {end} while it was read; copy or upload it again")


class _Summed:
    """A reader of stored bytes that sums each of them once, however often it is read."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._position = 0
        self._crc = 0

    def read_at(self, offset: int, size: int) -> bytes:
        """Return stored bytes and add those not seen before to the checksum."""
        data = self._snapshot.read_at(offset, size)
        if offset <= self._position < offset + len(data):
            self._crc = crc64(data[self._position - offset :], self._crc)
            self._position = offset + len(data)
        return data

    def finish(self) -> int:
        """Read what is left and return the checksum of all stored bytes."""
        while self.read_at(self._position, READ):
            pass
        return self._crc


def _from_known(layout: Layout, crc: int) -> Inspection | None:
    """Return the inspection of a plain file whose checksum is known and whose last HDU alone has data.

    The checksum of the data follows from that of the file and of the headers, because CRCs are linear.
    """
    *front, last = layout.hdus
    if layout.trailing or any(hdu.data_size for hdu in front):
        return None
    heads = crc64(b"".join(layout.headers))
    data_crc = crc64_combine(heads, crc, last.data_size) if last.data_size else 0
    records = tuple(
        [
            HduRecord(h.kind, h.name, h.version, h.header_size, h.data_size, data_crc if h is last else 0)
            for h in layout.hdus
        ]
    )
    return Inspection(layout.size, crc, layout.headers, records, 0, 0)
