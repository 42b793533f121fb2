"""The work order that takes a stored file into the catalog: queued for many files at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog.models import Location
from armillary.archive.catalog.priorities import science_priority
from armillary.base.work import Merging, NewOrder, submit

INGEST = "ingest"


async def submit_ingests(
    connection: AsyncConnection,
    locations: Sequence[Location],
    *,
    actor: str,
    origin: str = "ingest",
    force: bool = False,
    known: Mapping[Location, Mapping[str, Any]] | None = None,
    patient: bool = True,
) -> list[int]:
    """Queue the intake of stored files; a file that waits already is not queued twice.

    ``known`` may carry ``size``, ``mtime_ns`` and ``crc`` of files whose bytes were summed on their way in.
    ``patient`` lets files that still grow wait until they rest.
    """
    orders = [
        NewOrder(
            kind=INGEST,
            args={
                "root_id": place.root_id,
                "path": place.path,
                "filename": place.filename,
                "origin": origin,
                "patient": patient,
                # Left out where it says nothing, since a waiting order takes over what is said.
                **({"force": True} if force else {}),
                **({"known": known[place]} if known and place in known else {}),
            },
            key=place.file_key,
            unique_key=f"{INGEST}:{place.file_key}",
            priority=science_priority(place.filename),
            actor=actor,
            merging=Merging(sticky=("force",)),
        )
        for place in locations
    ]
    return await submit(connection, orders, keyed_fifo=False)
