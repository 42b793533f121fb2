"""How whole requests are refused before a route sees them, in the form that the clients of a path read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.responses import PlainTextResponse, Response

from armillary.api.problems import problem
from armillary.errors import ArmillaryError

Refusal = Callable[[str, int, str], Response]
"""How a dialect refuses: of the method, the status and the reason."""
Dialects = Mapping[str, Refusal]
"""Refusals by the path that a dialect has; all other paths speak in problem documents."""


def refusal_of(dialects: Dialects, method: str, path: str | None, error: ArmillaryError) -> Response:
    """Return the refusal of a request in the dialect of its path, or as plain text if no path is known."""
    answer = _in_dialect(dialects, method, path, error) if path else PlainTextResponse(f"{error.message}\n")
    answer.status_code = error.status
    answer.headers.setdefault("Cache-Control", "no-store")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    if error.transient:
        answer.headers["Retry-After"] = "2"
    return answer


def _in_dialect(dialects: Dialects, method: str, path: str, error: ArmillaryError) -> Response:
    for prefix, refusal in dialects.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return refusal(method, error.status, error.message)
    return problem(error.status, error.code, error.message)
