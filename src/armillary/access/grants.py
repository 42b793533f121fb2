"""Grants: what the bearer of a token may read before its release."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, cast, get_args

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access import store
from armillary.access.models import Grants, Level, Subjects
from armillary.access.recent import forget_everywhere
from armillary.base.database import afterwards
from armillary.errors import BadRequest

GrantKind = Literal["program", "observation", "instrument", "file"]


_KINDS: Mapping[GrantKind, str] = {
    "program": "programs",
    "observation": "observations",
    "instrument": "instruments",
    "file": "files",
}
GRANTABLE = (Level.METADATA, Level.OPEN)


async def grants_of(connection: AsyncConnection, name: str) -> Grants:
    """Return what a principal may read, or is told of, before its release."""
    rows = await store.list_grants(connection, name)
    return grants_from((row.kind, row.subject, row.level) for row in rows)


def grants_from(given: Iterable[tuple[str, str, str | None]]) -> Grants:
    """Return grants by their kinds, from triples of kind, subject and level; no level means everything."""
    found: defaultdict[tuple[bool, str], set[str]] = defaultdict(set)
    for kind, subject, level in given:
        found[level == Level.METADATA, kind].add(subject)
    whole, told = (
        {name: frozenset(found[lesser, kind]) for kind, name in _KINDS.items()} for lesser in (False, True)
    )
    return Grants(**whole, metadata=Subjects(**told))


def grant_kind(word: str) -> GrantKind:
    """Return the kind of a grant that a word names.

    Raises
    ------
    BadRequest
        Naming the kinds that there are.
    """
    for kind in get_args(GrantKind):
        if word == kind:
            return cast(GrantKind, kind)
    raise BadRequest(f"'{word}' cannot be granted; kinds are {', '.join(get_args(GrantKind))}.")


async def grant(
    connection: AsyncConnection,
    name: str,
    kind: GrantKind,
    subject: str,
    *,
    now: datetime,
    level: Level = Level.OPEN,
) -> None:
    """Let the bearer of a token read a program, observation, instrument or file before its release.

    With the level METADATA the bearer is told of it where it is hidden, and reads nothing more. What was granted
    before of the same thing is replaced.

    Raises
    ------
    BadRequest
        If the level would grant nothing.
    """
    if level not in GRANTABLE:
        raise BadRequest(f"'{level}' grants nothing; levels are {' and '.join(GRANTABLE)}.")
    afterwards(connection, forget_everywhere)
    kept = None if level is Level.OPEN else str(level)
    await store.insert_grant(connection, principal=name, kind=kind, subject=subject, granted=now, level=kept)


async def ungrant(connection: AsyncConnection, name: str, kind: GrantKind, subject: str) -> int:
    """Take a grant back; return how many there were."""
    afterwards(connection, forget_everywhere)
    return await store.delete_grants(connection, name, kind=kind, subject=subject)
