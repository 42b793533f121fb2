"""The base of every failure that a caller can meet, and the codes that all nouns share.

A failure is a class: its ``code`` is stable and documented, its ``status`` is what HTTP dialects send,
its docstring is the message when none is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import ClassVar


class ArmillaryError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    transient: ClassVar[bool] = False
    """Whether the same work may succeed later without anybody changing anything."""
    waits: ClassVar[bool] = False
    """Whether accepted work waits in its place until this has passed, however long: no attempt is counted."""

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        super().__init__(self.message)


def error_of(code: str | None, message: str | None) -> ArmillaryError:
    """Return the error that was written down by its code and message; a plain one if there is no such code."""
    kind = next((one for one in _kinds(ArmillaryError) if one.code == code), ArmillaryError)
    error = kind.__new__(kind)
    # Some kinds take other arguments, of which they make the message.
    ArmillaryError.__init__(error, message)
    return error


def _kinds(kind: type[ArmillaryError]) -> Iterator[type[ArmillaryError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _kinds(below)


class NotFound(ArmillaryError):
    """Not found."""

    code, status = "not_found", HTTPStatus.NOT_FOUND


class BadRequest(ArmillaryError):
    """Invalid request."""

    code, status = "bad_request", HTTPStatus.BAD_REQUEST


class RequestTooLarge(ArmillaryError):
    """The request is larger than this server takes; split it."""

    code, status = "request_too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Conflict(ArmillaryError):
    """The request conflicts with the current state."""

    code, status = "conflict", HTTPStatus.CONFLICT


class Forbidden(ArmillaryError):
    """Permission denied."""

    code, status = "forbidden", HTTPStatus.FORBIDDEN


class Unavailable(ArmillaryError):
    """A required service is unavailable; retry shortly."""

    code, status, transient = "unavailable", HTTPStatus.SERVICE_UNAVAILABLE, True
