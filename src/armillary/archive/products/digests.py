"""The work order `digest`: what the bytes of a version, stored and uncompressed, amount to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from armillary.archive.catalog import store
from armillary.archive.catalog.content import content_of
from armillary.archive.catalog.models import Version
from armillary.archive.catalog.standing import check_standing
from armillary.archive.errors import BeingChanged
from armillary.archive.products.models import data_of
from armillary.archive.products.sources import Superseded, Work, each, stored_chunks
from armillary.base.halting import Halt, in_thread
from armillary.base.store import ObjectStore, Snapshot
from armillary.base.work import Claim, Response, completing_all
from armillary.context import Context
from armillary.fits.bzip2 import decode_chunks
from armillary.fits.containers import Container, open_logical, within
from armillary.fits.crc import crc64
from armillary.fits.soundness import DataSums

AT_ONCE = 256 << 20
"""Bytes of a bzip2 file that are read at once, for several threads to decode; larger ones pass by."""
DIGEST_S, SLOWEST_PER_S = 600.0, 1 << 20
"""A digest takes no longer than this, and the time that its bytes take at the least speed a second."""


class _Hash(Protocol):
    def update(self, data: Any, /) -> None: ...
    def hexdigest(self) -> str: ...


async def digest(context: Context, claims: Sequence[Claim]) -> None:
    """Compute md5 and SHA-256 of the stored and of the uncompressed bytes of versions."""
    made: dict[int, tuple[dict[str, str], DataSums]] = {}
    most = context.settings.archive.max_unpacked

    async def compute(work: Work) -> None:
        made[work.version.id] = await in_thread(
            lambda halt: digests_of(work.version, work.current, work.bytes_of, halt, max_unpacked=most),
            seconds=DIGEST_S + work.version.data_size / SLOWEST_PER_S,
        )

    done = await each(context, claims, compute)
    if not done:
        return
    responses = {work.claim.order.id: Response(value=dict(made[work.version.id][0])) for work in done}
    async with completing_all([work.claim for work in done], responses) as connection:
        for work in done:
            digests, sums = made[work.version.id]
            await store.set_digests(connection, work.version, digests, sums.sums)
            await store.add_warnings(connection, work.version.id, sums.warnings())


def digests_of(
    version: Version, current: Version, bytes_of: ObjectStore, halt: Halt, *, max_unpacked: int
) -> tuple[dict[str, str], DataSums]:
    """Return the digests of a version that can still be computed, and the sums of its data.

    An older version has other headers around the same data, so its uncompressed bytes are known; the
    compressed bytes that it was stored in are not.
    """
    with bytes_of.open(current.location.key) as snapshot:
        check_standing(current, snapshot)
        sums = DataSums(version.layout())
        chunks = halt.passing(_content(version, current, snapshot, max_unpacked))
        content = sums.passing(_proven(version, chunks))
        found = dict(zip(("data_md5", "data_sha256"), _hashes(content), strict=True))
        if current.container == Container.PLAIN:
            found |= {"file_md5": found["data_md5"], "file_sha256": found["data_sha256"]}
        elif version.id == current.id:
            stored = _hashes(halt.passing(stored_chunks(snapshot)))
            found |= dict(zip(("file_md5", "file_sha256"), stored, strict=True))
    return found, sums


def _content(version: Version, current: Version, snapshot: Snapshot, max_unpacked: int) -> Iterable[bytes]:
    if data_of(version) != data_of(current):
        raise Superseded(f"The data of version {version.id} of {version.name} are gone.")
    small = snapshot.stored.size <= AT_ONCE
    if current.container == Container.BZ2 and version.id == current.id and small:
        stored = snapshot.read_at(0, snapshot.stored.size)
        return within(max_unpacked, decode_chunks(stored, patient=True))
    read = open_logical(snapshot.read_at, Container(current.container), limit=max_unpacked)
    return content_of(current.layout(), version.headers(), read).chunks()


def _proven(version: Version, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a version, and refuse them at the end if they are not those that it was taken in with.

    A digest of others, written over the file from outside, would bless them.
    """
    crc = 0
    for chunk in chunks:
        crc = crc64(chunk, crc)
        yield chunk
    if crc != version.data_crc:
        raise BeingChanged(
            f"The bytes of '{version.name}' differ from the catalog: it is being edited, or was changed outside"
            " Armillary. `armillary verify` tells which."
        )


def _hashes(chunks: Iterable[bytes]) -> tuple[str, str]:
    """Return md5 and SHA-256; hashing releases the interpreter lock, so both run at once."""
    hashes: tuple[_Hash, _Hash] = (hashlib.md5(usedforsecurity=False), hashlib.sha256())
    with ThreadPoolExecutor(1) as pool:
        for chunk in chunks:
            other = pool.submit(hashes[1].update, chunk)
            hashes[0].update(chunk)
            other.result()
    return hashes[0].hexdigest(), hashes[1].hexdigest()
