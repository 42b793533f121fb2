"""Selections of images that are sent as one zip: frozen when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import file_store
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog import store as versions
from armillary.archive.catalog.models import Root, Version
from armillary.archive.download.zips import Member, made_member
from armillary.archive.images import crc32
from armillary.archive.images.askers import Asker
from armillary.archive.images.models import place_of
from armillary.archive.images.tables import image
from armillary.errors import ArmillaryError, NotFound

FitsSize = Literal["small", "large", "best"]
KEPT = timedelta(hours=48)
MANIFEST, MISSING = "MANIFEST.txt", "MISSING.txt"


class ZipTooLarge(ArmillaryError):
    """The files of the selection have more bytes than one zip may have; select fewer."""

    code, status = "zip_too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class NoSuchZip(NotFound):
    """There is no such zip any more; select its images again."""

    code = "no_such_zip"


@dataclass(frozen=True, slots=True)
class Frozen:
    """A selection: what the zip is called, and the versions in it."""

    id: UUID
    filename: str
    made: datetime
    members: list[dict[str, Any]]


async def keys_between(
    connection: AsyncConnection, asker: Asker, site: str, start: datetime, end: datetime, size: FitsSize
) -> list[str]:
    """Return the keys of the FITS files of the images of a site between two instants, oldest first."""
    key = _key(size)
    query = (
        asker.images(image.c.site == site, image.c.capture_date.between(start, end), key.is_not(None))
        .with_only_columns(key)
        .order_by(image.c.capture_date, image.c.id)
    )
    return list((await connection.execute(query)).scalars())


def _key(size: FitsSize) -> sa.Label[str]:
    roles = {"small": ("fits_10",), "large": ("fits_01",), "best": ("fits_01", "fits_10")}[size]
    return sa.func.coalesce(*(image.c[f"{role}_key"] for role in roles)).label("key")


async def freeze(
    connection: AsyncConnection, keys: Sequence[str], *, filename: str, now: datetime, most: int
) -> Frozen:
    """Put a selection on record as it is now: the zip of it will have the same bytes whenever it is sent.

    Raises
    ------
    ZipTooLarge
        If its files have more than ``most`` bytes.
    """
    root = await _root(connection)
    places = {key: place_of(root.id, key) for key in keys}
    present = await file_store.present_at(connection, places.values())
    found = {key: present[place] for key, place in places.items() if place in present}
    ids = [version.id for version in found.values()]
    sums = await crc32.known(connection, ids)
    members, lost = [], []
    for key in keys:
        version = found.get(key)
        if version is None or version.id not in sums:
            lost.append(key)
        else:
            members.append(_member(version, sums[version.id]))
    if (total := sum(one["size"] for one in members)) > most:
        raise ZipTooLarge(f"The files have {total} bytes, {most} are the most; select fewer.")
    frozen = Frozen(uuid4(), filename, now, [*members, *({"missing": key} for key in lost)])
    await connection.execute(
        _INSERT,
        {
            "id": frozen.id,
            "filename": filename,
            "made": now,
            "expires": now + KEPT,
            "members": frozen.members,
        },
    )
    return frozen


_INSERT = sa.text("""
INSERT INTO zip_selection (id, filename, made, expires, members)
VALUES (:id, :filename, :made, :expires, :members)
""").bindparams(sa.bindparam("members", type_=JSONB))
_SELECT = sa.text("SELECT id, filename, made, members FROM zip_selection WHERE id = :id AND expires > :now")


def _member(version: Version, crc: int) -> dict[str, Any]:
    return {
        "version": version.id,
        "name": version.location.filename,
        "size": version.file_size,
        "crc32": crc,
        "modified": version.lastmod.isoformat(),
        "sha256": version.file_sha256,
        "md5": version.file_md5,
    }


async def frozen(connection: AsyncConnection, id: UUID, *, now: datetime) -> Frozen:
    """Return a selection that is on record.

    Raises
    ------
    NoSuchZip
        If there is none any more.
    """
    row = (await connection.execute(_SELECT, {"id": id, "now": now})).first()
    if row is None:
        raise NoSuchZip
    return Frozen(row.id, row.filename, row.made, row.members)


def members_of(frozen: Frozen) -> tuple[list[Member], list[int | None]]:
    """Return what is in the zip of a selection, in order, and the version of each; None where it is made."""
    files = [one for one in frozen.members if "version" in one]
    lost = [one["missing"] for one in frozen.members if "missing" in one]
    members = [
        Member(one["name"], one["size"], one["crc32"], datetime.fromisoformat(one["modified"]))
        for one in files
    ]
    ids: list[int | None] = [one["version"] for one in files]
    members.append(made_member(MANIFEST, _manifest(files).encode(), frozen.made))
    if lost:
        members.append(made_member(MISSING, ("\n".join(lost) + "\n").encode(), frozen.made))
    return members, ids + [None] * (len(members) - len(ids))


def _manifest(files: Sequence[dict[str, Any]]) -> str:
    """Return a line for each file: digest, name, bytes; the digest is SHA-256, or MD5, or else the CRC-32."""
    lines = []
    for one in files:
        digest = one["sha256"] or one["md5"] or f"crc32:{one['crc32']:08x}"
        lines.append(f"{digest}  {one['name']}  {one['size']}\n")
    return "".join(lines)


async def zip_versions(connection: AsyncConnection, frozen: Frozen) -> dict[int, Version]:
    """Return the versions whose bytes are in a zip, by their numbers."""
    ids = [one["version"] for one in frozen.members if "version" in one]
    return await versions.versions_by_id(connection, ids)


async def _root(connection: AsyncConnection) -> Root:
    roots = {root.name: root for root in await catalog.list_roots(connection)}
    if catalog.IMAGES not in roots:
        raise NoSuchZip
    return roots[catalog.IMAGES]


async def forget_zips(connection: AsyncConnection, *, now: datetime, limit: int) -> int:
    """Forget selections whose time is up; return how many."""
    query = sa.text(
        "DELETE FROM zip_selection WHERE id IN"
        " (SELECT id FROM zip_selection WHERE expires <= :now ORDER BY expires LIMIT :limit)"
    )
    return (await connection.execute(query, {"now": now, "limit": limit})).rowcount
