"""``POST /update_headers`` and its status resource (header-updates specification, section 2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from armillary.access.models import Scope
from armillary.api.bodies import read_body
from armillary.api.discretion import said_to, without_paths
from armillary.api.policy import Policy, principal_of
from armillary.base.database import DatabaseFull, is_transient, reason_of
from armillary.base.log import get_logger
from armillary.context import Context
from armillary.edits import status
from armillary.edits.errors import UnknownRequest
from armillary.edits.models import Origin
from armillary.edits.service import accept
from armillary.errors import ArmillaryError, BadRequest

log = get_logger(__name__)
PATH = "/update_headers"
COOKIE = "gemini_api_authorization"
ALWAYS = {"Cache-Control": "no-cache", "Expired": "-1"}
NO_COOKIE = (
    '{ "error": "This resource can only be accessed by providing a valid magic cookie, '
    'which this request did not." }'
)


class MagicCookieMissing(ArmillaryError):
    """No valid cookie was shown."""

    code, status = "magic_cookie_missing", HTTPStatus.FORBIDDEN


class DialectRoute(APIRoute):
    """A route whose failures have the form of this dialect, wherever they happen."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except MagicCookieMissing:
                return _json(NO_COOKIE, HTTPStatus.FORBIDDEN)
            except ClientDisconnect:
                raise
            except Exception as error:
                code, reason = _explain(error, asked=request.method == "POST")
                return refused(request.method, code, said_to(request, reason))

        return answer


router = APIRouter(route_class=DialectRoute)
may_edit = Policy(Scope.EDIT, cookies=(COOKIE,), refusal=MagicCookieMissing)
anybody = Policy(None)


def _json(content: Any, status_code: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    # The defaults of json.dumps are the contract: clients compare raw text.
    text = content if isinstance(content, str) else json.dumps(content)
    return Response(text, status_code, {**ALWAYS, **(headers or {})}, "application/json")


def refused(method: str, status_code: int, reason: str) -> Response:
    """Return the refusal of a whole request in the form that the clients of this path read."""
    if method == "POST":
        return _json([{"result": False, "error": reason}], status_code)
    return _json({"error": reason}, status_code)


def _explain(error: Exception, *, asked: bool) -> tuple[int, str]:
    """Return status and reason of a failure, of a request that ``asked`` for updates, or about one.

    Of one that asked nothing is queued then, unless the error is OutcomeUnknown. What an earlier one queued is
    not concerned by the failure of a question about it.
    """
    what_now = "nothing was queued, try again." if asked else "ask again; what was queued stays queued."
    if isinstance(error, DatabaseFull):
        return error.status, f"The database cannot write, since its disk is full; {what_now}"
    if is_transient(error) and not isinstance(error, ArmillaryError):
        log.warning("database away", error=reason_of(error))
        return HTTPStatus.SERVICE_UNAVAILABLE, f"The database is away; {what_now}"
    match error:
        case ArmillaryError():
            return error.status, error.message
        case RequestValidationError():
            places = [f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()]
            return HTTPStatus.BAD_REQUEST, "; ".join(places)
    log.error("update request failed", exc_info=error)
    return HTTPStatus.INTERNAL_SERVER_ERROR, f"Internal error, which is logged; {what_now}"


async def _wrong_method(request: Request) -> Response:
    text = f"method not allowed: {PATH}, {request.method}"
    headers = {**ALWAYS, "Allow": "POST"}
    return Response(text, HTTPStatus.METHOD_NOT_ALLOWED, headers, "text/html")


for path in (PATH, f"{PATH}/"):
    router.add_api_route(
        path,
        _wrong_method,
        methods=["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"],
        dependencies=[Depends(anybody)],
        include_in_schema=False,
    )


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


@router.post(f"{PATH}/", dependencies=[Depends(may_edit)], include_in_schema=False)
@router.post(
    PATH,
    dependencies=[Depends(may_edit)],
    openapi_extra=_DOCUMENTED,
    response_class=Response,
    responses={code: {"description": HTTPStatus(code).phrase} for code in (200, 400, 403, 409, 413, 503)},
)
async def update_headers(request: Request) -> Response:
    """Change header cards of files: judge every item, queue the good ones, answer for each."""
    context: Context = request.app.state.context
    principal = principal_of(request)
    origin = Origin(principal.name, request.client.host if request.client else "")
    key = checked_key(request.headers.get("idempotency-key"))
    body = await read_body(request, context.settings.edits.max_body)
    accepted = await accept(context, body, origin, idempotency_key=key)
    headers = {}
    if accepted.request_id is not None:
        headers = {
            "Armillary-Request": str(accepted.request_id),
            "Location": f"{PATH}/{accepted.request_id}",
        }
    return _json(accepted.reply, headers=headers)


def checked_key(key: str | None) -> str | None:
    """Return an Idempotency-Key, or refuse one that no client should send."""
    if key is not None and not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
        raise BadRequest("Idempotency-Key should be 1 to 200 printable ASCII characters")
    return key


@router.get(
    f"{PATH}/{{request_id}}",
    dependencies=[Depends(may_edit)],
    response_class=Response,
    responses={code: {"description": HTTPStatus(code).phrase} for code in (200, 400, 403, 404, 503)},
)
async def update_status(
    request: Request,
    request_id: str,
    wait: Annotated[float, Query(ge=0, allow_inf_nan=False, description="Seconds to wait for the end.")] = 0,
) -> Response:
    """Tell how the items of a request stand, after waiting for them if asked."""
    context: Context = request.app.state.context
    viewer = principal_of(request)
    found = await status.document(context, _uuid(request_id), wait_s=wait, viewer=viewer)
    await without_paths(request, found["items"], "error")
    return _json(found)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise UnknownRequest(f"There is no update request {text!r}.") from None
