"""What scopes of tokens permit, and which of them are offered to new tokens."""

from __future__ import annotations

import pytest

from armillary.access.errors import ScopeNotOffered, UnknownScope
from armillary.access.models import LIMITABLE, OFFERED, Permission, Principal, Scope
from armillary.access.service import parse_scopes
from armillary.api.http.policy import Policy, policy_of, walk
from armillary.app import create_app


def policies() -> list[Policy]:
    return [policy for route in walk(create_app().routes) if (policy := policy_of(route)) is not None]


def test_what_is_offered_is_what_routes_ask_for() -> None:
    asked = {scope for policy in policies() if policy.scope for scope in (policy.scope, *policy.others)}
    assert asked == OFFERED
    limited = {policy.scope for policy in policies() if policy.on}
    assert limited == LIMITABLE


def test_a_permission_on_a_resource_covers_that_alone() -> None:
    one = Principal("one", frozenset({Permission(Scope.SITE, "ogg"), Permission(Scope.READ)}))
    assert one.may(Scope.SITE, on="ogg")
    assert not one.may(Scope.SITE, on="lsc")
    assert not one.may(Scope.SITE)
    assert not one.may(Scope.EDIT, on="ogg")
    assert one.may(Scope.READ)
    assert one.may(Scope.READ, on="lsc")


def test_an_administrator_of_a_resource_may_everything_there_and_nothing_elsewhere() -> None:
    one = Principal("one", frozenset({Permission(Scope.ADMIN, "ogg")}))
    assert [scope for scope in Scope if one.may(scope, on="ogg")] == list(Scope)
    assert [scope for scope in Scope if one.may(scope, on="lsc") or one.may(scope)] == []


@pytest.mark.parametrize("text", ["read", "site", "edit:ogg", "site:a:b c", "admin:ogg"])
def test_a_permission_is_its_text(text: str) -> None:
    assert str(Permission.of_text(text)) == text


@pytest.mark.parametrize("text", ["", "reed", "read:", ":ogg"])
def test_other_texts_are_no_permission(text: str) -> None:
    with pytest.raises(ValueError, match=r"resource|valid"):
        Permission.of_text(text)


def test_new_tokens_may_have_what_is_offered() -> None:
    assert parse_scopes(" Read, edit ,") == {Permission(Scope.READ), Permission(Scope.EDIT)}


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("", UnknownScope, "Name at least one scope: read, upload, edit, admin."),
        ("reed", UnknownScope, "Unknown scope 'reed'; .* Did you mean 'read'?"),
        ("edit:", UnknownScope, "leave the colon out"),
        ("site", ScopeNotOffered, "Nothing uses the scope 'site' yet; scopes are read, upload, edit, admin."),
        ("read,pipe", ScopeNotOffered, "Nothing uses the scope 'pipe' yet"),
        ("edit:ogg", ScopeNotOffered, "The scope 'edit' cannot be limited to 'ogg'"),
        ("admin:ogg", ScopeNotOffered, "The scope 'admin' cannot be limited to 'ogg'"),
    ],
)
def test_new_tokens_get_nothing_that_nobody_asks_for(text: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        parse_scopes(text)
