"""What was granted, for administrators: what is in force, who gave and took it, and what was read by it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from armillary.access import service
from armillary.access.errors import InvalidGrantee
from armillary.access.models import Grantee
from armillary.access.service import MOST_SHOWN, GivenGrant, GrantAudit
from armillary.api.http.answers import Answer, answered, answers
from armillary.api.http.calls import Ctx
from armillary.api.native.routing import REFUSALS, Word, failures, operators, storable_words
from armillary.archive.catalog import service as catalog
from armillary.archive.query.service import as_utc
from armillary.errors import BadRequest

router = APIRouter()
Name = Annotated[str | None, Query(max_length=300)]
Limit = Annotated[int, Query(ge=1, le=MOST_SHOWN)]
_FAILURES = failures(BadRequest, InvalidGrantee, *REFUSALS)
_HELD = {
    "holder": "email",
    "principal": "owner@sun.example",
    "kind": "file",
    "subject": "/7",
    "level": "open",
}
_CHANGE = {
    "at": "2026-01-01T05:00:00Z",
    "actor": "operator",
    "action": "given",
    **_HELD,
    "origin": "order 12",
}
_READ = {
    "at": "2026-01-01T06:00:00Z",
    "viewer": "owner",
    "reason": "canhaveit",
    "file_id": 7,
    "version_id": 12,
    "name": "N20260101S0001.fits",
    "first_byte": 0,
    "bytes": 8405760,
}


class GivenGrants(Answer):
    """Grants that are in force, oldest first."""

    grants: list[GivenGrant]


@router.get(
    "/v1/grants",
    dependencies=operators,
    responses=answers(GivenGrants, {"grants": [{**_HELD, "granted": "2026-01-01T05:00:00Z"}]}) | _FAILURES,
)
async def grants(
    ctx: Ctx,
    token: Name = None,
    email: Name = None,
    group: Name = None,
    kind: Word = None,
    subject: Name = None,
    limit: Limit = 1000,
) -> JSONResponse:
    """List grants that are in force: all, those to somebody, those of a kind, those of a subject."""
    storable_words(token, email, group, kind, subject)
    asked = any(one is not None for one in (token, email, group))
    to: Grantee | None = service.grantee_of(name=token, email=email, group=group) if asked else None
    chosen = service.grant_kind(kind) if kind is not None else None
    async with ctx.context.database.begin() as connection:
        subjects = await catalog.subjects_meant(connection, subject) if subject is not None else None
        found = await service.list_grants(connection, to=to, kind=chosen, subjects=subjects, limit=limit)
    return answered(GivenGrants(grants=found))


@router.get(
    "/v1/grants/audit",
    dependencies=operators,
    responses=answers(GrantAudit, {"changes": [_CHANGE], "reads": [_READ]}) | _FAILURES,
)
async def audit(
    ctx: Ctx,
    since: Annotated[datetime | None, Query(alias="from", description="UTC unless it says.")] = None,
    until: Annotated[datetime | None, Query(description="The same; not included.")] = None,
    who: Annotated[
        str | None, Query(max_length=300, description="Who gave, took or read, or to whom it was granted.")
    ] = None,
    kind: Word = None,
    subject: Name = None,
    limit: Limit = 100,
) -> JSONResponse:
    """List who gave and took grants, and which files were read by them before their release, latest first."""
    storable_words(who, kind, subject)
    chosen = service.grant_kind(kind) if kind is not None else None
    async with ctx.context.database.begin() as connection:
        subjects = await catalog.subjects_meant(connection, subject) if subject is not None else None
        found = await service.grant_audit(
            connection,
            since=as_utc(since),
            until=as_utc(until),
            who=who,
            kind=chosen,
            subjects=subjects,
            file_ids=catalog.ids_in(subjects) if subjects is not None else None,
            limit=limit,
        )
    return answered(found)
