"""Pages that say what went wrong, and what to do."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Response
from starlette.requests import HTTPConnection

from armillary.api.http.failures import Failure
from armillary.console.rendering import is_part, page, part


def render_failure(connection: HTTPConnection, failure: Failure) -> Response:
    """Return the page about a failure, or the notice that a script puts into the page at hand.

    What is hidden and what is absent look alike: both are told by the same error.
    """
    values = {"failure": failure, "phrase": HTTPStatus(failure.status).phrase}
    if is_part(connection):
        return part(
            connection, "failure.html", "notice", values, status=failure.status, headers=failure.headers
        )
    return page(connection, "failure.html", values, status=failure.status, headers=failure.headers)
