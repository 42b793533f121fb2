"""Who is asking, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # Commands that only name an operator load no database.
    from armillary.context import Context


class Scope(StrEnum):
    """What a token is for: an action that routes ask for, or an abbreviation of several."""

    READ = "read"
    UPLOAD = "upload"
    INGEST = "ingest"
    EDIT = "edit"
    CONFIG = "config"
    NOTE = "note"
    ROOM = "room"
    PIPE_PRODUCE = "pipe.produce"
    PIPE_CONSUME = "pipe.consume"
    PIPE_ADMIN = "pipe.admin"
    OPERATOR = "operator"
    SITE = "site"
    PIPE = "pipe"
    ADMIN = "admin"


ABBREVIATIONS: Mapping[Scope, frozenset[Scope]] = {
    Scope.SITE: frozenset({Scope.CONFIG, Scope.NOTE, Scope.ROOM}),
    Scope.PIPE: frozenset({Scope.PIPE_PRODUCE, Scope.PIPE_CONSUME, Scope.PIPE_ADMIN}),
}
"""What scopes that no route asks for stand for."""
_ALLOWED: Mapping[Scope, frozenset[Scope]] = {
    one: frozenset(Scope) if one is Scope.ADMIN else ABBREVIATIONS.get(one, frozenset()) | {one}
    for one in Scope
}
LIMITABLE = frozenset(Scope) - {Scope.INGEST, Scope.EDIT, Scope.OPERATOR}
"""Actions that a route asks for on one site or queue: only for these can a token be limited to one."""


@dataclass(frozen=True, slots=True)
class Permission:
    """An action that somebody may take: on one resource, or on everything if none is named."""

    action: Scope
    resource: str | None = None

    def __str__(self) -> str:
        return self.action if self.resource is None else f"{self.action}:{self.resource}"

    @classmethod
    def of_text(cls, text: str) -> Permission:
        """Return what a scope of a token says: ``action``, or ``action:resource``.

        Raises
        ------
        ValueError
            If there is no such action, or the resource is empty.
        """
        action, colon, resource = text.partition(":")
        if colon and not resource:
            raise ValueError(f"{text!r} names no resource")
        return cls(Scope(action), resource if colon else None)

    def covers(self, action: Scope, on: str | None) -> bool:
        """Tell whether this allows an action; an administrator may do everything to the resource."""
        return action in _ALLOWED[self.action] and self.resource in (None, on)


class Level(StrEnum):
    """What is told of files that are not released to whoever shows nothing that lets read them."""

    HIDDEN = "hidden"
    """Nothing, as if they were not there."""
    METADATA = "metadata"
    """Their metadata, but no pixels, and no positions that are proprietary."""
    OPEN = "open"
    """Everything, unless a release date says otherwise."""


class Holder(StrEnum):
    """Who can hold a grant."""

    TOKEN = "token"  # noqa: S105  # a word for a kind, no secret
    """The bearer of the token of a name."""
    EMAIL = "email"
    """Whoever shows that an address is theirs, whether or not anybody knows them yet."""
    GROUP = "group"
    """Whoever shows that they belong to a group."""


@dataclass(frozen=True, slots=True)
class Grantee:
    """To whom something is granted."""

    holder: Holder
    name: str


BY_ID = "/"
"""Begins the subject of a grant that means a file by its id; no logical name has a slash."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """Programs, observations, instruments and files by their names."""

    programs: frozenset[str] = frozenset()
    observations: frozenset[str] = frozenset()
    instruments: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Grants:
    """What a person may read before its release date, and of what it is told the metadata where it is hidden."""

    programs: frozenset[str] = frozenset()
    observations: frozenset[str] = frozenset()
    instruments: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    metadata: Subjects = field(default_factory=Subjects)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who showed who it is; nobody in particular when ``name`` is empty."""

    name: str = ""
    permissions: frozenset[Permission] = frozenset()
    grants: Grants = field(default_factory=Grants)

    def may(self, action: Scope, *, on: str | None = None) -> bool:
        """Tell whether an action is permitted: on a resource, or on everything if none is named."""
        # A plain loop: every request asks, and a generator costs it more than the look.
        for one in self.permissions:  # noqa: SIM110
            if one.covers(action, on):
                return True
        return False


ANYBODY = Principal()
OPERATOR = Principal("operator", frozenset(map(Permission, Scope)))
"""The owner of the data directory, at the command line."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows of who sends it: one secret or none, and the address that it comes from.

    The address is empty if it is unknown, or if a page of another site lets the browser of somebody ask.
    """

    secret: str
    address: str


class Authenticator(Protocol):
    """A way to find out who asks.

    One that goes by the address needs no guard of its own against pages of other sites: requests that such pages
    ask for show none.
    """

    async def identify(self, context: Context, shown: Credentials) -> Principal | None:
        """Return who shows this, None if this way does not tell."""
        ...
