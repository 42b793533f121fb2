"""The work orders that take stored files into the catalog.

Files of ordinary roots come in by batches, order `ingest`. Those of ingestion roots come in one by one, order
`ingest_cube`: what is asked of them merges with what was asked before, and every step tells what it did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import store
from armillary.archive.catalog.models import Location
from armillary.archive.catalog.priorities import science_priority
from armillary.archive.intake import paths
from armillary.base.work import Merging, NewOrder, submit

INGEST, INGEST_CUBE = "ingest", "ingest_cube"
OPTIONAL = (
    "oid",
    "owner_email_addresses",
    "groups",
    "image_source",
    "video_source",
    "make_images",
    "make_video",
    "submit_svo",
    "swedish_data",
    "additional",
    "verify",
)
"""What may be asked of a file of an ingestion root; null says nothing, and an empty list is a value."""
_BATCHED = Merging(sticky=("force", "verify"))
_ONE_BY_ONE = Merging(sticky=("force", "verify"), optional=OPTIONAL, keep=True)


async def submit_ingests(
    connection: AsyncConnection,
    locations: Sequence[Location],
    *,
    actor: str,
    origin: str = "ingest",
    force: bool = False,
    verify: bool = False,
    known: Mapping[Location, Mapping[str, Any]] | None = None,
    patient: bool = True,
    options: Mapping[str, Any] | None = None,
    priority: int = 0,
) -> list[int]:
    """Queue the intake of stored files; a file that waits already is not queued twice.

    Parameters
    ----------
    known
        ``size``, ``mtime_ns`` and ``crc`` of files whose bytes were summed on their way in.
    patient
        Whether files that still grow wait until they rest.
    options
        What is asked of files of ingestion roots, see ``OPTIONAL``; it says nothing of others.
    priority
        Is added to that of each file.
    """
    profiled = {root.id for root in await store.list_roots(connection) if root.profile}
    numbered = await paths.numbers(connection, [one for one in locations if one.root_id in profiled])
    # Left out where it says nothing, since a waiting order takes over what is said.
    said = {**({"force": True} if force else {}), **({"verify": True} if verify else {})}
    orders = []
    for place in locations:
        args: dict[str, Any] = {
            "root_id": place.root_id,
            "path": place.path,
            "filename": place.filename,
            "origin": origin,
            "patient": patient,
            **said,
            **({"known": known[place]} if known and place in known else {}),
        }
        single = place in numbered
        kind = INGEST_CUBE if single else INGEST
        orders.append(
            NewOrder(
                kind=kind,
                args={**args, "number": numbered[place], **(options or {})} if single else args,
                key=place.file_key,
                unique_key=f"{kind}:{place.file_key}",
                priority=science_priority(place.filename) + priority,
                actor=actor,
                merging=_ONE_BY_ONE if single else _BATCHED,
            )
        )
    return await submit(connection, orders, keyed_fifo=False)
