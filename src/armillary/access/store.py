"""Every statement on tokens and grants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Grantee, Holder
from armillary.access.tables import grant, token
from armillary.base.database import AnyRow

_alive = token.c.revoked.is_(None) & (token.c.expires.is_(None) | (token.c.expires > sa.func.now()))


async def insert_token(
    connection: AsyncConnection,
    *,
    name: str,
    digest: bytes,
    scopes: Iterable[str],
    created: datetime,
    expires: datetime | None,
    emails: Iterable[str],
    groups: Iterable[str],
) -> None:
    """Record a token by the hash of its secret; IntegrityError if a live one bears the name."""
    values = {
        "name": name,
        "hash": digest,
        "scopes": sorted(scopes),
        "created": created,
        "expires": expires,
        "emails": sorted(emails),
        "groups": sorted(groups),
    }
    await connection.execute(sa.insert(token).values(values))


async def find_token(connection: AsyncConnection, digest: bytes) -> AnyRow | None:
    """Return name, scopes and grants of the live token with this hash, those of its addresses and groups included.

    Of ``subjects[i]``, ``kinds[i]`` is the kind and ``levels[i]`` the level.
    ``left_s`` are the seconds until it expires, by the clock of the database, which decides whether it lives.
    """
    # One statement, since every request with a token begins with it.
    named = _held_by(token.c.name, token.c.emails, token.c.groups)
    lists = [
        sa.select(sa.func.array_agg(aggregate_order_by(column, grant.c.id)))
        .where(named)
        .correlate(token)
        .scalar_subquery()
        .label(label)
        for column, label in (
            (grant.c.kind, "kinds"),
            (grant.c.subject, "subjects"),
            (grant.c.level, "levels"),
        )
    ]
    left_s = sa.cast(sa.func.extract("epoch", token.c.expires - sa.func.now()), sa.Double).label("left_s")
    query = sa.select(token.c.name, token.c.scopes, left_s, *lists).where(token.c.hash == digest, _alive)
    return (await connection.execute(query)).first()


def _held_by(name: Any, emails: Any, groups: Any) -> sa.ColumnElement[bool]:
    """Return the condition on a grant that somebody holds it, whose token, addresses and groups these are."""
    return sa.or_(
        (grant.c.holder == Holder.TOKEN) & (grant.c.principal == name),
        (grant.c.holder == Holder.EMAIL) & (grant.c.principal == sa.any_(emails)),
        (grant.c.holder == Holder.GROUP) & (grant.c.principal == sa.any_(groups)),
    )


async def retire_expired(connection: AsyncConnection, name: str) -> None:
    """Revoke what expired under a name, so that the name is free again."""
    dead = token.c.revoked.is_(None) & (token.c.expires <= sa.func.now())
    await connection.execute(
        sa.update(token).where(token.c.name == name, dead).values(revoked=token.c.expires)
    )


async def list_tokens(connection: AsyncConnection) -> list[AnyRow]:
    """Return every token, newest first, without its secret."""
    columns = (
        token.c.name, token.c.scopes, token.c.created, token.c.expires, token.c.revoked,
        token.c.emails, token.c.groups,
    )  # fmt: skip
    return list((await connection.execute(sa.select(*columns).order_by(token.c.id.desc()))).all())


async def revoke_tokens(connection: AsyncConnection, name: str) -> int:
    """Revoke the tokens of a name; return how many of them were live."""
    await retire_expired(connection, name)
    statement = sa.update(token).where(token.c.name == name, _alive).values(revoked=sa.func.now())
    return int((await connection.execute(statement)).rowcount)


_TOLD = (grant.c.holder, grant.c.principal, grant.c.kind, grant.c.subject, grant.c.level)


async def insert_grants(
    connection: AsyncConnection,
    grantees: Iterable[Grantee],
    *,
    kind: str,
    subject: str,
    granted: datetime,
    level: str | None,
) -> list[AnyRow]:
    """Let grantees read what ``subject`` names before its release, or be told of it; null means read.

    Returns those grants that are new or have another level now.
    """
    same = {"kind": kind, "subject": subject, "granted": granted, "level": level}
    rows = [{"holder": one.holder, "principal": one.name, **same} for one in grantees]
    return await _insert(connection, rows, raising=False)


async def copy_grants(
    connection: AsyncConnection, given: Iterable[AnyRow], *, subject: str, granted: datetime
) -> list[AnyRow]:
    """Give whoever has a grant the same one of another subject; a greater one that they have of it stays."""
    rows = [
        {
            "holder": row.holder,
            "principal": row.principal,
            "kind": row.kind,
            "subject": subject,
            "granted": granted,
            "level": row.level,
        }
        for row in given
    ]
    return await _insert(connection, rows, raising=True)


async def _insert(
    connection: AsyncConnection, rows: Sequence[Mapping[str, Any]], *, raising: bool
) -> list[AnyRow]:
    if not rows:
        return []
    once = (grant.c.holder, grant.c.principal, grant.c.kind, grant.c.subject)
    statement = insert(grant).values(list(rows))
    other = grant.c.level.is_distinct_from(statement.excluded.level)
    other &= grant.c.level.is_not(None) if raising else sa.true()
    news = statement.on_conflict_do_update(
        index_elements=once, set_={"level": statement.excluded.level}, where=other
    )
    return list((await connection.execute(news.returning(*_TOLD))).all())


async def delete_grants(
    connection: AsyncConnection,
    grantee: Grantee | None = None,
    *,
    kind: str | None = None,
    subjects: Sequence[str] | None = None,
    holder: Holder | None = None,
    but: Sequence[str] = (),
) -> list[AnyRow]:
    """Take grants back and return them: of a grantee, of a kind, of some subjects, of a sort of holders.

    Parameters
    ----------
    but
        Names of grantees who keep theirs.
    """
    chosen: list[sa.ColumnElement[bool]] = []
    if grantee is not None:
        chosen += [grant.c.holder == grantee.holder, grant.c.principal == grantee.name]
    chosen += [grant.c.kind == kind] if kind is not None else []
    chosen += [_any_of(grant.c.subject, subjects)] if subjects is not None else []
    chosen += [grant.c.holder == holder] if holder is not None else []
    chosen += [sa.not_(_any_of(grant.c.principal, but))] if but else []
    if not chosen:
        raise ValueError("all grants would be taken back")
    return list((await connection.execute(sa.delete(grant).where(*chosen).returning(*_TOLD))).all())


def _any_of(column: sa.Column[str], words: Iterable[str]) -> sa.ColumnElement[bool]:
    return column == sa.any_(sa.cast(sorted(words), sa.ARRAY(sa.Text)))


async def list_grants(
    connection: AsyncConnection, name: str, emails: Iterable[str] = (), groups: Iterable[str] = ()
) -> list[AnyRow]:
    """Return kind, subject and level of every grant of a token, if it has a name, of addresses and of groups."""
    words = [sa.cast(sorted(one), sa.ARRAY(sa.Text)) for one in (emails, groups)]
    held = _held_by(name or None, *words)
    return list(
        (await connection.execute(sa.select(grant.c.kind, grant.c.subject, grant.c.level).where(held))).all()
    )


async def find_grants(
    connection: AsyncConnection,
    *,
    holder: Holder | None = None,
    name: str | None = None,
    kind: str | None = None,
    subjects: Sequence[str] | None = None,
    limit: int,
) -> list[AnyRow]:
    """Return grants with their times, in the order in which they were given."""
    pairs = ((grant.c.holder, holder), (grant.c.principal, name), (grant.c.kind, kind))
    chosen: list[sa.ColumnElement[bool]] = [column == value for column, value in pairs if value is not None]
    chosen += [_any_of(grant.c.subject, subjects)] if subjects is not None else []
    query = sa.select(*_TOLD, grant.c.granted).where(*chosen).order_by(grant.c.id).limit(limit)
    return list((await connection.execute(query)).all())
