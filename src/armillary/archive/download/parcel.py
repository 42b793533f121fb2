"""Which files of a search go into one download, how large it will be, and what is withheld from whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Location
from armillary.archive.catalog.tables import few, file, frame, version
from armillary.archive.download.bundle import Member, named_apart
from armillary.archive.query import visibility
from armillary.archive.query.conditions import conditions, only_needed
from armillary.archive.query.models import Flag, Term


@dataclass(frozen=True, slots=True)
class Parcelled:
    """A file of a parcel: where it is, what it is called there, its stored bytes and their time."""

    member: Member
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Parcel:
    """The files of a download in the order of their names; ``overflows`` if there are more than it may hold."""

    files: Sequence[Parcelled]
    withheld: Sequence[Member]
    overflows: bool

    @property
    def size(self) -> int:
        """Bytes of the files as they are stored."""
        return sum(one.size for one in self.files)


async def parcel_of(
    connection: AsyncConnection, terms: Sequence[Term], viewer: Principal, *, today: date, most: int
) -> Parcel:
    """Return the present files of the frames of which all terms hold, up to ``most`` of them."""
    wanted = conditions(
        (*terms, Flag("present", True), Flag("canonical", True)), viewer, today, rows=only_needed
    )
    may_have = sa.func.coalesce(visibility.visible(viewer, today), False).label("may_have")
    # The frames are chosen first and completed afterwards, as in a search. Of more than there may be nothing is
    # shown: to sort a million names first would take seconds.
    chosen = (
        sa.select(frame.c.file_id, frame.c.version_id, may_have)
        .select_from(only_needed(wanted))
        .where(*wanted)
        .limit(few(most + 1))
        .subquery("chosen")
    )
    columns = (version.c.root_id, version.c.path, version.c.filename, version.c.file_size, version.c.lastmod)
    query = sa.select(*columns, file.c.name, chosen.c.may_have).select_from(
        chosen.join(version, version.c.id == chosen.c.version_id).join(file, file.c.id == chosen.c.file_id)
    )
    found = (await connection.execute(query)).all()
    rows = sorted(found, key=lambda row: (row.name, row.path, row.root_id))[:most]
    roots = {root.id: root for root in await catalog.list_roots(connection)}
    places = [(Location(row.root_id, row.path, row.filename), row.name) for row in rows]
    named = list(zip(named_apart(places, roots), rows, strict=True))
    files = [Parcelled(one, row.file_size, row.lastmod) for one, row in named if row.may_have]
    return Parcel(files, [one for one, row in named if not row.may_have], len(found) > most)
