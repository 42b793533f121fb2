"""``POST /update_headers`` and its status resource (header-updates specification, section 2)."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from armillary.access.models import Scope
from armillary.api.gemini.errors import UPDATES, MagicCookieMissing, update_reply
from armillary.api.gemini.requests import element_of, parse_request, read_items
from armillary.api.gemini.status import document
from armillary.api.http.body import idempotency_key, read_body
from armillary.api.http.calls import Ctx
from armillary.api.http.carriers import Carriers
from armillary.api.http.discretion import without_paths
from armillary.api.http.policy import Policy
from armillary.edits.errors import UnknownRequest
from armillary.edits.models import EditRequest, Origin, Refused
from armillary.edits.service import Key, rules_of, status_of, submit_edits
from armillary.settings import EditSettings

router = APIRouter()
may_edit = Policy(Scope.EDIT, Carriers(("gemini_api_authorization",)), refusal=MagicCookieMissing)


_VALUE = {"type": ["string", "boolean", "integer", "number", "null"]}
_ITEM = {
    "type": "object",
    "description": "Either filename or data_label, and what to change.",
    "required": ["values"],
    "additionalProperties": False,
    "properties": {
        "filename": {"type": "string"},
        "data_label": {"type": "string"},
        "values": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "qa_state": {"type": "string"},
                "raw_site": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
                "release": {"type": "string", "format": "date"},
                "generic": {
                    "anyOf": [
                        {"type": "object", "additionalProperties": _VALUE},
                        {"type": "array", "items": {"type": "array", "minItems": 2, "maxItems": 2}},
                    ]
                },
            },
        },
        "reject_new": {"type": ["boolean", "null"]},
        "extension": {"type": ["integer", "string", "array", "null"]},
        "if_data_md5": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "expect_data_md5": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
}
_ITEMS = {"type": "array", "items": _ITEM}
_NEW_FORM = {
    "type": "object",
    "required": ["request"],
    "properties": {"request": _ITEMS, "batch": {"type": "boolean"}},
}
_DOCUMENTED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"anyOf": [_ITEMS, _NEW_FORM]},
                "example": [{"data_label": "GS-2023A-Q-136-121-001", "values": {"qa_state": "Pass"}}],
            }
        },
    }
}


@router.post(f"{UPDATES}/", dependencies=[Depends(may_edit)], include_in_schema=False)
@router.post(
    UPDATES,
    dependencies=[Depends(may_edit)],
    openapi_extra=_DOCUMENTED,
    response_class=Response,
    responses={code: {"description": HTTPStatus(code).phrase} for code in (200, 400, 403, 409, 413, 503)},
)
async def update_headers(request: Request, ctx: Ctx) -> Response:
    """Change header cards of files: judge every item, queue the good ones, answer for each."""
    settings, key = ctx.context.settings.edits, idempotency_key(request)
    body = await read_body(request, settings.max_body)
    # A large body takes long to read: other requests go on meanwhile.
    requests = await asyncio.to_thread(_requests_of, body, settings)
    origin = Origin(ctx.principal.name, ctx.address)
    repeatable = Key(key, hashlib.sha256(body).digest()) if key else None
    submission = await submit_edits(ctx.context, requests, origin, key=repeatable, viewer=ctx.principal)
    place = {"Armillary-Request": f"{submission.id}", "Location": f"{UPDATES}/{submission.id}"}
    reply = [element_of(answer) for answer in submission.answers]
    return update_reply(reply, headers=place if submission.id else {})


def _requests_of(body: bytes, settings: EditSettings) -> list[EditRequest | Refused]:
    raw = parse_request(body, max_items=settings.max_items, max_cards=settings.max_cards)
    # Clients of the old server know keywords of eight characters only.
    return read_items(raw, replace(rules_of(settings), hierarch=False))


@router.get(
    f"{UPDATES}/{{request_id}}",
    dependencies=[Depends(may_edit)],
    response_class=Response,
    responses={code: {"description": HTTPStatus(code).phrase} for code in (200, 400, 403, 404, 503)},
)
async def update_status(
    ctx: Ctx,
    request_id: str,
    wait: Annotated[float, Query(ge=0, allow_inf_nan=False, description="Seconds to wait for the end.")] = 0,
) -> Response:
    """Tell how the items of a request stand, after waiting for them if asked."""
    found = document(await status_of(ctx.context, _uuid(request_id), wait_s=wait, viewer=ctx.principal))
    await without_paths(ctx, found["items"], "error")
    return update_reply(found)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise UnknownRequest(f"There is no update request {text!r}.") from None
