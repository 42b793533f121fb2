"""New tokens and their ends, asked for by pages: the web may not write who may do what, so a worker does.

The secret of a new token never leaves the process that shows it; the order bears its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.kinds import CREATE, REVOKE
from armillary.access.models import Permission, Scope
from armillary.access.tokens import NewToken, digest_of, new_secret, new_token, record_token, revoke
from armillary.base.log import get_logger
from armillary.base.work import Claim, JsonObject, Response, ask
from armillary.context import Context
from armillary.errors import ArmillaryError

log = get_logger(__name__)
AT_ONCE = 2_000_000_000
"""A priority before all others: somebody waits."""


async def ask_to_create(
    connection: AsyncConnection,
    name: str,
    scopes: Iterable[Scope | Permission],
    *,
    actor: str,
    lifetime: timedelta | None = None,
    emails: Iterable[str] = (),
    groups: Iterable[str] = (),
) -> tuple[int, str]:
    """Ask a worker to record a new token; return the order that does, and the secret, which nobody else has.

    Raises
    ------
    BadRequest, InvalidGrantee
        As `new_token` does.
    """
    new, secret = new_token(name, scopes, lifetime=lifetime, emails=emails, groups=groups), new_secret()
    args: JsonObject = {
        "name": new.name,
        "scopes": list(new.scopes),
        "lifetime_s": lifetime.total_seconds() if lifetime else None,
        "emails": list(new.emails),
        "groups": list(new.groups),
        "digest": digest_of(secret).hex(),
    }
    return await ask(connection, CREATE, args, actor=actor, priority=AT_ONCE), secret


async def ask_to_revoke(connection: AsyncConnection, name: str, *, actor: str) -> int:
    """Ask a worker to revoke the live tokens of a name, with all grants to it; return the order that does."""
    return await ask(connection, REVOKE, {"name": name}, actor=actor, priority=AT_ONCE)


async def create_tokens(context: Context, claims: Sequence[Claim]) -> None:
    """Record a new token by the hash of its secret."""
    (claim,) = claims
    args: Any = claim.order.args
    seconds = args["lifetime_s"]
    lifetime = None if seconds is None else timedelta(seconds=seconds)
    new = NewToken(
        args["name"], tuple(args["scopes"]), lifetime, tuple(args["emails"]), tuple(args["groups"])
    )
    try:
        async with claim.completing() as connection:
            await record_token(connection, new, bytes.fromhex(args["digest"]), now=context.clock.now())
    except ArmillaryError as error:
        await claim.fail(error)
        return
    log.info("token created", token_name=new.name, scopes=new.scopes, actor=claim.order.actor)


async def revoke_tokens(context: Context, claims: Sequence[Claim]) -> None:
    """Revoke the live tokens of a name."""
    (claim,) = claims
    name, actor = str(claim.order.args["name"]), claim.order.actor
    responses: dict[int, Response] = {}
    async with claim.completing(responses) as connection:
        count = await revoke(connection, name, now=context.clock.now(), actor=actor)
        responses[claim.order.id] = Response(value={"revoked": count})
    log.info("token revoked", token_name=name, count=count, actor=actor)
