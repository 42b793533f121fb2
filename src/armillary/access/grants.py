"""Grants: what the bearer of a token, the owner of an address, or a group may read before its release."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast, get_args

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access import store
from armillary.access.audit import MOST_SHOWN, note_changes
from armillary.access.grantees import email_of, group_of
from armillary.access.models import OPERATOR, Grantee, Grants, Holder, Level, Subjects
from armillary.access.recent import forget_everywhere
from armillary.base.clock import Instant
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


@dataclass(frozen=True, slots=True)
class GivenGrant:
    """A grant that is in force, and since when."""

    holder: Holder
    principal: str
    kind: str
    subject: str
    level: Level
    granted: Instant


async def grants_of(
    connection: AsyncConnection, name: str, *, emails: Iterable[str] = (), groups: Iterable[str] = ()
) -> Grants:
    """Return what somebody may read, or is told of, before its release.

    Parameters
    ----------
    name
        That of a token; empty for whoever shows none.
    emails, groups
        The addresses and groups that are known to be theirs, as they are compared.
    """
    rows = await store.list_grants(connection, name, emails, groups)
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


def grantee_of(*, name: str | None = None, email: str | None = None, group: str | None = None) -> Grantee:
    """Return to whom something is granted: the bearer of a token, an address, or a group.

    Raises
    ------
    BadRequest
        If it is none of them, or several.
    InvalidGrantee
        If it is no address, or no name of a group.
    """
    given = [one for one in (name, email, group) if one is not None]
    if len(given) != 1:
        raise BadRequest("Name one of these: a token, an e-mail address, a group.")
    if email is not None:
        return Grantee(Holder.EMAIL, email_of(email))
    return Grantee(Holder.GROUP, group_of(group)) if group is not None else Grantee(Holder.TOKEN, given[0])


async def grant(
    connection: AsyncConnection,
    to: Grantee | str,
    kind: GrantKind,
    subject: str,
    *,
    now: datetime,
    level: Level = Level.OPEN,
    actor: str = OPERATOR.name,
    origin: str = "",
) -> None:
    """Let somebody read a program, observation, instrument or file before its release.

    With the level METADATA they are told of it where it is hidden, and read nothing more. What was granted
    before of the same thing is replaced.

    Parameters
    ----------
    to
        Who; a text is the name of a token.
    actor, origin
        Who gives it, and what led to it: the record keeps both.

    Raises
    ------
    BadRequest
        If the level would grant nothing.
    """
    if level not in GRANTABLE:
        raise BadRequest(f"'{level}' grants nothing; levels are {' and '.join(GRANTABLE)}.")
    afterwards(connection, forget_everywhere)
    kept = None if level is Level.OPEN else str(level)
    given = await store.insert_grants(
        connection, [grantee(to)], kind=kind, subject=subject, granted=now, level=kept
    )
    await note_changes(connection, "given", given, actor=actor, origin=origin, now=now)


async def ungrant(
    connection: AsyncConnection,
    of: Grantee | str,
    kind: GrantKind,
    subject: str,
    *,
    now: datetime,
    actor: str = OPERATOR.name,
    origin: str = "",
) -> int:
    """Take a grant back; return how many there were."""
    afterwards(connection, forget_everywhere)
    taken = await store.delete_grants(connection, grantee(of), kind=kind, subjects=[subject])
    await note_changes(connection, "taken", taken, actor=actor, origin=origin, now=now)
    return len(taken)


def grantee(one: Grantee | str) -> Grantee:
    """Return to whom something is granted; a text is the name of a token."""
    return one if isinstance(one, Grantee) else Grantee(Holder.TOKEN, one)


async def list_grants(
    connection: AsyncConnection,
    *,
    to: Grantee | None = None,
    kind: GrantKind | None = None,
    subjects: Sequence[str] | None = None,
    limit: int = MOST_SHOWN,
) -> list[GivenGrant]:
    """Return the grants that are in force, oldest first: all, or those to somebody, of a kind, of subjects."""
    holder, name = (to.holder, to.name) if to else (None, None)
    rows = await store.find_grants(
        connection, holder=holder, name=name, kind=kind, subjects=subjects, limit=limit
    )
    return [
        GivenGrant(
            Holder(row.holder),
            row.principal,
            row.kind,
            row.subject,
            Level(row.level or Level.OPEN),
            row.granted,
        )
        for row in rows
    ]
