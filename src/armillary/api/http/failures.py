"""What went wrong with a request, told once for all dialects; each renders it in its own form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from armillary.base.database_errors import DatabaseFull, is_full, is_transient
from armillary.errors import ArmillaryError, Unavailable

AGAIN = {"Retry-After": "2"}
_HEADERS: dict[int, dict[str, str]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.SERVICE_UNAVAILABLE: AGAIN,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as HTTP tells it: status, stable code, message, and headers that belong to the status."""

    status: int
    code: str
    message: str
    error: BaseException
    """What was raised, for dialects whose contract fixes a text of their own."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_declared(self) -> bool:
        """Whether the program raised it on purpose, with a message for whoever asked."""
        return isinstance(self.error, ArmillaryError)

    @property
    def is_ours(self) -> bool:
        """Whether the program is at fault, so that the error belongs in the log with its traceback."""
        return self.status == HTTPStatus.INTERNAL_SERVER_ERROR and not self.is_declared


def failure_of(error: BaseException) -> Failure:
    """Return what an exception means to the client."""
    match error:
        case ArmillaryError():
            again = AGAIN if error.transient else {}
            return _failure(error.status, error.code, error.message, error, again)
        case RequestValidationError():
            places = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
            return _failure(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_parameter", "; ".join(places), error)
        case HTTPException():
            code = HTTPStatus(error.status_code).name.lower()
            return _failure(error.status_code, code, str(error.detail), error, error.headers)
        case ClientDisconnect():
            # Nobody reads this; it keeps what is no fault of ours out of the log.
            return _failure(HTTPStatus.BAD_REQUEST, "client_disconnected", "The client went away.", error)
    if is_full(error):
        return _failure(DatabaseFull.status, DatabaseFull.code, DatabaseFull().message, error)
    if is_transient(error):
        text = "The database is away; try again."
        return _failure(Unavailable.status, Unavailable.code, text, error)
    text = "Something went wrong here; it is logged."
    return _failure(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", text, error)


def _failure(
    status: int, code: str, message: str, error: BaseException, headers: Mapping[str, str] | None = None
) -> Failure:
    return Failure(int(status), code, message, error, {**_HEADERS.get(status, {}), **(headers or {})})
