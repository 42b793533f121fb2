"""Who may use a route: by mode, by what it asks for, and by what is said of it alone."""

from __future__ import annotations

import pytest

from armillary.access.errors import UnknownRoute
from armillary.access.models import Scope
from armillary.access.modes import Door, Mode, Rules

READ, WRITE, NOTE, KNOWN = "GET /image/{name}", "POST /upload", "POST /nightlog/{site}", "POST /known"
ROUTES = {
    READ: (Scope.READ, False),
    WRITE: (Scope.UPLOAD, False),
    NOTE: (Scope.NOTE, True),
    KNOWN: (None, True),
}


def opened(rules: Rules) -> set[str]:
    return {name for name, (scope, guarded) in ROUTES.items() if rules.opens(name, scope, guarded=guarded)}


@pytest.mark.parametrize(
    ("mode", "anonymous_read", "expected"),
    [
        (Mode.OPEN, True, {READ, WRITE, NOTE, KNOWN}),
        (Mode.OPEN, False, {READ, WRITE, NOTE, KNOWN}),
        (Mode.COMPAT, True, {READ, WRITE}),
        (Mode.COMPAT, False, {READ, WRITE}),
        (Mode.ENFORCED, True, {READ}),
        (Mode.ENFORCED, False, set()),
    ],
)
def test_a_mode_opens_these_routes(mode: Mode, anonymous_read: bool, expected: set[str]) -> None:
    assert opened(Rules(mode, anonymous_read)) == expected


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("route", ROUTES)
def test_a_single_route_is_opened_or_closed_and_no_other(mode: Mode, route: str) -> None:
    usual = opened(Rules(mode))
    assert opened(Rules(mode, routes={route: Door.OPEN})) == usual | {route}
    assert opened(Rules(mode, routes={route: Door.CLOSED})) == usual - {route}


def test_nothing_is_open_that_nobody_opened() -> None:
    assert opened(Rules()) == {READ}


def test_a_route_that_does_not_exist_is_refused_with_the_nearest() -> None:
    Rules(routes={WRITE: Door.OPEN}).refuse_unknown(ROUTES)
    with pytest.raises(UnknownRoute, match=r"'POST /uploads', .* Did you mean 'POST /upload'\?"):
        Rules(routes={"POST /uploads": Door.OPEN}).refuse_unknown(ROUTES)
    with pytest.raises(UnknownRoute, match="See the routes"):
        Rules(routes={"§": Door.OPEN}).refuse_unknown(ROUTES)
