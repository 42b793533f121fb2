"""What the native routes share: who may call them, how they fail, the kinds of their parameters."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Query

from armillary.api.policy import Policy

anybody = [Depends(Policy(None, cookies=("gemini_fits_authorization",)))]
FAILURES: dict[int | str, dict[str, Any]] = {
    code: {"description": HTTPStatus(code).phrase} for code in (400, 403, 404, 422)
}
Word = Annotated[str | None, Query(max_length=200)]
