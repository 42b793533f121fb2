"""How far an interface asks who its callers are: on no route, on few, or wherever something changes."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from armillary.access.errors import UnknownRoute
from armillary.access.models import Scope


class Mode(StrEnum):
    """What is asked of callers where no route of its own is opened or closed."""

    OPEN = "open"
    """Nothing; for development, or behind a wall."""
    COMPAT = "compat"
    """What the service that is replaced asks for: a few routes want somebody who is known."""
    ENFORCED = "enforced"
    """A permission for everything that changes something, and for reads where strangers may not read."""


class Door(StrEnum):
    """What is said of a single route, whatever the mode."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may use which routes.

    Parameters
    ----------
    mode
        What holds for all routes.
    anonymous_read
        Whether anybody may read where the mode is `enforced`.
    routes
        Single routes, as ``POST /upload``, that are open or closed whatever the mode is.
    """

    mode: Mode = Mode.ENFORCED
    anonymous_read: bool = True
    routes: Mapping[str, Door] = field(default_factory=dict)

    def opens(self, route: str, scope: Scope | None, *, guarded: bool = False) -> bool:
        """Tell whether anybody may use a route.

        Otherwise it takes somebody with the permission, or anybody who is known where it asks for none.

        Parameters
        ----------
        scope
            What the route asks for: READ of those that change nothing, None if being known is enough.
        guarded
            Whether the service that is replaced asks who its caller is.
        """
        if (said := self.routes.get(route)) is not None:
            return said is Door.OPEN
        match self.mode:
            case Mode.OPEN:
                return True
            case Mode.COMPAT:
                return not guarded
            case Mode.ENFORCED:
                return scope is Scope.READ and self.anonymous_read

    def refuse_unknown(self, routes: Collection[str]) -> None:
        """Check that all single routes exist: a word of which nothing is known would leave its route as it was.

        Raises
        ------
        UnknownRoute
            Naming the first that does not, and the nearest that does.
        """
        for one in self.routes:
            if one not in routes:
                near = difflib.get_close_matches(one, routes, n=1)
                hint = f"Did you mean '{near[0]}'?" if near else "See the routes in the reference."
                raise UnknownRoute(f"auth.routes names '{one}', and there is no such route. {hint}")
