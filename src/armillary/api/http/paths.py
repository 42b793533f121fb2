"""Paths as clients spell them: with several slashes in front, at their ends, or with encoded slashes inside."""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.types import Scope


def one_slash(path: str) -> str:
    """Return ``/jsonqastate/...`` for ``//jsonqastate/...``: clients join a server's address and a path."""
    return f"/{path.lstrip('/')}" if path.startswith("//") else path


def segments_below(scope: Scope, surface: str) -> list[str]:
    """Return the decoded segments of the path behind the name of a surface.

    The path is split before it is decoded, so that a segment may hold an encoded slash.
    """
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    parts = raw.decode("latin-1").split("/")
    return [unquote(part) for part in parts[parts.index(surface) + 1 :]]
