"""How the surfaces of FitsStorage say that something failed; clients compare these texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from fastapi import Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from armillary.api.http.failures import Failure
from armillary.api.http.problems import problem
from armillary.archive.errors import FileAmbiguous
from armillary.archive.query.errors import BadSelection
from armillary.base.database_errors import DatabaseFull
from armillary.errors import ArmillaryError, Unavailable

UPDATES = "/update_headers"
ALWAYS = {"Cache-Control": "no-cache", "Expired": "-1"}
NO_COOKIE = (
    '{ "error": "This resource can only be accessed by providing a valid magic cookie, '
    'which this request did not." }'
)


class MagicCookieMissing(ArmillaryError):
    """No valid cookie was shown."""

    code, status = "magic_cookie_missing", HTTPStatus.FORBIDDEN


def as_json(content: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """Return a reply with the bytes that ``json.dumps`` makes by default; clients compare them."""
    return Response(json.dumps(content), status, headers, "application/json")


def update_reply(
    content: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a reply of header updates, which nobody may keep; text is sent as it is."""
    text = content if isinstance(content, str) else json.dumps(content)
    return Response(text, status, {**ALWAYS, **(headers or {})}, "application/json")


def render(connection: HTTPConnection, failure: Failure) -> Response:
    """Return a failure in the form of its surface: header updates, lists, or a problem document."""
    path, method = connection.scope["path"], connection.scope.get("method", "GET")
    if path.removesuffix("/") == UPDATES and failure.status == HTTPStatus.METHOD_NOT_ALLOWED:
        text = f"method not allowed: {UPDATES}, {method}"
        return Response(text, failure.status, {**ALWAYS, "Allow": "POST"}, "text/html")
    if isinstance(failure.error, BadSelection):
        body = {"error": failure.error.message, "unrecognised": list(failure.error.unrecognised)}
        return as_json(body, failure.status)
    if isinstance(failure.error, FileAmbiguous):
        # As the old server answers for it.
        failure = replace(failure, status=HTTPStatus.BAD_REQUEST)
    if isinstance(failure.error, HTTPException) or not f"{path}/".startswith(f"{UPDATES}/"):
        return problem(connection, failure)
    return _of_update(failure, asked=method == "POST")


def _of_update(failure: Failure, *, asked: bool) -> Response:
    """Return a failure of a whole request that ``asked`` for header updates, or about one."""
    if isinstance(failure.error, MagicCookieMissing):
        return update_reply(NO_COOKIE, failure.status)
    status, reason = _explained(failure, asked=asked)
    if asked:
        return update_reply([{"result": False, "error": reason}], status, failure.headers)
    return update_reply({"error": reason}, status, failure.headers)


def _explained(failure: Failure, *, asked: bool) -> tuple[int, str]:
    """Return status and reason of a failure.

    Of a request that asked nothing is queued then, unless the error is OutcomeUnknown. What an earlier one
    queued is not concerned by the failure of a question about it.
    """
    what_now = "nothing was queued, try again." if asked else "ask again; what was queued stays queued."
    if failure.code == DatabaseFull.code:
        return failure.status, f"The database cannot write, since its disk is full; {what_now}"
    if isinstance(failure.error, RequestValidationError):
        places = [f"{one['loc'][-1]}: {one['msg']}" for one in failure.error.errors()]
        return HTTPStatus.BAD_REQUEST, "; ".join(places)
    if failure.is_ours:
        return failure.status, f"Internal error, which is logged; {what_now}"
    if failure.code == Unavailable.code and not failure.is_declared:
        return failure.status, f"The database is away; {what_now}"
    return failure.status, failure.message
