"""What the routes of pages share: who may open them, and how forms are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from armillary.access.models import Scope
from armillary.api.http.body import read_body
from armillary.api.http.carriers import SESSION, Carriers
from armillary.api.http.policy import Policy
from armillary.errors import BadRequest

READERS = Carriers(cookies=(SESSION, "gemini_fits_authorization"))
"""The cookie of those who signed in, and that of the archive of before, which reads as it does elsewhere."""
anybody = [Depends(Policy(None))]
auditors = [Depends(Policy(Scope.READ, others=(Scope.EDIT,)))]
"""Those who may read everything, and those who may edit: they see who edited what, and why."""
editors = [Depends(Policy(Scope.EDIT))]
operators = [Depends(Policy(Scope.ADMIN))]
MAX_FORM, MAX_FIELDS = 1 << 20, 1000


def page_router() -> APIRouter:
    """Return a router for the views of a page."""
    return APIRouter(default_response_class=HTMLResponse)


def origin_of(request: Request) -> str:
    """Return the address of this server as the browser knows it, for commands to be copied."""
    return str(request.base_url).rstrip("/")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form that was sent, each with all its values."""

    fields: Mapping[str, list[str]] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """Return the first value of a field."""
        return self.fields.get(name, [default])[0]

    def all(self, name: str) -> list[str]:
        """Return every value of a field, as of check boxes."""
        return self.fields.get(name, [])


async def read_form(request: Request, *, most: int = MAX_FIELDS) -> Form:
    """Return the form that a page sent, of at most so many fields.

    Raises
    ------
    BadRequest
        If the body is no form in UTF-8, or has too many fields.
    RequestTooLarge
        If it has more than a megabyte.
    """
    body = await read_body(request, MAX_FORM)
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=most)
    except ValueError:
        raise BadRequest("The body is not the form of this page; load the page again and send it.") from None
    return Form(fields)
