"""Replies as clients of Photon Ranch read them: objects and lists as JSON, texts as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Response

from armillary.errors import ArmillaryError


class Refused(ArmillaryError):
    """The request cannot be served; the text of the reply says why."""

    # The text is the whole body of the reply, which clients may compare; ``told`` is its status.
    code, status = "refused", HTTPStatus.BAD_REQUEST

    def __init__(self, text: str | None = None, told: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(text)
        self.told = told


def as_json(content: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """Return an object or a list as JSON; what is no number in JSON is an error of ours."""
    return Response(json.dumps(content, allow_nan=False), status, headers, "application/json")


def raw(text: str, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """Return a text as it is, unquoted."""
    return Response(text, status, headers, "text/plain")


def nothing(headers: Mapping[str, str] | None = None) -> Response:
    """Return an empty reply: there is nothing to tell, or it is done."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
