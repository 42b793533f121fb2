"""Exports to other servers: what waits and why, what is there, sending more, another try."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from armillary.access.models import Scope
from armillary.api.http.body import documented, parsed
from armillary.api.http.calls import Ctx
from armillary.api.http.policy import Policy
from armillary.api.native.routing import REFUSALS, answers, failures
from armillary.base.text import storable
from armillary.errors import BadRequest, Forbidden, NotFound, RequestTooLarge
from armillary.exports import service
from armillary.exports.models import MOST_SHOWN

router = APIRouter()
operators = [Depends(Policy(Scope.ADMIN))]
_RESPONSES: dict[int | str, dict[str, Any]] = {
    **failures(BadRequest, Forbidden, NotFound, RequestTooLarge, *REFUSALS),
}
_WAITING = {
    "id": 40,
    "destination": "archive",
    "path": "20260101",
    "name": "N20260101S0001.fits",
    "state": "Queued",
    "attempts": 1,
    "not_before": "2026-01-01T05:05:00Z",
    "added": "2026-01-01T05:00:00Z",
    "error": "http://archive.example/upload_file/...: 503",
}
_ENDED = {
    "destination": "archive",
    "path": "20260101",
    "name": "N20260101S0002.fits",
    "version_id": 12,
    "data_md5": "6f5902ac237024bdd0c176cb93063dc4",
    "how": "header",
    "sent_bytes": 412,
    "exported": "2026-01-01T05:00:02Z",
}
_DESTINATION = {
    "name": "archive",
    "url": "https://archive.example",
    "pattern": "N2*",
    "active": True,
    "away_until": None,
    "error": None,
    "waiting": 1,
}
_Name = Annotated[str, Field(max_length=40)]


class Send(BaseModel):
    """Files to be sent to a destination."""

    model_config = ConfigDict(extra="forbid")

    destination: _Name
    selection: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(min_length=1, max_length=100)]


class Again(BaseModel):
    """Whose exports to try again; of all destinations unless one is named."""

    model_config = ConfigDict(extra="forbid")

    destination: _Name | None = None


@router.get(
    "/v1/exports",
    dependencies=operators,
    responses=answers({"waiting": [_WAITING], "ended": [_ENDED]}) | _RESPONSES,
)
async def exports(
    ctx: Ctx,
    destination: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = 100,
) -> JSONResponse:
    """List exports that wait, oldest first, and what destinations have, latest first."""
    _check(destination)
    async with ctx.context.database.begin() as connection:
        found = await service.overview(connection, destination, limit)
    return JSONResponse({kind: [_plain(row) for row in rows] for kind, rows in found.items()})


@router.get(
    "/v1/exports/destinations",
    dependencies=operators,
    responses=answers({"destinations": [_DESTINATION]}) | _RESPONSES,
)
async def destinations(ctx: Ctx) -> JSONResponse:
    """List the destinations, how many exports wait for each, and which ones do not answer."""
    async with ctx.context.database.begin() as connection:
        found = await service.destinations(connection)
    return JSONResponse({"destinations": [_plain(service.destination_json(one)) for one in found]})


@router.post(
    "/v1/exports",
    dependencies=operators,
    openapi_extra=documented(Send),
    responses=answers({"order": 41}, status=202) | _RESPONSES,
    status_code=HTTPStatus.ACCEPTED,
)
async def send(ctx: Ctx, body: Annotated[Send, Depends(parsed(Send))]) -> JSONResponse:
    """Send the present files that a selection finds to a destination; answer with the work order."""
    _check(body.destination, *body.selection)
    async with ctx.context.database.begin() as connection:
        order = await service.ask_for_selection(
            connection, ctx.context, body.destination, body.selection, actor=ctx.principal.name
        )
    return JSONResponse({"order": order}, HTTPStatus.ACCEPTED)


@router.post(
    "/v1/exports/retry",
    dependencies=operators,
    openapi_extra=documented(Again),
    responses=answers({"order": 42}, status=202) | _RESPONSES,
    status_code=HTTPStatus.ACCEPTED,
)
async def retry(ctx: Ctx, body: Annotated[Again, Depends(parsed(Again))]) -> JSONResponse:
    """Try waiting exports again now; answer with the work order."""
    _check(body.destination)
    async with ctx.context.database.begin() as connection:
        order = await service.ask_for_retry(connection, body.destination, actor=ctx.principal.name)
    return JSONResponse({"order": order}, HTTPStatus.ACCEPTED)


def _check(*texts: str | None) -> None:
    if not all(storable(text) for text in texts if text is not None):
        raise BadRequest("A name in the request holds characters that no name has.")


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: _instant(value) if isinstance(value, datetime) else value for key, value in row.items()}


def _instant(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
