"""What claims mean: names, roles, permissions, and from when to when."""

from __future__ import annotations

import math
from typing import Any

import pytest

from armillary.access.claims import (
    email_in,
    find_claim,
    groups_in,
    is_in_force,
    name_in,
    permissions_of,
    roles_in,
)
from armillary.access.models import Permission, Scope
from armillary.access.modes import Mode
from armillary.settings.auth import JwtSettings

PATH = ("https://photonranch.org/user_metadata", "roles")


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({PATH[0]: {"roles": ["admin", "user"]}}, {"admin", "user"}),
        ({PATH[0]: {"roles": "admin"}}, {"admin"}),
        ({PATH[0]: {"roles": [1, None, "user", ["x"]]}}, {"user"}),
        ({PATH[0]: {"roles": {"admin": True}}}, set()),
        ({PATH[0]: {"roles": True}}, set()),
        ({PATH[0]: {"roles": []}}, set()),
        ({PATH[0]: {"roles": None}}, None),
        ({PATH[0]: ["roles"]}, None),
        ({PATH[0]: "roles"}, None),
        ({"https://photonranch": {"org/user_metadata": {"roles": ["admin"]}}}, None),
        ({"roles": ["admin"]}, None),
        ({}, None),
    ],
)
def test_roles_are_found_at_their_path(claims: dict[str, Any], expected: set[str] | None) -> None:
    assert roles_in(claims, PATH) == expected


def test_a_claim_is_found_at_any_depth() -> None:
    assert find_claim({"a.b": {"c/d": {"": 7}}}, ("a.b", "c/d", "")) == 7
    assert find_claim({"a": 1}, ()) == {"a": 1}


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"sub": "auth0|7", "email": "ann@example.org"}, "ann@example.org"),
        ({"sub": "auth0|7", "email": ["x"]}, "auth0|7"),
        ({"sub": "auth0|7", "email": " \n"}, "auth0|7"),
        ({"sub": "a\x00n\nn" + "x" * 500}, "ann" + "x" * 197),
        ({"sub": ""}, ""),
        ({}, ""),
    ],
)
def test_a_name_is_text_that_can_be_kept(claims: dict[str, Any], expected: str) -> None:
    assert name_in(claims, ("email",)) == expected


SETTINGS = JwtSettings.model_validate(
    {
        "issuer": "https://x.example",
        "audience": ["a"],
        "roles": {
            "admin": {"scopes": ["admin"]},
            "observer": {"scopes": ["note", "read"], "sites": ["saf", "mrc"]},
        },
    }
)
ROOMS = {Permission(Scope.NOTE), Permission(Scope.ROOM)}


@pytest.mark.parametrize(
    ("roles", "mode", "expected"),
    [
        ([], Mode.ENFORCED, set()),
        (["stranger", "*"], Mode.ENFORCED, set()),
        (["admin"], Mode.ENFORCED, {Permission(Scope.ADMIN)}),
        (
            ["observer"],
            Mode.ENFORCED,
            {Permission(scope, site) for scope in (Scope.NOTE, Scope.READ) for site in ("saf", "mrc")},
        ),
        ([], Mode.COMPAT, ROOMS),
        (["admin"], Mode.COMPAT, {Permission(Scope.ADMIN), *ROOMS}),
        ([], Mode.OPEN, set()),
    ],
)
def test_roles_permit_what_settings_say(roles: list[str], mode: Mode, expected: set[Permission]) -> None:
    assert permissions_of(roles, SETTINGS, mode) == expected


@pytest.mark.parametrize("mode", Mode)
def test_settings_say_what_everybody_may(mode: Mode) -> None:
    settings = SETTINGS.model_copy(update={"roles": {"*": SETTINGS.roles["observer"]}})
    assert permissions_of([], settings, mode) == permissions_of(["observer"], SETTINGS, Mode.ENFORCED)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"exp": 101}, True),
        ({"exp": 100.5}, True),
        ({"exp": 100}, False),
        ({"exp": 99}, False),
        ({"exp": 101, "nbf": 100}, True),
        ({"exp": 101, "nbf": 100.5}, False),
        ({"exp": 10**400}, False),
        ({"exp": math.nan}, False),
        ({"exp": math.inf}, True),
        ({"exp": 101, "nbf": math.nan}, False),
        ({"exp": 101, "nbf": None}, False),
        ({"exp": "101"}, False),
        ({"exp": True}, False),
        ({"nbf": 1}, False),
    ],
)
def test_a_token_is_in_force_between_its_instants(claims: dict[str, Any], expected: bool) -> None:
    assert is_in_force(claims, 100.0, 0.0) is expected


def test_clocks_may_differ() -> None:
    assert is_in_force({"exp": 98}, 100.0, 3.0)
    assert not is_in_force({"exp": 97}, 100.0, 3.0)
    assert is_in_force({"exp": 200, "nbf": 103}, 100.0, 3.0)
    assert not is_in_force({"exp": 200, "nbf": 104}, 100.0, 3.0)


@pytest.mark.parametrize(
    "broken",
    [
        {"issuer": "https://x.example"},
        {"issuer": "http://x.example", "audience": ["a"]},
        {"issuer": "x.example", "audience": ["a"]},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"claim": []},
        {"roles": {"admin": {"scopes": []}}},
        {"roles": {"admin": {"scopes": ["sleep"]}}},
        {"issuers": "https://x.example"},
    ],
)
def test_settings_that_would_let_in_too_many_or_nobody_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        JwtSettings.model_validate(broken)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"email": "Ann@Sun.Example", "email_verified": True}, "ann@sun.example"),
        ({"email": "ann@sun.example", "email_verified": False}, None),
        ({"email": "ann@sun.example", "email_verified": "true"}, None),
        ({"email": "ann@sun.example", "email_verified": 1}, None),
        ({"email": "ann@sun.example"}, None),
        ({"email_verified": True}, None),
        ({"email": ["ann@sun.example"], "email_verified": True}, None),
        ({"email": "ann", "email_verified": True}, None),
    ],
)
def test_an_address_counts_if_the_issuer_has_verified_it(
    claims: dict[str, Any], expected: str | None
) -> None:
    assert email_in(claims, JwtSettings()) == expected


def test_groups_are_told_where_settings_say() -> None:
    claims = {"groups": ["swedish", "", 7, "a\nb"], "roles": ["admin"]}
    assert groups_in(claims, JwtSettings()) == frozenset()
    assert groups_in(claims, JwtSettings(groups_claim=("groups",))) == {"swedish"}
    assert groups_in({}, JwtSettings(groups_claim=("groups",))) == frozenset()
