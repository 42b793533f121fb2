"""What a request needs to be allowed for: a permission for its site or queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request

from armillary.access.models import Principal, Scope
from armillary.api.http.policy import Policy
from armillary.api.photon_ranch.parameters import Parameters, parameters_of

Resource = Callable[[Request, Parameters], str | None]


def in_path(name: str) -> Resource:
    """Return what finds the site or queue in the path."""
    return lambda request, _: str(request.path_params[name])


def in_parameters(*names: str) -> Resource:
    """Return what finds the site or queue among the parameters; None if it is not there, or no text."""

    def find(_: Request, parameters: Parameters) -> str | None:
        value = parameters.given(*names)
        return value if isinstance(value, str) else None

    return find


@dataclass(frozen=True, slots=True)
class Right(Policy):
    """The policy of a route: which permission it asks for, and for which site or queue.

    Parameters
    ----------
    resource
        Finds what the permission has to be for; without it a key that is limited to one counts for nothing.
    """

    resource: Resource | None = None

    async def __call__(self, request: Request) -> Principal:  # type: ignore[override]  # it reads the body
        """Return who asks, or refuse."""
        on = self.resource(request, await parameters_of(request)) if self.resource else None
        return await self.judge(request, on)


def reads() -> list[Any]:
    """Return the dependencies of a route that only tells something."""
    return [Depends(Right(None))]


def needs(scope: Scope, resource: Resource | None = None) -> list[Any]:
    """Return the dependencies of a route that changes something."""
    return [Depends(Right(scope, resource=resource))]
