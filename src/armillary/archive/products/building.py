"""The work orders `digest` and `preview`: what is derived from a version in the background."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog import store
from armillary.archive.catalog.content import content_of
from armillary.archive.catalog.models import Version
from armillary.archive.catalog.standing import check_standing
from armillary.archive.errors import BeingChanged, PictureFailed, PictureTooLarge, PictureTooSlow
from armillary.archive.products import orders
from armillary.archive.products.drawing import Subject, draw
from armillary.base.halting import Halt, in_thread
from armillary.base.log import get_logger
from armillary.base.sandbox.errors import ChildDied, OutOfMemory, OutOfTime
from armillary.base.sandbox.pool import Ask
from armillary.base.store import ObjectStore, Snapshot, whole_or_part
from armillary.base.work import Claim, Response, completing_all
from armillary.context import Context
from armillary.errors import ArmillaryError, NotFound, Unavailable
from armillary.fits.bzip2 import decode_chunks
from armillary.fits.containers import Container, open_logical, within
from armillary.fits.crc import crc64
from armillary.fits.pictures import Picture
from armillary.fits.soundness import DataSums

log = get_logger(__name__)
CHUNK = 1 << 20
AT_ONCE = 256 << 20
"""Bytes of a bzip2 file that are read at once, for several threads to decode; larger ones pass by."""
DIGEST_S, SLOWEST_PER_S = 600.0, 1 << 20
"""A digest takes no longer than this, and the time that its bytes take at the least speed a second."""


class Superseded(NotFound):
    """Superseded by a newer version."""

    code = "superseded"


class _Hash(Protocol):
    def update(self, data: Any, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Work:
    """A version whose product is wanted, and the one whose bytes are stored in its place now."""

    claim: Claim
    version: Version
    current: Version
    bytes_of: ObjectStore


async def digest(context: Context, claims: Sequence[Claim]) -> None:
    """Compute md5 and SHA-256 of the stored and of the uncompressed bytes of versions."""
    made: dict[int, tuple[dict[str, str], DataSums]] = {}
    most = context.settings.archive.max_unpacked

    async def compute(work: _Work) -> None:
        made[work.version.id] = await in_thread(
            lambda halt: digests_of(work.version, work.current, work.bytes_of, halt, max_unpacked=most),
            seconds=DIGEST_S + work.version.data_size / SLOWEST_PER_S,
        )

    done = await _each(context, claims, compute)
    if not done:
        return
    responses = {work.claim.order.id: Response(value=dict(made[work.version.id][0])) for work in done}
    async with completing_all([work.claim for work in done], responses) as connection:
        for work in done:
            digests, sums = made[work.version.id]
            await store.set_digests(connection, work.version, digests, sums.sums)
            await store.add_warnings(connection, work.version.id, sums.warnings())


async def picture(context: Context, claims: Sequence[Claim]) -> None:
    """Make preview and thumbnail of versions' first images."""
    made: dict[int, dict[str, Picture]] = {}

    async def draw(work: _Work) -> None:
        try:
            made[work.version.id] = await _drawn(context, work)
        except ArmillaryError as error:
            if not isinstance(error, Unavailable | Superseded):
                await _say_why_not(context, work, error.message)
            raise

    done = await _each(context, claims, draw)
    if not done:
        return
    outcomes = {w.claim.order.id: "made" if made[w.version.id] else "no image" for w in done}
    responses = {order: Response(value={"outcome": outcome}) for order, outcome in outcomes.items()}
    async with completing_all([work.claim for work in done], responses) as connection:
        # An edit may have come meanwhile; its version shows the same pixels.
        present = await store.present_at(connection, [_place(work.version) for work in done])
        for work in done:
            owner = present.get(_place(work.version), work.current)
            for kind, one in made[work.version.id].items():
                await store.put_product(connection, _product_row(context, owner.id, kind, one))


async def _drawn(context: Context, work: _Work) -> dict[str, Picture]:
    """Return the pictures of a version, drawn in a child process: what it decodes, strangers wrote.

    Raises
    ------
    PictureTooLarge, PictureTooSlow, PictureFailed
        If there can be none.
    """
    settings, current = context.settings.archive, work.current

    def draw_it(ask: Ask) -> dict[str, Picture]:
        with work.bytes_of.open(current.location.key) as snapshot, described(snapshot) as fd:
            check_standing(current, snapshot)
            container = Container(current.container)
            subject = Subject(current.layout(), container, settings.preview_px, settings.max_unpacked)
            return ask(draw, fd, subject)

    try:
        return await context.sandbox.run(draw_it, memory=settings.preview_memory, seconds=settings.preview_s)
    except OutOfMemory:
        raise PictureTooLarge(
            f"A preview takes more than {settings.preview_memory} bytes of memory;"
            " raise archive.preview_memory to allow that."
        ) from None
    except OutOfTime:
        raise PictureTooSlow(
            f"A preview takes more than {settings.preview_s:g} s; raise archive.preview_s to allow that."
        ) from None
    except ChildDied as error:
        raise PictureFailed(f"{error.message} The image may be damaged.") from None


