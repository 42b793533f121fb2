"""What all surfaces share that take a selection: reading it from the path, refusing it in their own form."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import Depends, Request

from armillary.api.http.calls import Call
from armillary.api.http.carriers import Carriers
from armillary.api.http.paths import segments_below
from armillary.api.http.policy import Policy
from armillary.archive.query.models import Selection
from armillary.archive.query.service import Lister, parse

TRUNCATED, UNRECOGNISED = "Armillary-Truncated", "Armillary-Unrecognised"
DOWNLOADERS = Carriers(("gemini_fits_authorization",))
READERS = Carriers(("gemini_fits_authorization", "gemini_fits_upload_auth"))
anybody = [Depends(Policy(None))]
FAILURES: dict[int | str, dict[str, Any]] = {
    code: {"description": HTTPStatus(code).phrase} for code in (200, 400, 503)
}


def selection_of(request: Request, call: Call, surface: str) -> Selection:
    """Return the selection in the path behind the name of a surface.

    Raises
    ------
    BadSelection
        If it cannot be understood.
    """
    settings = call.context.settings.archive
    segments = segments_below(request.scope, surface)
    return parse(segments, today=call.today, summit=settings.summit, lenient=settings.lenient)


def lister_of(call: Call) -> Lister:
    """Return what lists rows for the one who asks."""
    return Lister(call.principal, call.today, call.context.settings.archive)


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
