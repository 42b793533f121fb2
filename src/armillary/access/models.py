"""Who is asking, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """What a token is for."""

    READ = "read"
    UPLOAD = "upload"
    EDIT = "edit"
    SITE = "site"
    PIPE = "pipe"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Grants:
    """What a person may read before its release date."""

    programs: frozenset[str] = frozenset()
    observations: frozenset[str] = frozenset()
    instruments: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody known by a token; nobody in particular when ``name`` is empty."""

    name: str = ""
    scopes: frozenset[Scope] = frozenset()
    grants: Grants = field(default_factory=Grants)

    def may(self, scope: Scope) -> bool:
        """Tell whether a token of this scope, or of an administrator, was shown."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


ANYBODY = Principal()
OPERATOR = Principal("operator", frozenset(Scope))
"""The owner of the data directory, at the command line."""
