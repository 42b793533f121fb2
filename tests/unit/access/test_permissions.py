"""What scopes of tokens permit, and which of them are offered to new tokens."""

from __future__ import annotations

import pytest

from armillary.access.errors import ScopeNotLimitable, UnknownScope
from armillary.access.models import ABBREVIATIONS, LIMITABLE, Permission, Principal, Scope
from armillary.access.service import parse_scopes
from armillary.api.http.policy import Policy, policy_of, walk
from armillary.app import create_app


def policies() -> list[Policy]:
    return [policy for route in walk(create_app().routes) if (policy := policy_of(route)) is not None]


def test_routes_ask_for_single_actions_that_tokens_can_be_limited_to() -> None:
    asked = {scope for policy in policies() if policy.scope for scope in (policy.scope, *policy.others)}
    assert asked == set(Scope) - set(ABBREVIATIONS)
    assert {policy.scope for policy in policies() if policy.on} <= LIMITABLE


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


@pytest.mark.parametrize(("scope", "meant"), ABBREVIATIONS.items())
def test_an_abbreviation_permits_what_it_stands_for(scope: Scope, meant: frozenset[Scope]) -> None:
    one = Principal("one", frozenset({Permission(scope, "ogg")}))
    assert {other for other in Scope if one.may(other, on="ogg")} == {scope, *meant}
    assert not any(one.may(other, on="lsc") or one.may(other) for other in Scope)


def test_every_single_action_has_at_most_one_abbreviation() -> None:
    meant = [one for below in ABBREVIATIONS.values() for one in below]
    assert len(meant) == len(set(meant))
    assert set(meant).isdisjoint(ABBREVIATIONS)


def test_scopes_are_read_as_people_write_them() -> None:
    assert parse_scopes(" Read, edit ,") == {Permission(Scope.READ), Permission(Scope.EDIT)}
    assert parse_scopes("pipe.consume:saf") == {Permission(Scope.PIPE_CONSUME, "saf")}


def test_sites_limit_all_scopes_that_name_no_resource() -> None:
    assert parse_scopes("config,note:eco,pipe", " saf,mrc ") == {
        Permission(Scope.CONFIG, "saf"),
        Permission(Scope.CONFIG, "mrc"),
        Permission(Scope.NOTE, "eco"),
        Permission(Scope.PIPE, "saf"),
        Permission(Scope.PIPE, "mrc"),
    }


@pytest.mark.parametrize(
    ("text", "sites", "error", "said"),
    [
        ("", "", UnknownScope, "Name at least one scope: read, upload, ingest, edit, config"),
        ("reed", "", UnknownScope, "Unknown scope 'reed'; .* Did you mean 'read'?"),
        ("pipe.consumer", "", UnknownScope, "Did you mean 'pipe.consume'?"),
        ("edit:", "", UnknownScope, "leave the colon out"),
        ("config", ",", UnknownScope, "Name at least one site"),
        ("config", "sa\nf", UnknownScope, "holds characters"),
        ("edit:ogg", "", ScopeNotLimitable, "The scope 'edit' cannot be limited to 'ogg'"),
        ("upload,edit", "saf", ScopeNotLimitable, "The scope 'edit' cannot be limited to 'saf'"),
    ],
)
def test_new_tokens_get_nothing_that_no_route_understands(
    text: str, sites: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        parse_scopes(text, sites)
