"""Edits: what was edited, by whom, and how it ended; asking for edits, and taking them back."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from msgspec import Meta
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from armillary.api.http.answers import Answer, answered, answers
from armillary.api.http.body import documented, idempotency_key, read_body
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.discretion import without_paths
from armillary.api.http.values import plain
from armillary.api.native.routing import (
    REFUSALS,
    WRITE_REFUSALS,
    Word,
    auditors,
    editors,
    failures,
    storable_words,
)
from armillary.archive.errors import FileAmbiguous, FileNotFound
from armillary.archive.query.service import as_utc
from armillary.edits import service as edits
from armillary.edits.errors import (
    EditNotFound,
    ItemRefused,
    KeyReused,
    MalformedRequest,
    NothingToRevert,
    OutcomeUnknown,
)
from armillary.edits.models import AuditQuery, Origin, Outcome, Target
from armillary.edits.service import Key, RecordedEdit, request_of_words, rules_of, submit_edit, submit_revert
from armillary.errors import BadRequest, RequestTooLarge

router = APIRouter()
M = TypeVar("M", bound=BaseModel)
Limit = Annotated[int, Query(ge=1, le=edits.MAX_PAGE)]
Before = Annotated[int | None, Query(ge=1, lt=1 << 63, description="What the answer before said.")]
_EDIT = {
    "id": 7,
    "name": "N20260101S0001.fits",
    "order": 31,
    "request": "c6fe19b3-b461-447d-b243-049bfce50845",
    "item": 0,
    "actor": "observer",
    "address": "10.2.71.5",
    "why": "seeing was better than thought",
    "outcome": "changed",
    "error": None,
    "error_code": None,
    "cards": [{"extension": 0, "keyword": "RAWIQ", "old": "Any", "new": "70-percentile", "created": False}],
    "reverts": None,
    "reverted_by": None,
    "night": "2026-01-01",
    "version_before": 11,
    "version_after": 12,
    "data_md5_before": "0b9f9ab6ed7d5ed0c1ab9a3d0a9e7f21",
    "data_md5_after": "6f5902ac237024bdd0c176cb93063dc4",
    "file_md5_before": "0b9f9ab6ed7d5ed0c1ab9a3d0a9e7f21",
    "file_md5_after": "6f5902ac237024bdd0c176cb93063dc4",
    "accepted": "2026-01-01T05:00:00Z",
    "finished": "2026-01-01T05:00:01Z",
}
_ACCEPTED = {
    "name": "N20260101S0001.fits",
    "order": 31,
    "request": "c6fe19b3-b461-447d-b243-049bfce50845",
}


class Edits(Answer):
    """A page of edits, newest first."""

    edits: list[RecordedEdit]
    cursor: Annotated[int | None, Meta(description="What leads to the older ones; null on the last page.")]


class AcceptedEdit(Answer):
    """The work order of an edit that is accepted; a revert has no request."""

    name: str
    order: int
    request: UUID | None


class NewEdit(BaseModel):
    """A change of header cards of one file, in the words of `/update_headers`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "values": {"generic": {"RAWIQ": "70-percentile"}},
                "why": "a test",
                "reject_new": True,
            }
        },
    )

    values: dict[str, Any] = Field(description="Any of qa_state, raw_site, release and generic.")
    extension: int | str | list[int | str] | None = Field(None, description="HDU of what is in generic.")
    why: str = Field("", max_length=1000, description="Kept with the edit.")
    reject_new: bool | None = Field(False, description="Refuse keywords that are not there.")
    if_data_md5: str | None = Field(None, pattern="^[0-9a-f]{32}$")
    expect_data_md5: str | None = Field(None, pattern="^[0-9a-f]{32}$")


