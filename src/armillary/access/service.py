"""Tokens: opaque secrets with scopes, of which only hashes are kept; and grants before release."""

from __future__ import annotations

import difflib
import hashlib
import secrets
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, cast, get_args

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access import store
from armillary.access.errors import ScopeNotOffered, TokenExists, UnknownScope
from armillary.access.models import ANYBODY, LIMITABLE, OFFERED, Grants, Permission, Principal, Scope
from armillary.errors import BadRequest

PREFIX = "arm_"
GrantKind = Literal["program", "observation", "instrument", "file"]


def parse_scopes(text: str) -> frozenset[Permission]:
    """Read a comma-separated list of scopes for a new token: ``action`` or ``action:resource``.

    Raises
    ------
    UnknownScope
        With the nearest valid word.
    ScopeNotOffered
        If nothing asks for it, so that the token would not do what its owner expects.
    """
    words = [word for part in text.split(",") if (word := part.strip())]
    if not words:
        raise UnknownScope(f"Name at least one scope: {', '.join(_offered())}.")
    return frozenset(map(_parse_scope, words))


def _parse_scope(word: str) -> Permission:
    action, colon, resource = (part.strip() for part in word.partition(":"))
    action = action.lower()
    if action not in list(Scope):
        near = difflib.get_close_matches(action, _offered(), n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise UnknownScope(f"Unknown scope '{action}'; scopes are {', '.join(_offered())}.{hint}")
    if action not in OFFERED:
        raise ScopeNotOffered(f"Nothing uses the scope '{action}' yet; scopes are {', '.join(_offered())}.")
    if colon and not resource:
        raise UnknownScope(f"'{word}' names nothing after the colon; leave the colon out.")
    if colon and action not in LIMITABLE:
        raise ScopeNotOffered(
            f"The scope '{action}' cannot be limited to '{resource}': no route tells such things apart yet."
        )
    return Permission(Scope(action), resource if colon else None)


def _offered() -> list[str]:
    return [str(scope) for scope in Scope if scope in OFFERED]


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


async def authenticate(connection: AsyncConnection, secret: str | None) -> Principal:
    """Return who bears the secret; anybody when it is missing, unknown, expired or revoked."""
    if not secret:
        return ANYBODY
    row = await store.find_token(connection, digest_of(secret))
    if row is None:
        return ANYBODY
    grants = _grants(zip(row.kinds or (), row.subjects or (), strict=True))
    return Principal(row.name, frozenset(map(Permission.of_text, row.scopes)), grants)


async def grants_of(connection: AsyncConnection, name: str) -> Grants:
    """Return what a principal may read before its release."""
    return _grants((row.kind, row.subject) for row in await store.list_grants(connection, name))


def _grants(given: Iterable[tuple[str, str]]) -> Grants:
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
    await store.insert_grant(connection, principal=name, kind=kind, subject=subject, granted=now)


async def ungrant(connection: AsyncConnection, name: str, kind: GrantKind, subject: str) -> int:
    """Take a grant back; return how many there were."""
    return await store.delete_grants(connection, name, kind=kind, subject=subject)


async def list_tokens(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Return name, scopes and times of every token."""
    return [dict(row._mapping) for row in await store.list_tokens(connection)]


async def revoke(connection: AsyncConnection, name: str) -> int:
    """Revoke the live tokens of that name, and all grants to it; return how many tokens there were.

    Whoever gets a token of the same name later is somebody else.
    """
    await store.delete_grants(connection, name)
    return await store.revoke_tokens(connection, name)
