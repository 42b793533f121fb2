"""How the interface of the SST archive says that something failed: by field, or with a detail."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Response
from starlette.requests import HTTPConnection

from armillary.api.http.failures import Failure
from armillary.errors import BadRequest


class BadFields(BadRequest):
    """Fields of the request cannot be used; the reply names each with the reason."""

    code = "bad_fields"

    def __init__(self, fields: Mapping[str, Sequence[str]] | str | None = None) -> None:
        if not isinstance(fields, Mapping):
            super().__init__(fields)
            self.fields: Mapping[str, Sequence[str]] = {"non_field_errors": [self.message]}
            return
        super().__init__("; ".join(f"{name}: {' '.join(told)}" for name, told in fields.items()))
        self.fields = fields

    @classmethod
    def of(cls, field: str, why: str) -> BadFields:
        """Return the refusal of one field."""
        return cls({field: [why]})


def as_json(content: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """Return an object or a list as JSON, which nobody may keep."""
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return Response(json.dumps(content, allow_nan=False), status, kept, "application/json")


def render(connection: HTTPConnection, failure: Failure) -> Response:
    """Return a failure: fields with their reasons where those are to blame, else an object with a detail."""
    if isinstance(failure.error, BadFields):
        return as_json(failure.error.fields, HTTPStatus.BAD_REQUEST)
    status = failure.status
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and failure.code == "invalid_parameter":
        status = HTTPStatus.BAD_REQUEST
    return as_json({"detail": failure.message, "code": failure.code}, status, failure.headers)
