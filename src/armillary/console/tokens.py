"""Tokens for administrators: who may do what, new ones, and their ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from armillary.access import service as access
from armillary.access.errors import TokenExists
from armillary.access.models import Scope
from armillary.api.http.calls import Call, Ctx
from armillary.base.work import Outcome, wait_for
from armillary.console.rendering import page
from armillary.console.routing import Form, operators, page_router, read_form
from armillary.console.sessions import refuse_other_sites
from armillary.errors import ArmillaryError, BadRequest, NotFound, Unavailable

router = page_router()
PATIENCE_S = 10.0
"""For how long a page waits for a worker."""
MOST_DAYS = 100_000
USES: Mapping[Scope, str] = {
    Scope.READ: "reads everything, before its release too",
    Scope.UPLOAD: "sends files",
    Scope.INGEST: "takes in files that are on disks of the archive",
    Scope.EDIT: "changes headers",
    Scope.CONFIG: "configures sites",
    Scope.NOTE: "writes night logs",
    Scope.ROOM: "keeps control rooms",
    Scope.PIPE_PRODUCE: "puts items into queues",
    Scope.PIPE_CONSUME: "takes items out of queues",
    Scope.PIPE_ADMIN: "makes and clears queues",
    Scope.OPERATOR: "commands header services and reads telemetry",
    Scope.ADMIN: "does everything, and makes tokens",
}
"""What tokens are for, in the words of the form; abbreviations of several are left out."""


@router.get("/tokens", dependencies=operators)
async def tokens(request: Request, ctx: Ctx) -> Response:
    """Show all tokens, and a form for a new one."""
    return await _shown(request, ctx)


@router.post("/tokens", dependencies=operators)
async def create(request: Request, ctx: Ctx) -> Response:
    """Create a token, and show its secret this one time."""
    refuse_other_sites(request)
    form = await read_form(request)
    try:
        order, secret = await _ask(ctx, form)
        ended = await _await(ctx, order)
        if ended and not ended.response.ok:
            raise (TokenExists if ended.response.code == TokenExists.code else Unavailable)(
                ended.response.error
            )
    except ArmillaryError as error:
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return await _shown(request, ctx, form=form, refused=error, status=error.status)
    made = {"name": form.text("name"), "secret": secret, "order": None if ended else order}
    answer = await _shown(request, ctx, made=made)
    # Not even the way back shows a secret again.
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post("/tokens/revoke", dependencies=operators)
async def revoke(request: Request, ctx: Ctx) -> Response:
    """Revoke a token and all that was granted to it."""
    refuse_other_sites(request)
    name = (await read_form(request)).text("name")
    if not name.isprintable():
        raise NotFound("No token has such a name; /tokens lists those that are in use.")
    async with ctx.context.database.begin() as connection:
        order = await access.ask_to_revoke(connection, name, actor=ctx.principal.name)
    ended = await _await(ctx, order)
    value: Any = ended.response.value if ended else None
    if value and not value["revoked"]:
        raise NotFound(f"No token named '{name[:200]}' is in use; /tokens lists those that are.")
    return RedirectResponse("/tokens", HTTPStatus.SEE_OTHER)


async def _ask(ctx: Call, form: Form) -> tuple[int, str]:
    """Ask for the token that a form describes."""
    scopes = access.parse_scopes(",".join(form.all("scope")), form.text("only"))
    async with ctx.context.database.begin() as connection:
        return await access.ask_to_create(
            connection,
            form.text("name"),
            scopes,
            actor=ctx.principal.name,
            lifetime=_lifetime(form.text("days").strip()),
            emails=_words(form.text("emails")),
            groups=_words(form.text("groups")),
        )


def _lifetime(text: str) -> timedelta | None:
    if not text:
        return None
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days < MOST_DAYS:
        raise BadRequest("The lifetime should be a positive number of days, or empty.")
    return timedelta(days=days)


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", text) if word]


async def _await(ctx: Call, order: int) -> Outcome | None:
    ended = await wait_for(ctx.context.database, ctx.context.signals, [order], PATIENCE_S)
    return ended.get(order)


async def _shown(
    request: Request,
    ctx: Call,
    *,
    form: Form | None = None,
    refused: ArmillaryError | None = None,
    made: Mapping[str, Any] | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    async with ctx.context.database.begin() as connection:
        known = await access.list_tokens(connection)
    now = ctx.context.clock.now()
    ended = [one for one in known if one["revoked"] or (one["expires"] and one["expires"] <= now)]
    values = {
        "live": [one for one in known if one not in ended],
        "ended": ended,
        "uses": USES,
        "form": form or Form(),
        "refused": refused,
        "made": made,
    }
    return page(request, "tokens.html", values, status=status)
