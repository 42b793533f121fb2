"""What the virtual observatory has of a dataset, read whole before anything is changed, and kept as digests."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from armillary.errors import ArmillaryError
from armillary.publish.svo.comparing import digest
from armillary.publish.svo.models import Dataset, Known, Stored, StoredPlace
from armillary.publish.svo.observatory import Observatory


@dataclass(slots=True)
class Remote:
    """Records by oid, and locations of ours that no record uses. ``gap`` tells why there may be more records."""

    records: dict[str, Known] = field(default_factory=dict)
    orphans: list[StoredPlace] = field(default_factory=list)
    gap: str = ""


async def read_remote(observatory: Observatory, dataset: Dataset, *, ours: str, tagged: bool) -> Remote:
    """Return what is there; ``ours`` is how URLs of our files begin, ``tagged`` whether tags are compared.

    Raises
    ------
    SvoAway, UnusableSvoReply
        If not even the first record can be read.
    """
    found = await _records(observatory, dataset, tagged=tagged)
    if found.gap:
        with contextlib.suppress(ArmillaryError):
            found = await _records(observatory, dataset, tagged=tagged)
    if not found.gap:
        used = {one.location for one in found.records.values()}
        every = await observatory.locations(dataset)
        found.orphans = [one for one in every if one.uri not in used and one.place.file_url.startswith(ours)]
    return found


async def _records(observatory: Observatory, dataset: Dataset, *, tagged: bool) -> Remote:
    found = Remote()
    try:
        async for one in observatory.records(dataset):
            if one.oid in found.records:
                # A record came or went meanwhile, so that the rows behind it moved: one may have been passed over.
                found.gap = f"records came or went while they were read ({one.oid} came twice)"
            found.records[one.oid] = known(one, tagged=tagged)
    except ArmillaryError as error:
        if not found.records:
            raise
        found.gap = error.message
    return found


def known(one: Stored, *, tagged: bool) -> Known:
    """Return what is remembered of a record."""
    place = one.location.place if one.location else None
    tags = one.tags if tagged else None
    return Known(digest(one.fields, one.header, tags), place, one.location.uri if one.location else None)
