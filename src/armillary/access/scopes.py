"""The scopes of new tokens, as people write them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from armillary.access.errors import ScopeNotLimitable, UnknownScope
from armillary.access.models import LIMITABLE, Permission, Scope


def parse_scopes(text: str, sites: str = "") -> frozenset[Permission]:
    """Read comma-separated scopes for a new token: ``action`` or ``action:resource``.

    Parameters
    ----------
    sites
        Comma-separated sites or queues that actions without a resource of their own are limited to.

    Raises
    ------
    UnknownScope
        With the nearest valid word.
    ScopeNotLimitable
        If no route tells resources apart for an action that is to be limited to one.
    """
    words, resources = _words(text), _words(sites)
    if not words:
        raise UnknownScope(f"Name at least one scope: {', '.join(Scope)}.")
    if sites and not resources:
        raise UnknownScope("Name at least one site, or leave --site out: the token is for all sites then.")
    return frozenset(one for word in words for one in _parse_scope(word, resources))


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]


def _parse_scope(word: str, resources: Iterable[str]) -> list[Permission]:
    action, colon, own = (part.strip() for part in word.partition(":"))
    action = action.lower()
    if action not in list(Scope):
        near = difflib.get_close_matches(action, list(Scope), n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise UnknownScope(f"Unknown scope '{action}'; scopes are {', '.join(Scope)}.{hint}")
    if colon and not own:
        raise UnknownScope(f"'{word}' names nothing after the colon; leave the colon out.")
    limits = [own] if own else list(resources)
    return [_limited(Scope(action), one) for one in limits] or [Permission(Scope(action))]


def _limited(action: Scope, resource: str) -> Permission:
    if action not in LIMITABLE:
        raise ScopeNotLimitable(
            f"The scope '{action}' cannot be limited to '{resource}': no route tells such things apart."
            " Create a token of its own for it, without --site."
        )
    if not resource.isprintable():
        raise UnknownScope(f"{resource!r} holds characters that no site or queue can have.")
    return Permission(action, resource)
