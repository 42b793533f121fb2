"""Grants: what the bearer of a token may read before its release."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, cast, get_args

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access import store
from armillary.access.models import Grants
from armillary.access.recent import forget_everywhere
from armillary.base.database import afterwards
from armillary.errors import BadRequest

GrantKind = Literal["program", "observation", "instrument", "file"]


async def grants_of(connection: AsyncConnection, name: str) -> Grants:
    """Return what a principal may read before its release."""
    return grants_from((row.kind, row.subject) for row in await store.list_grants(connection, name))


def grants_from(given: Iterable[tuple[str, str]]) -> Grants:
    """Return grants by their kinds, from pairs of kind and subject."""
    subjects: defaultdict[str, set[str]] = defaultdict(set)
    for kind, subject in given:
        subjects[kind].add(subject)
    return Grants(
        programs=frozenset(subjects["program"]),
        observations=frozenset(subjects["observation"]),
        instruments=frozenset(subjects["instrument"]),
        files=frozenset(subjects["file"]),
    )


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
    connection: AsyncConnection, name: str, kind: GrantKind, subject: str, *, now: datetime
) -> None:
    """Let the bearer of a token read a program, observation, instrument or file before its release."""
    afterwards(connection, forget_everywhere)
    await store.insert_grant(connection, principal=name, kind=kind, subject=subject, granted=now)


async def ungrant(connection: AsyncConnection, name: str, kind: GrantKind, subject: str) -> int:
    """Take a grant back; return how many there were."""
    afterwards(connection, forget_everywhere)
    return await store.delete_grants(connection, name, kind=kind, subject=subject)
