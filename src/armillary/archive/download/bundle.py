"""Many files as one tar stream: each as stored, one consistent version, summed while it passes."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tarfile
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Location, Root, Version
from armillary.archive.catalog.tables import file, version
from armillary.archive.download.file import Download, open_download, stream
from armillary.archive.download.granted import note_if_granted
from armillary.archive.download.serving import Served, why_visible
from armillary.archive.errors import BeingChanged, BundleBroken
from armillary.archive.query.conditions import conditions, listed
from armillary.archive.query.listing import Lister
from armillary.archive.query.models import Flag, Selection
from armillary.base.log import get_logger, get_record
from armillary.context import Context
from armillary.errors import ArmillaryError

log = get_logger(__name__)
record = get_record(__name__)
SUMS, README = "md5sums.txt", "README.txt"
TRIES, PAUSE_S = 40, 0.05


@dataclass(frozen=True, slots=True)
class Member:
    """A file that shall go into a bundle, under the name that it has there."""

    location: Location
    name: str
    key: str


@dataclass(slots=True)
class Account:
    """What became of the members of a bundle."""

    sums: list[str] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


async def choose(connection: AsyncConnection, selection: Selection, lister: Lister) -> list[Member]:
    """Return the present files that are selected, one more than a bundle may hold if there are too many."""
    wanted = conditions((*selection.terms, Flag("present", True)), lister.viewer, lister.today)
    query = (
        sa.select(version.c.root_id, version.c.path, version.c.filename, file.c.name)
        .select_from(listed)
        .where(*wanted)
        .order_by(file.c.name, version.c.id)
        .limit(lister.settings.max_bundle + 1)
    )
    rows = (await connection.execute(query)).all()
    places = [(Location(row.root_id, row.path, row.filename), row.name) for row in rows]
    return named_apart(places, {root.id: root for root in await catalog.list_roots(connection)})


def named_apart(places: Sequence[tuple[Location, str]], roots: dict[int, Root]) -> list[Member]:
    """Give files of equal path and name in several roots the name of their root in front."""
    often = Counter(location.key for location, _ in places)
    return [
        Member(
            place, name, place.key if often[place.key] == 1 else f"{roots[place.root_id].name}/{place.key}"
        )
        for place, name in places
    ]


async def bundle(
    context: Context, members: Sequence[Member], viewer: Principal, *, asked: str
) -> AsyncGenerator[bytes, None]:
    """Yield a tar file of those members that the viewer may have, their md5 sums, and a text about the rest.

    Whether somebody may have a file is judged when its turn comes. One file is open at a time, and a client
    that reads slowly holds that one only.

    Raises
    ------
    BundleBroken
        If a file cannot be read to its end: what was sent of it cannot be taken back.
    """
    account = Account()
    for member in members:
        served = await open_member(context, member, viewer, account)
        if served is not None:
            note = partial(note_if_granted, context, served[1], viewer)
            async with aclosing(_packed(member, *served, account, note)) as chunks:
                async for chunk in chunks:
                    yield chunk
    now = context.clock.now()
    yield _text_member(SUMS, "".join(account.sums), now)
    yield _text_member(README, readme(account, asked, now, sums=SUMS), now)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


async def open_member(
    context: Context, member: Member, viewer: Principal, account: Account
) -> tuple[Download, Served] | None:
    """Open what is present at the member's place, or note why there is nothing."""
    for _ in range(TRIES):
        async with context.database.begin() as connection:
            found, served = await _to_serve(context, connection, member, viewer)
        if served is None:
            lines = account.withheld if found else account.missing
            lines.append(member.key)
            return None
        try:
            store, asked = catalog.store_of(context, served.root), found.location.filename if found else ""
            most = context.settings.archive.max_unpacked
            return await open_download(store, served, asked, max_unpacked=most), served
        except BeingChanged:
            # An edit puts the bytes first and the record a moment later.
            await asyncio.sleep(PAUSE_S)
        except ArmillaryError as error:
            log.warning("file left out of a bundle", file=member.key, error=error.message)
            break
    account.missing.append(member.key)
    return None


async def _to_serve(
    context: Context, connection: AsyncConnection, member: Member, viewer: Principal
) -> tuple[Version | None, Served | None]:
    place = (member.location.root_id, member.location.path, member.name)
    found = (await catalog.present_at(connection, [place])).get(place)
    if found is None:
        return None, None
    reason = await why_visible(connection, found, viewer, now=context.clock.now())
    if reason is None:
        return found, None
    return found, Served(found, await catalog.root_by_id(connection, place[0]), reason)


async def _packed(
    member: Member,
    download: Download,
    served: Served,
    account: Account,
    note: Callable[..., Awaitable[None]],
) -> AsyncGenerator[bytes, None]:
    """Yield one file with its tar header and fill, and note its sum."""
    size = download.size or 0
    digest, sent = hashlib.md5(usedforsecurity=False), 0
    # A stream that was never begun closes nothing.
    with download.snapshot:
        await note(stop=size)
        yield _header(member.key, size, served.version.lastmod)
        async with aclosing(stream(download)) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
                sent += len(chunk)
                yield chunk
    if sent != size:
        raise BundleBroken(f"'{member.key}' ended after {sent} of {size} bytes; fetch the bundle again.")
    yield _fill(size)
    account.sums.append(f"{digest.hexdigest()}  {member.key}\n")
    record.info("file handed out", file=member.key, reason=str(served.reason), version=served.version.id)


def _header(name: str, size: int, modified: datetime) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, int(modified.timestamp()), 0o644
    # Only this format knows sizes over 8 GiB, long names, and names in UTF-8.
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _fill(size: int) -> bytes:
    return b"\0" * (-size % tarfile.BLOCKSIZE)


def _text_member(name: str, text: str, now: datetime) -> bytes:
    content = text.encode("utf-8", "replace")
    return _header(name, len(content), now) + content + _fill(len(content))


def readme(account: Account, asked: str, now: datetime, *, sums: str | None) -> str:
    """Return what a download says of itself: what it holds, what is withheld, what was missing."""
    out = io.StringIO()
    out.write(f"Download of {asked} on {now:%Y-%m-%d %H:%M:%S} UTC.\n\n")
    check = f" Check them with: md5sum -c {sums}" if sums else ""
    out.write(f"Files in this archive: {len(account.sums)}.{check}\n")
    if account.withheld:
        out.write("\nThese files were selected, but are not public yet, and you showed nothing that lets you")
        out.write(" have them.\nThey are not in this archive:\n")
        out.writelines(f"  {key}\n" for key in account.withheld)
    if account.missing:
        out.write("\nThese files were gone or could not be read when their turn came:\n")
        out.writelines(f"  {key}\n" for key in account.missing)
    return out.getvalue()