class NewRevert(BaseModel):
    """Why an edit is taken back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"why": "the wrong night"}})

    why: str = Field("", max_length=1000)


@router.get(
    "/v1/files/{name:path}/edits",
    dependencies=auditors,
    responses=answers(Edits, {"edits": [_EDIT], "cursor": None})
    | failures(FileNotFound, FileAmbiguous, *REFUSALS),
)
async def edits_of_file(
    ctx: Ctx, name: str, outcome: Outcome | None = None, limit: Limit = 100, cursor: Before = None
) -> JSONResponse:
    """List what was asked of a file, newest first: edits that changed it, that changed nothing, that failed."""
    async with ctx.context.database.begin() as connection:
        file_id = await edits.id_of_file(connection, name, ctx.principal, ctx.today)
    return await _audit(ctx, AuditQuery(file_id=file_id, outcome=outcome, before=cursor, limit=limit))


@router.get(
    "/v1/edits",
    dependencies=auditors,
    responses=answers(Edits, {"edits": [_EDIT], "cursor": 7}) | failures(BadRequest, *REFUSALS),
)
async def all_edits(
    ctx: Ctx,
    night: date | None = None,
    actor: Word = None,
    since: datetime | None = None,
    until: datetime | None = None,
    outcome: Outcome | None = None,
    limit: Limit = 100,
    cursor: Before = None,
) -> JSONResponse:
    """List edits of all files, newest first, by night of the file, actor, time and outcome."""
    storable_words(actor)
    query = AuditQuery(
        night=night,
        actor=actor,
        since=as_utc(since),
        until=as_utc(until),
        outcome=outcome,
        before=cursor,
        limit=limit,
    )
    return await _audit(ctx, query)


async def _audit(call: Call, query: AuditQuery) -> JSONResponse:
    async with call.context.database.begin() as connection:
        page = await edits.audit(connection, query, call.principal, today=call.today)
    body = plain(Edits(edits=page.edits, cursor=page.before))
    await without_paths(call, body["edits"], "error")
    return answered(body)


@router.post(
    "/v1/files/{name:path}/edits",
    dependencies=editors,
    status_code=HTTPStatus.ACCEPTED,
    openapi_extra=documented(NewEdit),
    responses=answers(AcceptedEdit, _ACCEPTED, status=202)
    | failures(
        BadRequest,
        MalformedRequest,
        FileNotFound,
        FileAmbiguous,
        KeyReused,
        RequestTooLarge,
        ItemRefused,
        OutcomeUnknown,
        *WRITE_REFUSALS,
    ),
)
async def edit_file(request: Request, ctx: Ctx, name: str) -> JSONResponse:
    """Ask for an edit; it is judged at once, accepted for good, and carried out by a worker.

    `Location` leads to the work order; `Idempotency-Key` makes a repetition harmless.
    """
    settings = ctx.context.settings.edits
    body = await read_body(request, settings.max_body)
    asked = _parsed(NewEdit, body)
    storable_words(asked.why)
    options = asked.model_dump(exclude={"values", "why"})
    wanted = request_of_words(Target(name), asked.values, rules_of(settings), **options)
    repeated = idempotency_key(request)
    key = Key(repeated, hashlib.sha256(f"{name}\n".encode() + body).digest()) if repeated else None
    origin = _origin(ctx, asked.why)
    accepted, request_id = await submit_edit(ctx.context, wanted, origin, key=key, viewer=ctx.principal)
    return _accepted(AcceptedEdit(name=name, order=accepted.order_id, request=request_id))


@router.post(
    "/v1/edits/{edit_id}/revert",
    dependencies=editors,
    status_code=HTTPStatus.ACCEPTED,
    openapi_extra=documented(NewRevert),
    responses=answers(AcceptedEdit, {**_ACCEPTED, "request": None}, status=202)
    | failures(BadRequest, MalformedRequest, EditNotFound, NothingToRevert, RequestTooLarge, *WRITE_REFUSALS),
)
async def revert_edit(request: Request, ctx: Ctx, edit_id: int) -> JSONResponse:
    """Ask for an edit to be taken back: byte for byte if it is the latest, else card by card."""
    if not 0 < edit_id < 1 << 63:
        raise EditNotFound(f"There is no edit {edit_id}; the list of edits tells their ids.")
    body = await read_body(request, ctx.context.settings.edits.max_body)
    asked = _parsed(NewRevert, body or b"{}")
    storable_words(asked.why)
    async with ctx.context.database.begin() as connection:
        file_id, name = await edits.file_of_edit(connection, edit_id, ctx.principal, ctx.today)
    order = await submit_revert(ctx.context, file_id, edit_id, _origin(ctx, asked.why))
    return _accepted(AcceptedEdit(name=name, order=order, request=None))


def _parsed(model: type[M], body: bytes) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        places = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors()]
        raise MalformedRequest("; ".join(places)) from None


def _origin(call: Call, why: str) -> Origin:
    return Origin(call.principal.name, call.address, why)


def _accepted(body: AcceptedEdit) -> JSONResponse:
    headers = {"Location": f"/v1/orders/{body.order}"}
    if body.request is not None:
        headers["Armillary-Request"] = str(body.request)
    return answered(body, HTTPStatus.ACCEPTED, headers)
