"""What all surfaces share that take a selection: reading it from the path, refusing it in their own form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote

from fastapi import Depends, Request, Response

from armillary.api.policy import Policy, principal_of
from armillary.archive.listing import Lister
from armillary.archive.selection import BadSelection, Selection, parse
from armillary.context import Context

TRUNCATED, UNRECOGNISED = "Armillary-Truncated", "Armillary-Unrecognised"
anybody = [Depends(Policy(None, cookies=("gemini_fits_authorization", "gemini_fits_upload_auth")))]
FAILURES: dict[int | str, dict[str, Any]] = {
    code: {"description": HTTPStatus(code).phrase} for code in (200, 400, 503)
}


def as_json(content: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """Return a reply with the bytes that ``json.dumps`` makes by default; clients compare them."""
    return Response(json.dumps(content), status, headers, "application/json")


def refusal(error: BadSelection) -> Response:
    """Answer a selection that cannot be understood."""
    body = {"error": error.message, "unrecognised": list(error.unrecognised)}
    return as_json(body, error.status)


def selection_of(request: Request, surface: str) -> Selection:
    """Return the selection in the path behind the name of a surface.

    The path is split before it is decoded, so that a segment may hold an encoded slash.

    Raises
    ------
    BadSelection
        If it cannot be understood.
    """
    context: Context = request.app.state.context
    settings = context.settings.archive
    raw: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    parts = raw.decode("latin-1").split("/")
    segments = [unquote(part) for part in parts[parts.index(surface) + 1 :]]
    today = context.clock.now().date()
    return parse(segments, today=today, summit=settings.summit, lenient=settings.lenient)


def lister_of(request: Request) -> Lister:
    """Return what lists rows for the one who asks."""
    context: Context = request.app.state.context
    return Lister(principal_of(request), context.clock.now().date(), context.settings.archive)


def reports(selection: Selection, *, truncated: bool | None = None) -> dict[str, str]:
    """Return the headers that say what is not in the answer, and what of the question was left out."""
    headers = {}
    if truncated is not None:
        headers[TRUNCATED] = "true" if truncated else "false"
    if selection.unrecognised:
        headers[UNRECOGNISED] = ", ".join(quote(segment, safe="=") for segment in selection.unrecognised)[
            :4000
        ]
    return headers
