"""Errors as problem documents (RFC 9457), the form of every dialect that has none of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import Response
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from armillary.api.http.answers import Answer, Documented, Schema, Typed
from armillary.api.http.failures import Failure
from armillary.api.http.values import plain

MEDIA_TYPE = "application/problem+json"


class Problem(Answer):
    """What went wrong with a request."""

    type: str
    title: str
    status: int
    code: Annotated[str, msgspec.Meta(description="Stable; the reference lists all codes.")]
    detail: Annotated[str, msgspec.Meta(description="What is wrong, and what to do.")]


def problem(connection: HTTPConnection, failure: Failure) -> Response:
    """Return a failure as a problem document."""
    body = _problem(failure.status, failure.code, failure.message)
    return JSONResponse(plain(body), failure.status, failure.headers, MEDIA_TYPE)


def problems(status: int, examples: Mapping[str, str], others: Iterable[str] = ()) -> Documented:
    """Return the documentation of the problems of one status: messages by code, and codes without an example."""
    codes = list(dict.fromkeys((*examples, *others)))

    def shape(schema: Schema) -> Schema:
        return {"allOf": [schema, {"properties": {"status": {"const": status}, "code": {"enum": codes}}}]}

    content: dict[str, Any] = {"schema": Typed(Problem, shape=shape)}
    if examples:
        shown = {code: plain(_problem(status, code, text)) for code, text in examples.items()}
        content["examples"] = {code: {"value": one} for code, one in shown.items()}
    return {status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: content}}}


def _problem(status: int, code: str, message: str) -> Problem:
    return Problem(
        type=f"urn:armillary:error:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=message,
    )
