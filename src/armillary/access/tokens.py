"""Tokens: opaque secrets with scopes, of which only hashes are kept."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access import store
from armillary.access.audit import note_changes
from armillary.access.errors import TokenExists
from armillary.access.grantees import emails_of, groups_of
from armillary.access.grants import grants_from
from armillary.access.models import OPERATOR, Credentials, Grantee, Holder, Permission, Principal, Scope
from armillary.access.recent import Found, Recent, forget_everywhere
from armillary.base.database import afterwards
from armillary.base.signals import Subscription
from armillary.context import Context
from armillary.errors import BadRequest

PREFIX = "arm_"
MOST_NAME = 200
CHANNEL = "access"
"""Where triggers on tokens and grants say that something changed."""


def digest_of(secret: str) -> bytes:
    """Return what is stored of a secret; it has 256 bits, so one round of SHA-256 is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that is to be recorded: everything but its secret."""

    name: str
    scopes: tuple[str, ...]
    lifetime: timedelta | None = None
    emails: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def new_secret() -> str:
    """Return a secret that nobody has had before."""
    return PREFIX + secrets.token_urlsafe(32)


def new_token(
    name: str,
    scopes: Iterable[Scope | Permission],
    *,
    lifetime: timedelta | None = None,
    emails: Iterable[str] = (),
    groups: Iterable[str] = (),
) -> NewToken:
    """Return a token that can be recorded.

    Parameters
    ----------
    emails, groups
        Addresses of whoever bears it, which the operator vouches for, and groups that they belong to: what was
        granted to these is granted to the bearer.

    Raises
    ------
    BadRequest
        If it has no name, or one that is too long or cannot be shown.
    InvalidGrantee
        If one is no address, or no name of a group.
    """
    if not name.strip():
        raise BadRequest("Give the token a name: it signs the edits made with it.")
    if not name.isprintable():
        raise BadRequest(f"{name!r} holds characters that cannot be shown; choose another name.")
    if len(name) > MOST_NAME:
        raise BadRequest(f"The name of a token has at most {MOST_NAME} characters.")
    words = tuple(map(str, scopes))
    return NewToken(name, words, lifetime, tuple(emails_of(emails)), tuple(groups_of(groups)))


async def create_token(
    connection: AsyncConnection,
    name: str,
    scopes: Iterable[Scope | Permission],
    *,
    now: datetime,
    lifetime: timedelta | None = None,
    emails: Iterable[str] = (),
    groups: Iterable[str] = (),
) -> str:
    """Create a token as `new_token` does and return its secret, which cannot be shown again.

    Raises
    ------
    TokenExists
        If a live token bears the name.
    """
    secret, wanted = new_secret(), new_token(name, scopes, lifetime=lifetime, emails=emails, groups=groups)
    await record_token(connection, wanted, digest_of(secret), now=now)
    return secret


async def record_token(connection: AsyncConnection, new: NewToken, digest: bytes, *, now: datetime) -> None:
    """Record a token by the hash of its secret.

    Raises
    ------
    TokenExists
        If a live token bears the name.
    """
    await store.retire_expired(connection, new.name)
    try:
        # Whatever the caller's transaction has done so far stays when the name turns out to be taken.
        async with connection.begin_nested():
            await store.insert_token(
                connection,
                name=new.name,
                digest=digest,
                scopes=new.scopes,
                created=now,
                expires=now + new.lifetime if new.lifetime else None,
                emails=new.emails,
                groups=new.groups,
            )
    except IntegrityError:
        message = f"A token named '{new.name}' is in use; revoke it first or choose another name."
        raise TokenExists(message) from None


async def authenticate(connection: AsyncConnection, secret: str) -> Principal | None:
    """Return who bears the secret; None when it is unknown, expired or revoked."""
    found = await _find(connection, digest_of(secret))
    return found.principal if found else None


async def _find(connection: AsyncConnection, digest: bytes) -> Found | None:
    row = await store.find_token(connection, digest)
    if row is None:
        return None
    grants = grants_from(zip(row.kinds or (), row.subjects or (), row.levels or (), strict=True))
    return Found(Principal(row.name, frozenset(map(Permission.of_text, row.scopes)), grants), row.left_s)


class Tokens:
    """The authenticator that knows who bears which token."""

    def __init__(self) -> None:
        self.recent = Recent()

    def recall(self, secret: str, now_s: float) -> Principal | None:
        """Return who bears a token, if that was found out lately; ``now_s`` by the clock that never goes back."""
        return self.recent.find(digest_of(secret), now_s)

    async def identify(self, context: Context, shown: Credentials) -> Principal | None:
        """Return who bears the token that is shown."""
        # Web tokens have dots, and ours none: the database need not be asked for them.
        if not shown.secret or "." in shown.secret:
            return None
        digest, began_s = digest_of(shown.secret), context.clock.monotonic()
        if (known := self.recent.find(digest, began_s)) is not None:
            return known
        generation = self.recent.generation
        async with context.database.look() as connection:
            found = await _find(connection, digest)
        if found is None:
            return None
        seconds = context.settings.access.remember_s
        self.recent.keep(digest, found, began_s=began_s, seconds=seconds, generation=generation)
        return found.principal

    @asynccontextmanager
    async def following(self, context: Context, *others: Recent) -> AsyncIterator[None]:
        """Remember who bears which token, and forget it when the database says that something changed.

        The same holds for what other ways to find out who asks remember of grants.
        """
        if not context.settings.access.remember_s:
            yield
            return
        async with context.signals.subscribe(CHANNEL) as subscription:
            every = (self.recent, *others)
            for one in every:
                one.turn(on=True)
            follower = asyncio.create_task(_follow(subscription, every))
            try:
                yield
            finally:
                follower.cancel()
                with suppress(asyncio.CancelledError):
                    await follower


async def _follow(subscription: Subscription, every: Iterable[Recent]) -> None:
    try:
        # A message that there may have been others is as good a reason as any.
        async for _ in subscription:
            for one in every:
                one.forget()
    finally:
        for one in every:
            one.turn(on=False)


async def list_tokens(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Return name, scopes, times, addresses and groups of every token."""
    return [dict(row._mapping) for row in await store.list_tokens(connection)]


async def revoke(connection: AsyncConnection, name: str, *, now: datetime, actor: str = OPERATOR.name) -> int:
    """Revoke the live tokens of that name, and all grants to it; return how many tokens there were.

    Whoever gets a token of the same name later is somebody else. What was granted to addresses and groups stays.
    """
    afterwards(connection, forget_everywhere)
    taken = await store.delete_grants(connection, Grantee(Holder.TOKEN, name))
    await note_changes(connection, "taken", taken, actor=actor, origin="token revoked", now=now)
    return await store.revoke_tokens(connection, name)
