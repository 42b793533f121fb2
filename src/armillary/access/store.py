"""Every statement on tokens and grants."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncConnection

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
) -> None:
    """Record a token by the hash of its secret; IntegrityError if a live one bears the name."""
    values = {
        "name": name,
        "hash": digest,
        "scopes": sorted(scopes),
        "created": created,
        "expires": expires,
    }
    await connection.execute(sa.insert(token).values(values))


async def find_token(connection: AsyncConnection, digest: bytes) -> AnyRow | None:
    """Return name, scopes and grants of the live token with this hash.

    Of ``subjects[i]``, ``kinds[i]`` is the kind and ``levels[i]`` the level.
    ``left_s`` are the seconds until it expires, by the clock of the database, which decides whether it lives.
    """
    # One statement, since every request with a token begins with it.
    named = grant.c.principal == token.c.name
    lists = [
        sa.select(sa.func.array_agg(aggregate_order_by(column, grant.c.kind, grant.c.subject)))
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


async def retire_expired(connection: AsyncConnection, name: str) -> None:
    """Revoke what expired under a name, so that the name is free again."""
    dead = token.c.revoked.is_(None) & (token.c.expires <= sa.func.now())
    await connection.execute(
        sa.update(token).where(token.c.name == name, dead).values(revoked=token.c.expires)
    )


async def list_tokens(connection: AsyncConnection) -> list[AnyRow]:
    """Return every token, newest first, without its secret."""
    columns = (token.c.name, token.c.scopes, token.c.created, token.c.expires, token.c.revoked)
    return list((await connection.execute(sa.select(*columns).order_by(token.c.id.desc()))).all())


async def revoke_tokens(connection: AsyncConnection, name: str) -> int:
    """Revoke the tokens of a name; return how many of them were live."""
    await retire_expired(connection, name)
    statement = sa.update(token).where(token.c.name == name, _alive).values(revoked=sa.func.now())
    return int((await connection.execute(statement)).rowcount)


async def insert_grant(
    connection: AsyncConnection,
    *,
    principal: str,
    kind: str,
    subject: str,
    granted: datetime,
    level: str | None,
) -> None:
    """Let a principal read what ``subject`` names before its release, or be told of it; null means read."""
    values = {"principal": principal, "kind": kind, "subject": subject, "granted": granted, "level": level}
    same = (grant.c.principal, grant.c.kind, grant.c.subject)
    statement = insert(grant).values(values)
    other = grant.c.level.is_distinct_from(statement.excluded.level)
    news = statement.on_conflict_do_update(index_elements=same, set_={"level": level}, where=other)
    await connection.execute(news)


async def delete_grants(
    connection: AsyncConnection, principal: str, *, kind: str | None = None, subject: str | None = None
) -> int:
    """Take grants of a principal back, all or those of a kind and subject; return how many."""
    chosen = [grant.c.principal == principal]
    chosen += [grant.c.kind == kind] if kind is not None else []
    chosen += [grant.c.subject == subject] if subject is not None else []
    return int((await connection.execute(sa.delete(grant).where(*chosen))).rowcount)


async def list_grants(connection: AsyncConnection, principal: str) -> list[AnyRow]:
    """Return kind, subject and level of every grant of a principal."""
    query = sa.select(grant.c.kind, grant.c.subject, grant.c.level).where(grant.c.principal == principal)
    return list((await connection.execute(query)).all())
