"""Errors as problem documents (RFC 9457), the form of every dialect that has none of its own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from armillary.api.http.failures import Failure

MEDIA_TYPE = "application/problem+json"


def problem(connection: HTTPConnection, failure: Failure) -> Response:
    """Return a failure as a problem document."""
    body: dict[str, Any] = {
        "type": f"urn:armillary:error:{failure.code}",
        "title": HTTPStatus(failure.status).phrase,
        "status": failure.status,
        "code": failure.code,
        "detail": failure.message,
    }
    return JSONResponse(body, failure.status, failure.headers, MEDIA_TYPE)
