"""Under which oids files are published: those of their cubes; where there are none, what their headers say."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.models import Cube
from armillary.archive.query.service import Offered
from armillary.context import Context
from armillary.errors import ArmillaryError
from armillary.publish.svo.coercion import values_of

SOLAR = "sst"
"""The profile by whose rule products have oids; of other files the name is one."""
UNREADABLE = "schema"
"""A record of that oid could be made, and never be read: its address means something else."""
WITHHELD = "its order said that it is not to be published"
HIDDEN = "strangers may not know of it before its release"
NO_CUBE = "no order has made it a cube; `armillary ingest` does"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is published as; with a ``reason`` it is not. Without an oid it cannot be told apart.

    Parameters
    ----------
    cube
        Whether it is the cube of that oid, which no other file can be.
    failed
        Whether somebody has to mend something before it can be published.
    """

    oid: str
    cube: bool = False
    reason: str = ""
    failed: bool = False


async def identities_of(context: Context, rows: Sequence[Offered]) -> Mapping[int, Sequence[Identity]]:
    """Return what files are published as, by their ids; a file may be several cubes, and is always something."""
    found: defaultdict[int, list[Identity]] = defaultdict(list)
    async with context.database.begin() as connection:
        for cube in await cubes.cubes_of_files(connection, [one.version.file_id for one in rows]):
            found[cube.file_id].append(_of_cube(cube))
        roots = await cubes.root_ids(connection)
    others = [one for one in rows if one.version.file_id not in found]
    told = await asyncio.to_thread(lambda: [_of_headers(one) for one in others])
    async with context.database.begin() as connection:
        holders = await cubes.cubes_called(connection, {one.oid for one in told if one.oid})
    for one, identity in zip(others, told, strict=True):
        rooted = one.version.location.root_id in roots
        found[one.version.file_id] = [_beside(identity, holders.get(identity.oid), rooted=rooted)]
    return {one.version.file_id: _known(one, found[one.version.file_id]) for one in rows}


def _of_cube(cube: Cube) -> Identity:
    if cube.oid == UNREADABLE:
        return _unreadable(cube=True)
    return Identity(cube.oid, cube=True, reason="" if cube.published else WITHHELD)


def _of_headers(one: Offered) -> Identity:
    """Return what the headers of a file say that it is."""
    if not one.version.is_fits:
        return Identity("", reason="it is no FITS file", failed=True)
    try:
        names = [hdu.name for hdu in one.version.hdus[1:]]
        solar = one.profile == SOLAR
        oid = cubes.oid_of(values_of(one.version.headers()[0]), names) if solar else one.version.name
    except ArmillaryError as error:
        return Identity("", reason=error.message, failed=True)
    return _unreadable() if oid == UNREADABLE else Identity(oid)


def _unreadable(*, cube: bool = False) -> Identity:
    return Identity("", cube=cube, reason=f"no record can have the oid '{UNREADABLE}'", failed=True)


def _beside(identity: Identity, holder: Cube | None, *, rooted: bool) -> Identity:
    """Return what a file without a cube is published as: nothing if a cube has its oid, or if it is to be one."""
    if holder is not None:
        return replace(identity, reason=f"superseded by {holder.path}")
    return Identity("", reason=NO_CUBE) if rooted else identity


def _known(one: Offered, identities: Sequence[Identity]) -> Sequence[Identity]:
    if one.known:
        return identities
    return [replace(identity, reason=HIDDEN, failed=False) for identity in identities]
