"""What the claims of somebody who signed in elsewhere mean here: a name, roles, permissions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from armillary.access.errors import InvalidGrantee
from armillary.access.grantees import email_of, group_of
from armillary.access.models import Permission, Scope
from armillary.access.modes import Mode
from armillary.settings.auth import JwtSettings, RoleSettings

EVERYBODY = "*"
"""The role of whoever signed in."""
AS_DEPLOYED = RoleSettings(scopes=("note", "room"))
"""What the deployed service lets everybody do who signed in."""
MAX_NAME = 200


def find_claim(claims: Mapping[str, Any], path: Sequence[str]) -> Any:
    """Return what stands at a path of claims, from outside in; None if there is nothing.

    A name is compared as a whole: it may be an address, with dots and slashes.
    """
    found: Any = claims
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def roles_in(claims: Mapping[str, Any], path: Sequence[str]) -> frozenset[str] | None:
    """Return the roles that claims tell, one text or a list of them; None if they tell of none."""
    match find_claim(claims, path):
        case None:
            return None
        case str(role):
            return frozenset({role})
        case list(roles):
            return frozenset(role for role in roles if isinstance(role, str))
    return frozenset()


def name_in(claims: Mapping[str, Any], path: Sequence[str]) -> str:
    """Return the name that signs what somebody does: a claim, or else the subject, of printable characters."""
    for found in (find_claim(claims, path), claims.get("sub")):
        if isinstance(found, str) and (name := "".join(filter(str.isprintable, found)).strip()[:MAX_NAME]):
            return name
    return ""


def email_in(claims: Mapping[str, Any], settings: JwtSettings) -> str | None:
    """Return the address that the issuer has verified, as addresses are compared; None if there is none.

    OpenID Connect Core, section 5.1: the claim is a JSON boolean. What only looks like one proves nothing.
    """
    address = find_claim(claims, settings.email_claim)
    if not isinstance(address, str) or find_claim(claims, settings.verified_claim) is not True:
        return None
    try:
        return email_of(address)
    except InvalidGrantee:
        return None


def groups_in(claims: Mapping[str, Any], settings: JwtSettings) -> frozenset[str]:
    """Return the groups that claims tell of, if settings say where; what is no name of a group is left out."""
    told = roles_in(claims, settings.groups_claim) if settings.groups_claim else None
    return frozenset(name for one in told or () for name in _group(one))


def _group(text: str) -> tuple[str, ...]:
    try:
        return (group_of(text),)
    except InvalidGrantee:
        return ()


def permissions_of(roles: Iterable[str], settings: JwtSettings, mode: Mode) -> frozenset[Permission]:
    """Return what somebody with roles may do; roles of which settings say nothing permit nothing."""
    known: Mapping[str, RoleSettings] = settings.roles
    if mode is Mode.COMPAT:
        known = {EVERYBODY: AS_DEPLOYED, **known}
    held = [known[role] for role in {EVERYBODY, *roles} if role in known]
    return frozenset(
        Permission(Scope(scope), site)
        for one in held
        for scope in one.scopes
        for site in one.sites or (None,)
    )


def is_in_force(claims: Mapping[str, Any], now_s: float, leeway_s: float) -> bool:
    """Tell whether a token is neither over nor to come: RFC 7519, sections 4.1.4 and 4.1.5.

    Parameters
    ----------
    now_s
        Seconds since 1970.
    leeway_s
        How much the clocks may differ.
    """
    ends, begins = _instant(claims.get("exp")), _instant(claims.get("nbf", -math.inf))
    if ends is None or begins is None:
        return False
    return now_s < ends + leeway_s and begins - leeway_s <= now_s


def _instant(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
