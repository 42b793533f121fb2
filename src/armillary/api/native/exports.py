"""Exports to other servers: what waits and why, what is there, sending more, another try."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from armillary.api.http.answers import Answer, answered, answers
from armillary.api.http.body import documented, parsed
from armillary.api.http.calls import Ctx
from armillary.api.native.routing import (
    REFUSALS,
    SELECTION_REFUSALS,
    WRITE_REFUSALS,
    AskedOrder,
    failures,
    operators,
)
from armillary.base.text import storable
from armillary.errors import BadRequest, RequestTooLarge
from armillary.exports import service
from armillary.exports.documents import Destination, Exports
from armillary.exports.errors import UnknownDestination
from armillary.exports.models import MOST_SHOWN

router = APIRouter()
_FAILURES = failures(BadRequest, *REFUSALS)
_WRITE_FAILURES = failures(
    BadRequest, *SELECTION_REFUSALS, UnknownDestination, RequestTooLarge, *WRITE_REFUSALS
)
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
    "header_update": '[{"filename": "N20260101S0002.fits", "values": {"generic": [["RAWIQ", "Any"]]}}]',
    "md5_before_header_update": "0b9f9ab6ed7d5ed0c1ab9a3d0a9e7f21",
    "md5_after_header_update": "6f5902ac237024bdd0c176cb93063dc4",
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


class Destinations(Answer):
    """All destinations, by name."""

    destinations: list[Destination]


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
    responses=answers(Exports, {"waiting": [_WAITING], "ended": [_ENDED]}) | _FAILURES,
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
    return answered(found)


@router.get(
    "/v1/exports/destinations",
    dependencies=operators,
    responses=answers(Destinations, {"destinations": [_DESTINATION]}) | _FAILURES,
)
async def destinations(ctx: Ctx) -> JSONResponse:
    """List the destinations, how many exports wait for each, and which ones do not answer."""
    async with ctx.context.database.begin() as connection:
        found = await service.destinations(connection)
    return answered(Destinations(destinations=found))


@router.post(
    "/v1/exports",
    dependencies=operators,
    openapi_extra=documented(Send),
    responses=answers(AskedOrder, {"order": 41}, status=202) | _WRITE_FAILURES,
    status_code=HTTPStatus.ACCEPTED,
)
async def send(ctx: Ctx, body: Annotated[Send, Depends(parsed(Send))]) -> JSONResponse:
    """Send the present files that a selection finds to a destination; answer with the work order."""
    _check(body.destination, *body.selection)
    async with ctx.context.database.begin() as connection:
        order = await service.ask_for_selection(
            connection, ctx.context, body.destination, body.selection, actor=ctx.principal.name
        )
    return answered(AskedOrder(order=order), HTTPStatus.ACCEPTED)


@router.post(
    "/v1/exports/retry",
    dependencies=operators,
    openapi_extra=documented(Again),
    responses=answers(AskedOrder, {"order": 42}, status=202) | _WRITE_FAILURES,
    status_code=HTTPStatus.ACCEPTED,
)
async def retry(ctx: Ctx, body: Annotated[Again, Depends(parsed(Again))]) -> JSONResponse:
    """Try waiting exports again now; answer with the work order."""
    _check(body.destination)
    async with ctx.context.database.begin() as connection:
        order = await service.ask_for_retry(connection, body.destination, actor=ctx.principal.name)
    return answered(AskedOrder(order=order), HTTPStatus.ACCEPTED)


def _check(*texts: str | None) -> None:
    if not all(storable(text) for text in texts if text is not None):
        raise BadRequest("A name in the request holds characters that no name has.")
