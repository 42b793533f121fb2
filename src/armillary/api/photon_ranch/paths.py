"""Paths as the clients of Photon Ranch spell them: below a prefix, with slashes too many, with a key in front."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_KEYED = re.compile(r"/+k/+([^/]+)(?=/|$)")
_SLASHES = re.compile(r"/{2,}")


def normaliser(prefixes: Sequence[str]) -> Callable[[str], str]:
    """Return what makes a path out of one that clients send.

    The key is taken out, runs of slashes become one, a slash at the end is dropped, and of the prefixes the
    longest that fits. A path without a prefix stays as it is if the empty one is among them, and leads nowhere
    otherwise.
    """
    known = sorted(filter(None, prefixes), key=len, reverse=True)
    bare = "" in prefixes

    def normalise(path: str) -> str:
        path = _SLASHES.sub("/", _without_key(path)).rstrip("/") or "/"
        for prefix in known:
            if path == prefix or path.startswith(f"{prefix}/"):
                return path.removeprefix(prefix) or "/"
        return path if bare else f"\n{path}"

    return normalise


def token_of(path: str) -> str:
    """Return the key that stands in front of a path, as in ``/k/KEY/api/upload``; empty if there is none."""
    found = _KEYED.match(path)
    return found[1] if found else ""


def _without_key(path: str) -> str:
    found = _KEYED.match(path)
    return path[found.end() :] if found else path
