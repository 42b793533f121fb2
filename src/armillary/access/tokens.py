"""Tokens: opaque secrets with scopes, of which only hashes are kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access import store
from armillary.access.errors import TokenExists
from armillary.access.grants import grants_from
from armillary.access.models import Credentials, Permission, Principal, Scope
from armillary.context import Context
from armillary.errors import BadRequest

PREFIX = "arm_"


def digest_of(secret: str) -> bytes:
    """Return what is stored of a secret; it has 256 bits, so one round of SHA-256 is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


async def create_token(
    connection: AsyncConnection,
    name: str,
    scopes: Iterable[Scope | Permission],
    *,
    now: datetime,
    lifetime: timedelta | None = None,
) -> str:
    """Create a token and return its secret, which cannot be shown again.

    Raises
    ------
    TokenExists
        If a live token bears the name.
    """
    if not name.strip():
        raise BadRequest("Give the token a name: it signs the edits made with it.")
    if not name.isprintable():
        raise BadRequest(f"{name!r} holds characters that cannot be shown; choose another name.")
    secret = PREFIX + secrets.token_urlsafe(32)
    await store.retire_expired(connection, name)
    try:
        # Whatever the caller's transaction has done so far stays when the name turns out to be taken.
        async with connection.begin_nested():
            await store.insert_token(
                connection,
                name=name,
                digest=digest_of(secret),
                scopes=map(str, scopes),
                created=now,
                expires=now + lifetime if lifetime else None,
            )
    except IntegrityError:
        message = f"A token named '{name}' is in use; revoke it first or choose another name."
        raise TokenExists(message) from None
    return secret


async def authenticate(connection: AsyncConnection, secret: str) -> Principal | None:
    """Return who bears the secret; None when it is unknown, expired or revoked."""
    row = await store.find_token(connection, digest_of(secret))
    if row is None:
        return None
    grants = grants_from(zip(row.kinds or (), row.subjects or (), strict=True))
    return Principal(row.name, frozenset(map(Permission.of_text, row.scopes)), grants)


class Tokens:
    """The authenticator that knows who bears which token."""

    async def identify(self, context: Context, shown: Credentials) -> Principal | None:
        """Return who bears the token that is shown."""
        if not shown.secret:
            return None
        async with context.database.look() as connection:
            return await authenticate(connection, shown.secret)


async def list_tokens(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Return name, scopes and times of every token."""
    return [dict(row._mapping) for row in await store.list_tokens(connection)]


async def revoke(connection: AsyncConnection, name: str) -> int:
    """Revoke the live tokens of that name, and all grants to it; return how many tokens there were.

    Whoever gets a token of the same name later is somebody else.
    """
    await store.delete_grants(connection, name)
    return await store.revoke_tokens(connection, name)
