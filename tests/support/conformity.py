"""Answers held against what the OpenAPI document of the program says of them."""

from __future__ import annotations

import functools
import re
import warnings
from datetime import timedelta
from typing import Any

import httpx

from armillary.app import create_app

PARAMETER = re.compile(r"{(\w+)}")
TYPED = ("application/json", "application/problem+json")


@functools.cache
def documented() -> Any:
    """Return the document as schemathesis reads it."""
    # Only here: it takes seconds, and many tests ask for no answer that is described.
    import schemathesis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return schemathesis.openapi.from_dict(create_app().openapi())


@functools.cache
def checks() -> list[Any]:
    """Return the checks: status and media type are documented, the body is valid by its schema."""
    from schemathesis.specs.openapi import checks as known

    return [known.status_code_conformance, known.content_type_conformance, known.response_schema_conformance]


def check(response: httpx.Response) -> None:
    """Hold the answer of a `/v1` route against the document; streams and files are not read for it.

    Raises
    ------
    ExceptionGroup
        Of what is not as documented.
    """
    request, media = response.request, response.headers.get("content-type")
    if request.url.path.startswith("/v1/"):
        body = response.read() if media in TYPED else None
        hold(request.method, str(request.url), response.status_code, media, body)


def hold(method: str, url: str, status: int, media: str | None, body: bytes | None) -> None:
    """Hold an answer against the document: status, media type, and the body if it is given.

    Raises
    ------
    ExceptionGroup
        Of what is not as documented.
    """
    request = httpx.Request(method, url)
    operation = documented().find_operation_by_path(method, request.url.path)
    if operation is None:
        return
    headers = {"content-type": media} if media else {}
    seen = httpx.Response(status, headers=headers, content=body or b"", request=request)
    seen.elapsed = timedelta(0)
    case = operation.Case(path_parameters=dict.fromkeys(PARAMETER.findall(operation.path), "x"))
    case.validate_response(seen, checks=checks() if body is not None else checks()[:2])
