"""Hand out the bytes of exactly one version, whatever happens to the file meanwhile.

Headers come from the catalog and data from storage: an edit changes headers alone, so the version that was
asked for is complete even if a newer one lies on the disk already.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass

from armillary.archive.catalog.content import Content, content_of
from armillary.archive.catalog.media import media_type
from armillary.archive.catalog.models import Version
from armillary.archive.catalog.standing import check_standing
from armillary.archive.download.serving import Served
from armillary.archive.errors import BeingChanged
from armillary.base.store import ObjectStore, Snapshot
from armillary.fits.bzip2 import compress_bzip2
from armillary.fits.container_errors import UnpackedTooLarge
from armillary.fits.containers import Container, container_named, open_logical

CHUNK = 1 << 20
BZIP2_TYPE, GZIP_TYPE = "application/x-bzip2", "application/gzip"


@dataclass(frozen=True, slots=True)
class Download:
    """Bytes to be sent: how many (None if they are compressed on the way) and what is known of them."""

    filename: str
    media_type: str
    size: int | None
    etag: str
    md5: str | None
    sha256: str | None
    version: Version
    snapshot: Snapshot
    stored_form: bool
    compress: bool = False


async def open_download(store: ObjectStore, served: Served, asked: str, *, max_unpacked: int) -> Download:
    """Open the file of a version in the form that its asked name means.

    A name that ends in ``.bz2`` (or ``.gz`` where that is what is stored) means those bytes, any other name
    the uncompressed ones.

    Raises
    ------
    BeingChanged
        If the bytes in storage belong to another version; the caller looks the version up again.
    UnpackedTooLarge
        If a compressed file would have to be unpacked that has more than ``max_unpacked`` bytes then.
    """
    version = served.version
    container = Container(version.container)
    as_stored = container is not Container.PLAIN and container_named(asked) is container
    if container is not Container.PLAIN and not as_stored:
        check_unpacked(version, max_unpacked)
    snapshot = await asyncio.to_thread(store.open, version.location.key)
    try:
        check_standing(version, snapshot)
    except BeingChanged:
        snapshot.close()
        raise
    if as_stored:
        return Download(
            filename=version.location.filename,
            media_type=BZIP2_TYPE if container is Container.BZ2 else GZIP_TYPE,
            size=version.file_size,
            etag=etag(version.file_crc, version.file_size),
            md5=version.file_md5,
            sha256=version.file_sha256,
            version=version,
            snapshot=snapshot,
            stored_form=True,
        )
    compress = container_named(asked) is Container.BZ2
    return Download(
        filename=version.name + (".bz2" if compress else ""),
        media_type=BZIP2_TYPE if compress else media_type(version.name),
        size=None if compress else version.data_size,
        etag=etag(version.data_crc, version.data_size)
        if not compress
        else f'W/"{version.data_crc:016x}-bz2"',
        md5=None if compress else version.data_md5,
        sha256=None if compress else version.data_sha256,
        version=version,
        snapshot=snapshot,
        stored_form=False,
        compress=compress,
    )


def etag(crc: int, size: int) -> str:
    """Return the strong entity tag of bytes: their checksum and size."""
    return f'"{crc:016x}-{size:x}"'


async def stream(download: Download, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
    """Yield the bytes from ``start`` up to ``stop``, and close the file at the end."""
    chunks = _chunks(download, start, stop if stop is not None else download.size)
    try:
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield chunk
    finally:
        download.snapshot.close()


def _chunks(download: Download, start: int, stop: int | None) -> Iterator[bytes]:
    if download.stored_form:
        return _pieces(download.snapshot, start, stop or 0)
    content = content_of_version(download.version, download.snapshot)
    return compress_bzip2(content.chunks()) if download.compress else content.chunks(start, stop)


def stored_chunks(version: Version, snapshot: Snapshot, start: int, stop: int) -> Iterator[bytes]:
    """Yield the bytes of a version as it is stored, from ``start`` up to ``stop``, for a thread.

    Raises
    ------
    BeingChanged
        If the bytes in storage belong to another version.
    """
    check_standing(version, snapshot)
    if version.container == Container.PLAIN:
        return content_of_version(version, snapshot).chunks(start, stop)
    return _pieces(snapshot, start, stop)


def check_unpacked(version: Version, limit: int) -> None:
    """Refuse to unpack a version that had more than ``limit`` bytes when it was taken in.

    Raises
    ------
    UnpackedTooLarge
        If so.
    """
    if version.container != Container.PLAIN and version.data_size > limit:
        raise UnpackedTooLarge(
            f"'{version.name}' unpacks to {version.data_size} bytes; raise archive.max_unpacked to allow that."
        )


def content_of_version(version: Version, snapshot: Snapshot) -> Content:
    """Return the uncompressed bytes of a version, given a snapshot with the same layout."""
    layout = version.layout()
    # How much there is was measured when the file was taken in.
    read = open_logical(snapshot.read_at, Container(version.container), limit=version.data_size)
    return content_of(layout, layout.headers, read)


def _pieces(snapshot: Snapshot, start: int, stop: int) -> Iterator[bytes]:
    while start < stop and (chunk := snapshot.read_at(start, min(CHUNK, stop - start))):
        yield chunk
        start += len(chunk)
