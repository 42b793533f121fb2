"""Make the bytes of an upload: one bzip2 stream, whatever the container here. For threads."""

from __future__ import annotations

import hashlib
import mmap
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from armillary.archive.catalog.models import Version
from armillary.archive.catalog.service import check_standing
from armillary.archive.download.service import content_of_version
from armillary.base.store import ObjectStore, Snapshot
from armillary.exports.errors import ExportFailed
from armillary.exports.models import Parcel
from armillary.fits.bzip2 import compress_bzip2, find_blocks
from armillary.fits.containers import Container

CHUNK = 1 << 20
GZIP = 16 + zlib.MAX_WBITS


def pack(version: Version, bytes_of: ObjectStore, directory: Path, form: Container = Container.BZ2) -> Parcel:
    """Return the bytes of exactly one version in a container, in a file of ``directory`` without a name.

    What is stored as a single bzip2 stream goes out as it is. Some readers stop after the first stream, so
    several are compressed anew.

    Raises
    ------
    BeingChanged
        If the bytes in storage belong to another version.
    ExportFailed
        If they are not those that were recorded.
    """
    with bytes_of.open(version.location.key) as snapshot:
        check_standing(version, snapshot)
        if form is Container.BZ2 and version.container == Container.BZ2:
            stored = _write(version.location.filename, _stored(snapshot), directory)
            if _is_single_stream(stored.file):
                return _checked(stored, version)
            stored.file.close()
        content = _proven(version, content_of_version(version, snapshot).chunks())
        return _write(version.name + form.suffix, _contained(content, form), directory)


def _write(filename: str, chunks: Iterable[bytes], directory: Path) -> Parcel:
    for made in (directory.parent, directory):
        made.mkdir(mode=0o700, exist_ok=True)
    file: BinaryIO = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  # the parcel owns it
    found, size = hashlib.md5(usedforsecurity=False), 0
    try:
        for chunk in chunks:
            found.update(chunk)
            file.write(chunk)
            size += len(chunk)
        file.flush()
    except BaseException:
        file.close()
        raise
    return Parcel(filename, file, size, found.hexdigest())


def _stored(snapshot: Snapshot) -> Iterator[bytes]:
    offset = 0
    while chunk := snapshot.read_at(offset, CHUNK):
        yield chunk
        offset += len(chunk)


def _is_single_stream(file: BinaryIO) -> bool:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
        return len(find_blocks(view)) == 1


def _checked(parcel: Parcel, version: Version) -> Parcel:
    if version.file_md5 not in (None, parcel.md5):
        parcel.file.close()
        raise _rotten(version)
    return parcel


def _proven(version: Version, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of a version, and refuse it at the end if it is not the recorded one."""
    found = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        found.update(chunk)
        yield chunk
    if found.hexdigest() != version.data_md5:
        raise _rotten(version)


def _rotten(version: Version) -> ExportFailed:
    return ExportFailed(
        f"The bytes of {version.location.key} are not those recorded; run `armillary verify`."
    )


def _contained(chunks: Iterable[bytes], form: Container) -> Iterator[bytes]:
    if form is not Container.GZ:
        yield from compress_bzip2(chunks) if form is Container.BZ2 else chunks
        return
    # A gzip stream without a time stamp, so that the same content gives the same bytes.
    compressor = zlib.compressobj(6, zlib.DEFLATED, GZIP)
    for chunk in chunks:
        if piece := compressor.compress(chunk):
            yield piece
    yield compressor.flush()
