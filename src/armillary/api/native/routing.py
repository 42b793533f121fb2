"""What the native routes share: who may call them, how they fail, the kinds of their parameters and answers."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from armillary.access.errors import ScopeMissing, Unauthorized
from armillary.access.models import Scope
from armillary.api.http.carriers import Carriers
from armillary.api.http.limits import TooManyRequests
from armillary.api.http.policy import Policy
from armillary.api.http.problems import MEDIA_TYPE
from armillary.base.text import storable
from armillary.errors import ArmillaryError, BadRequest, Forbidden, NotFound, Unavailable

anybody = [Depends(Policy(None, Carriers(("gemini_fits_authorization",))))]
auditors = [Depends(Policy(Scope.READ, others=(Scope.EDIT,)))]
"""Those who may read everything, and those who may edit: they see who edited what, and why."""
editors = [Depends(Policy(Scope.EDIT))]
operators = [Depends(Policy(Scope.ADMIN))]
NEGOTIATED = {"Vary": "Accept"}
"""What an answer says whose form depends on what the client accepts."""
Word = Annotated[str | None, Query(max_length=200)]
Documented = dict[int | str, dict[str, Any]]

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; the reference lists all codes."},
        "detail": {"type": "string", "description": "What is wrong, and what to do."},
    },
}


class UnknownParameter(ArmillaryError):
    """Unknown query parameter."""

    code, status = "unknown_parameter", HTTPStatus.UNPROCESSABLE_ENTITY


async def refuse_unknown_parameters(request: Request) -> None:
    """Refuse a query with parameters that the route does not have.

    Raises
    ------
    UnknownParameter
        Naming the first of them, and the nearest that there is.
    """
    route: APIRoute = request.scope["route"]
    known = tuple(_asked(route.dependant))
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known) or 'none'}."
            raise UnknownParameter(f"There is no parameter '{name[:100]}' here; {hint}")


def _asked(dependant: Dependant) -> Iterator[str]:
    yield from (one.alias for one in dependant.query_params)
    for below in dependant.dependencies:
        yield from _asked(below)


def failures(*errors: type[ArmillaryError]) -> Documented:
    """Return the documentation of problem documents: of these errors, and of those that every route may meet."""
    by_status: dict[int, list[type[ArmillaryError]]] = {}
    always: tuple[type[ArmillaryError], ...] = (TooManyRequests, Unavailable)
    for error in (*errors, *always):
        by_status.setdefault(int(error.status), []).append(error)
    documented: Documented = {
        status: _documented(status, {one.code: one().message for one in known})
        for status, known in sorted(by_status.items())
    }
    documented[422] = _documented(
        422,
        {
            "invalid_parameter": "query.limit: Input should be greater than or equal to 1",
            UnknownParameter.code: "There is no parameter 'instrment' here; did you mean 'instrument'?",
        },
    )
    return documented


def _documented(status: int, examples: Mapping[str, str]) -> dict[str, Any]:
    phrase = HTTPStatus(status).phrase
    codes = {"properties": {"code": {"enum": list(examples)}}}
    shown = {
        code: {
            "value": {
                "type": f"urn:armillary:error:{code}",
                "title": phrase,
                "status": status,
                "code": code,
                "detail": detail,
            }
        }
        for code, detail in examples.items()
    }
    content = {MEDIA_TYPE: {"schema": {"allOf": [_PROBLEM, codes]}, "examples": shown}}
    return {"description": phrase, "content": content}


def answers(example: Any, others: Mapping[str, str] | None = None, *, status: int = 200) -> Documented:
    """Return the documentation of a good answer: an example of its JSON, and one per other media type."""
    content: dict[str, Any] = {"application/json": {"schema": {"type": "object"}, "example": example}}
    content |= {
        media: {"schema": {"type": "string"}, "example": text} for media, text in (others or {}).items()
    }
    return {status: {"description": HTTPStatus(status).phrase, "content": content}}


REFUSALS = (Unauthorized, ScopeMissing)
FAILURES: Documented = failures(BadRequest, Forbidden, NotFound)


def storable_words(*texts: str | None) -> None:
    """Refuse what no column of text can hold, before the database does.

    Raises
    ------
    BadRequest
        Naming the word.
    """
    if bad := next((text for text in texts if text is not None and not storable(text)), None):
        raise BadRequest(f"{bad!r} holds characters that no name or header can have.")
