"""The scopes of new tokens, as people write them."""

from __future__ import annotations

import difflib

from armillary.access.errors import ScopeNotOffered, UnknownScope
from armillary.access.models import LIMITABLE, OFFERED, Permission, Scope


def parse_scopes(text: str) -> frozenset[Permission]:
    """Read a comma-separated list of scopes for a new token: ``action`` or ``action:resource``.

    Raises
    ------
    UnknownScope
        With the nearest valid word.
    ScopeNotOffered
        If nothing asks for it, so that the token would not do what its owner expects.
    """
    words = [word for part in text.split(",") if (word := part.strip())]
    if not words:
        raise UnknownScope(f"Name at least one scope: {', '.join(_offered())}.")
    return frozenset(map(_parse_scope, words))


def _parse_scope(word: str) -> Permission:
    action, colon, resource = (part.strip() for part in word.partition(":"))
    action = action.lower()
    if action not in list(Scope):
        near = difflib.get_close_matches(action, _offered(), n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise UnknownScope(f"Unknown scope '{action}'; scopes are {', '.join(_offered())}.{hint}")
    if action not in OFFERED:
        raise ScopeNotOffered(f"Nothing uses the scope '{action}' yet; scopes are {', '.join(_offered())}.")
    if colon and not resource:
        raise UnknownScope(f"'{word}' names nothing after the colon; leave the colon out.")
    if colon and action not in LIMITABLE:
        raise ScopeNotOffered(
            f"The scope '{action}' cannot be limited to '{resource}': no route tells such things apart yet."
        )
    return Permission(Scope(action), resource if colon else None)


def _offered() -> list[str]:
    return [str(scope) for scope in Scope if scope in OFFERED]
