"""Versions whose products are wanted, and the bytes that they can be made of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from armillary.archive.catalog import file_store, store
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.base.store import ObjectStore, Snapshot, whole_or_part
from armillary.base.work import Claim, Response
from armillary.context import Context
from armillary.errors import ArmillaryError, NotFound

CHUNK = 1 << 20


class Superseded(NotFound):
    """Superseded by a newer version."""

    code = "superseded"


@dataclass(frozen=True, slots=True)
class Work:
    """A version whose product is wanted, and the one whose bytes are stored in its place now."""

    claim: Claim
    version: Version
    current: Version
    bytes_of: ObjectStore


async def each(
    context: Context, claims: Sequence[Claim], action: Callable[[Work], Awaitable[None]]
) -> list[Work]:
    """Run an action for every version that is still there; return those that went well."""
    found = await find(context, claims)
    results = await asyncio.gather(*(action(work) for work in found), return_exceptions=True)
    for work, result in zip(found, results, strict=True):
        if isinstance(result, Exception):
            await work.claim.fail(await whole_or_part(work.bytes_of, result))
        elif result is not None:
            raise result
    return [work for work, result in zip(found, results, strict=True) if result is None]


async def find(context: Context, claims: Sequence[Claim]) -> list[Work]:
    """Return the works of the claims whose version is there; the other claims are ended."""
    ids = {claim: int(str(claim.order.args["version_id"])) for claim in claims}
    async with context.database.begin() as connection:
        versions = await store.versions_by_id(connection, ids.values())
        roots = {root.id: root for root in await store.list_roots(connection)}
        present = await file_store.present_at(
            connection, [place_of(version) for version in versions.values()]
        )
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
        found.append(Work(claim, version, present.get(place_of(version), version), bytes_of))
    return found


def place_of(version: Version) -> tuple[int, str, str]:
    """Return the place at which a version lies or lay: root, directory, logical name."""
    return version.location.root_id, version.location.path, version.name


def stored_chunks(snapshot: Snapshot) -> Iterable[bytes]:
    """Yield the bytes as they are stored."""
    offset = 0
    while chunk := snapshot.read_at(offset, CHUNK):
        yield chunk
        offset += len(chunk)
