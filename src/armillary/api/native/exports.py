"""Exports to other servers: what waits and why, what is there, sending more, another try."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from armillary.access.models import Scope
from armillary.api.native.routing import FAILURES
from armillary.api.policy import Policy, principal_of
from armillary.archive.names import storable
from armillary.context import Context
from armillary.errors import BadRequest
from armillary.exports import service

router = APIRouter()
operators = [Depends(Policy(Scope.ADMIN))]
_RESPONSES: dict[int | str, dict[str, Any]] = {
    **FAILURES,
    401: {"description": HTTPStatus(401).phrase},
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


@router.get("/v1/exports", dependencies=operators, responses=_RESPONSES)
async def exports(
    request: Request,
    destination: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=service.MOST_SHOWN)] = 100,
) -> JSONResponse:
    """List exports that wait, oldest first, and what destinations have, latest first."""
    context: Context = request.app.state.context
    _check(destination)
    async with context.database.begin() as connection:
        found = await service.overview(connection, destination, limit)
    return JSONResponse({kind: [_plain(row) for row in rows] for kind, rows in found.items()})


@router.get("/v1/exports/destinations", dependencies=operators, responses=_RESPONSES)
async def destinations(request: Request) -> JSONResponse:
    """List the destinations, how many exports wait for each, and which ones do not answer."""
    context: Context = request.app.state.context
    async with context.database.begin() as connection:
        found = await service.destinations(connection)
    return JSONResponse({"destinations": [_plain(service.destination_json(one)) for one in found]})


@router.post("/v1/exports", dependencies=operators, responses=_RESPONSES, status_code=HTTPStatus.ACCEPTED)
async def send(request: Request, body: Send) -> JSONResponse:
    """Send the present files that a selection finds to a destination; answer with the work order."""
    context: Context = request.app.state.context
    _check(body.destination, *body.selection)
    async with context.database.begin() as connection:
        order = await service.ask_for_selection(
            connection, context, body.destination, body.selection, actor=principal_of(request).name
        )
    return JSONResponse({"order": order}, HTTPStatus.ACCEPTED)


@router.post(
    "/v1/exports/retry", dependencies=operators, responses=_RESPONSES, status_code=HTTPStatus.ACCEPTED
)
async def retry(request: Request, body: Again) -> JSONResponse:
    """Try waiting exports again now; answer with the work order."""
    context: Context = request.app.state.context
    _check(body.destination)
    async with context.database.begin() as connection:
        order = await service.ask_for_retry(connection, body.destination, actor=principal_of(request).name)
    return JSONResponse({"order": order}, HTTPStatus.ACCEPTED)


def _check(*texts: str | None) -> None:
    if not all(storable(text) for text in texts if text is not None):
        raise BadRequest("A name in the request holds characters that no name has.")


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: _instant(value) if isinstance(value, datetime) else value for key, value in row.items()}


def _instant(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
