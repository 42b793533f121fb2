"""What the headers of a request say, by name: looked through once, for all layers and the route."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Scope

_STATE = "headers"


def headers_of(scope: Scope) -> Mapping[bytes, bytes]:
    """Return the headers of a connection by name, in small letters; of several of a name the first counts."""
    state = scope.setdefault("state", {})
    found: Mapping[bytes, bytes] | None = state.get(_STATE)
    if found is None:
        # Backwards, since the last one of a name stays.
        found = state[_STATE] = dict(scope["headers"][::-1])
    return found
