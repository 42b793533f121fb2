"""How the interface of Photon Ranch says that something failed."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Response
from fastapi.exceptions import RequestValidationError
from starlette.requests import HTTPConnection

from armillary.api.http.failures import Failure
from armillary.api.photon_ranch.replies import Refused, as_json, raw

_MESSAGES = {
    HTTPStatus.UNAUTHORIZED: "Unauthorized",
    HTTPStatus.FORBIDDEN: "Forbidden",
    HTTPStatus.NOT_FOUND: "Not Found",
    HTTPStatus.METHOD_NOT_ALLOWED: "Method Not Allowed",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Internal server error",
}
"""Messages that are fixed, where no text of a route is."""


def render(connection: HTTPConnection, failure: Failure) -> Response:
    """Return a failure: the raw text of a refusal, else an object with a message.

    The text ``Missing Authentication Token`` is never among them: the observatory's program exits on it.
    """
    if isinstance(failure.error, Refused):
        return raw(failure.message, failure.error.told, failure.headers)
    if isinstance(failure.error, RequestValidationError):
        return raw(failure.message, HTTPStatus.BAD_REQUEST)
    if failure.is_declared and failure.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
        return raw(failure.message, HTTPStatus.BAD_REQUEST)
    text = _MESSAGES.get(HTTPStatus(failure.status), failure.message)
    return as_json({"message": text}, failure.status, failure.headers)