@contextmanager
def described(snapshot: Snapshot) -> Iterator[int]:
    """Give a descriptor of the bytes of a snapshot: its own, or that of a copy that is gone at the end."""
    if (fd := snapshot.fileno()) is not None:
        yield fd
        return
    with tempfile.TemporaryFile() as copy:
        for chunk in _stored_chunks(snapshot):
            copy.write(chunk)
        copy.flush()
        yield copy.fileno()


async def _say_why_not(context: Context, work: _Work, reason: str) -> None:
    """Let who asks for the pictures of a version know why there are none."""
    async with context.database.begin() as connection:
        present = await store.present_at(connection, [_place(work.version)])
        owner = present.get(_place(work.version), work.current)
        for kind in ("preview", "thumbnail"):
            await store.put_product(connection, _reason_row(context, owner.id, kind, reason))


async def _each(
    context: Context, claims: Sequence[Claim], action: Callable[[_Work], Awaitable[None]]
) -> list[_Work]:
    """Run an action for every version that is still there; return those that went well."""
    found = await _find(context, claims)
    results = await asyncio.gather(*(action(work) for work in found), return_exceptions=True)
    for work, result in zip(found, results, strict=True):
        if isinstance(result, Exception):
            await work.claim.fail(await whole_or_part(work.bytes_of, result))
        elif result is not None:
            raise result
    return [work for work, result in zip(found, results, strict=True) if result is None]


async def _find(context: Context, claims: Sequence[Claim]) -> list[_Work]:
    ids = {claim: int(str(claim.order.args["version_id"])) for claim in claims}
    async with context.database.begin() as connection:
        versions = await store.versions_by_id(connection, ids.values())
        roots = {root.id: root for root in await store.list_roots(connection)}
        present = await store.present_at(connection, [_place(version) for version in versions.values()])
    found = []
    for claim, version_id in ids.items():
        if (version := versions.get(version_id)) is None:
            claim.complete(Response(value={"outcome": "superseded"}))
            continue
        try:
            bytes_of = catalog.store_of(context, roots[version.location.root_id])
        except ArmillaryError as error:
            await claim.fail(error)
            continue
        # Whatever version lies there now, its data are the same.
        found.append(_Work(claim, version, present.get(_place(version), version), bytes_of))
    return found


def _place(version: Version) -> tuple[int, str, str]:
    return version.location.root_id, version.location.path, version.name


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
            stored = _hashes(halt.passing(_stored_chunks(snapshot)))
            found |= dict(zip(("file_md5", "file_sha256"), stored, strict=True))
    return found, sums


def _content(version: Version, current: Version, snapshot: Snapshot, max_unpacked: int) -> Iterable[bytes]:
    if _data_of(version) != _data_of(current):
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


def _data_of(version: Version) -> list[tuple[int, int]]:
    data = [(hdu.data_size, hdu.data_crc) for hdu in version.hdus]
    return [*data, (version.trailing, version.trailing_crc)]


def _stored_chunks(snapshot: Snapshot) -> Iterable[bytes]:
    offset = 0
    while chunk := snapshot.read_at(offset, CHUNK):
        yield chunk
        offset += len(chunk)


def _hashes(chunks: Iterable[bytes]) -> tuple[str, str]:
    """Return md5 and SHA-256; hashing releases the interpreter lock, so both run at once."""
    hashes: tuple[_Hash, _Hash] = (hashlib.md5(usedforsecurity=False), hashlib.sha256())
    with ThreadPoolExecutor(1) as pool:
        for chunk in chunks:
            other = pool.submit(hashes[1].update, chunk)
            hashes[0].update(chunk)
            other.result()
    return hashes[0].hexdigest(), hashes[1].hexdigest()


def _product_row(context: Context, version_id: int, kind: str, made: Picture) -> dict[str, Any]:
    return {
        "version_id": version_id,
        "kind": kind,
        "media_type": "image/jpeg",
        "width": made.width,
        "height": made.height,
        "sha256": hashlib.sha256(made.jpeg).hexdigest(),
        "made": context.clock.now(),
        "content": made.jpeg,
    }


def _reason_row(context: Context, version_id: int, kind: str, reason: str) -> dict[str, Any]:
    """Return the row that stands in the place of a picture that cannot be."""
    content = reason.encode()
    return {
        "version_id": version_id,
        "kind": kind,
        "media_type": orders.REASON_TYPE,
        "width": None,
        "height": None,
        "sha256": hashlib.sha256(content).hexdigest(),
        "made": context.clock.now(),
        "content": content,
    }
