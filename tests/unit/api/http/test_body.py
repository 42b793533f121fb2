"""No body is read before it is known who sends it, and none without a limit."""

from __future__ import annotations

from fastapi.routing import APIRoute

from armillary.api.http.policy import walk
from armillary.app import create_app


def test_no_handler_declares_a_body_that_is_read_before_its_policy_is_asked() -> None:
    routes = [route for route in walk(create_app().routes) if isinstance(route, APIRoute)]
    assert len(routes) > 9
    assert [route.path for route in routes if route.body_field is not None] == []
