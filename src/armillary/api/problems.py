"""Errors as problem documents (RFC 9457), the form of every route that has no dialect of its own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from armillary.api.discretion import said_to
from armillary.base.database import DatabaseFull, is_full, is_transient
from armillary.base.log import get_logger
from armillary.errors import ArmillaryError

log = get_logger(__name__)
MEDIA_TYPE = "application/problem+json"


_HEADERS: dict[int, dict[str, str]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "2"},
}


def problem(status: int, code: str, detail: str, **extra: Any) -> JSONResponse:
    """Return a problem document."""
    title = HTTPStatus(status).phrase
    body = {
        "type": f"urn:armillary:error:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    }
    return JSONResponse({**body, **extra}, status, _HEADERS.get(status), MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let the application answer every failure with a problem document."""

    @app.exception_handler(ArmillaryError)
    async def declared(request: Request, error: ArmillaryError) -> JSONResponse:
        return problem(error.status, error.code, said_to(request, error.message))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        places = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_parameter", "; ".join(places))

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        code = HTTPStatus(error.status_code).name.lower()
        answer = problem(error.status_code, code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> JSONResponse:
        # Nobody reads this; it keeps what is no fault of ours out of the log.
        return problem(HTTPStatus.BAD_REQUEST, "client_disconnected", "The client went away.")

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        if is_full(error):
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, DatabaseFull.code, DatabaseFull().message)
        if is_transient(error):
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "The database is away; try again.")
        log.error("request failed", path=request.url.path, exc_info=error)
        return problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Something went wrong here; it is logged."
        )
