"""Paths with several slashes in front."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from armillary.api.http.dialect import Addressed, Dialects
from armillary.app import DIALECTS


async def passed_on(scope: dict[str, Any]) -> Scope:
    """Return the scope that the layer hands to the application."""
    seen: list[Scope] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def unused(*_args: Any) -> Any:
        raise AssertionError("nothing is received or sent")

    await Addressed(application, Dialects(DIALECTS))(scope, unused, unused)
    return seen[0]


@pytest.mark.parametrize("slashes", ["/", "//", "////"])
async def test_any_number_of_slashes_in_front_is_one(slashes: str) -> None:
    given = {"type": "http", "path": f"{slashes}v1//b/", "raw_path": f"{slashes}v1/%2Fb/".encode()}
    found = await passed_on(given)
    assert (found["path"], found["raw_path"]) == ("/v1//b/", b"/v1/%2Fb/")


async def test_other_scopes_are_left_alone() -> None:
    given = {"type": "lifespan"}
    assert await passed_on(given) is given
