"""What is answered: a status, a JSON body or none, headers; and refusals, which are answers that end a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An answer; without a ``body`` it is empty."""

    status: int = HTTPStatus.OK
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        return b"" if self.body is None else json.dumps(self.body).encode()


class Refused(Exception):
    """A request that ends here."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def unauthorized() -> Refused:
    """Return the one answer to everything that somebody may not do."""
    return Refused(Reply(HTTPStatus.UNAUTHORIZED))


def not_found() -> Refused:
    """Return the empty answer where nothing is."""
    return Refused(Reply(HTTPStatus.NOT_FOUND))


def not_allowed() -> Refused:
    """Return the empty answer to a method that a resource has not."""
    return Refused(Reply(HTTPStatus.METHOD_NOT_ALLOWED))


def bad(message: str) -> Refused:
    """Return the answer to what is wrong in the request as a whole: its JSON, limit, order or URI."""
    return Refused(Reply(HTTPStatus.BAD_REQUEST, {"error": message}))


def bad_field(resource: str, name: str, message: str) -> Refused:
    """Return the answer to a field that is not accepted."""
    return Refused(Reply(HTTPStatus.BAD_REQUEST, {resource: {name: [message]}}))


def broken(message: str) -> Refused:
    """Return the answer when the server fails."""
    return Refused(Reply(HTTPStatus.INTERNAL_SERVER_ERROR, {"error_message": message}))
