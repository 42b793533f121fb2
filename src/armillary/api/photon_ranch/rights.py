"""What a request needs to be allowed for: a permission for its site or queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.datastructures import State
from starlette.routing import BaseRoute

from armillary.access.models import Principal, Scope
from armillary.access.service import Rules
from armillary.api.http.policy import Policy, policy_of
from armillary.api.photon_ranch.parameters import Parameters, parameters_of

Resource = Callable[[Request, Parameters], str | None]


@dataclass(frozen=True, slots=True)
class InPath:
    """Finds the site or queue in the path, so that the body is left to the route."""

    name: str

    def __call__(self, request: Request, _: Parameters) -> str:
        """Return the parameter of the path."""
        return self.of(request)

    def of(self, request: Request) -> str:
        """Return the parameter of the path."""
        return str(request.path_params[self.name])


def in_path(name: str) -> Resource:
    """Return what finds the site or queue in the path."""
    return InPath(name)


def in_parameters(*names: str) -> Resource:
    """Return what finds the site or queue among the parameters; None if it is not there, or no text."""

    def find(_: Request, parameters: Parameters) -> str | None:
        value = parameters.given(*names)
        return value if isinstance(value, str) else None

    return find


@dataclass(frozen=True, slots=True)
class Right(Policy):
    """The policy of a route: which permission it asks for, for which site or queue, unless the mode opens it.

    READ stands for routes that change nothing. A route without a scope asks only that somebody is known.

    Parameters
    ----------
    resource
        Finds what the permission has to be for; without it a key that is limited to one counts for nothing.
    guarded
        Whether the deployed service asks who its caller is, so that the mode `compat` does, too.
    """

    resource: Resource | None = None
    guarded: bool = False

    async def __call__(self, request: Request) -> Principal:  # type: ignore[override]  # it reads the body
        """Return who asks, or refuse."""
        resource = await self._resource_of(request)
        # A credential that is invalid is none: it closes no door that is open to anybody.
        principal = await self.learn(request, resource)
        rules: Rules = request.app.state.rules
        if rules.opens(_name(request.method, request.scope["route"]), self.scope, guarded=self.guarded):
            return principal
        return self.judge(principal, resource)

    @property
    def is_open(self) -> bool:
        """Whether anybody may use the route, unless a setting closes it."""
        return self.scope is Scope.READ

    async def _resource_of(self, request: Request) -> str | None:
        match self.resource:
            case None:
                return None
            # Where a body is no JSON, or large, its route says what is wrong with it.
            case InPath() as found:
                return found.of(request)
            case find:
                return find(request, await parameters_of(request))


def admission(route: APIRoute) -> Callable[[State, Principal, str | None], bool]:
    """Return what tells whether somebody may use a route, without a request."""
    right = policy_of(route)
    assert isinstance(right, Right)
    name = _name(min(route.methods or ()), route)

    def admits(state: State, principal: Principal, resource: str | None) -> bool:
        rules: Rules = state.rules
        opened = rules.opens(name, right.scope, guarded=right.guarded)
        return opened or right.lets_in(principal, resource)

    return admits


def permits(request: Request, principal: Principal, scope: Scope, site: str) -> bool:
    """Tell whether somebody whom a route has let in may do more than its right asks for."""
    rules: Rules = request.app.state.rules
    route = _name(request.method, request.scope["route"])
    return rules.opens(route, scope) or principal.may(scope, on=site)


def governed(routes: Iterable[BaseRoute]) -> frozenset[str]:
    """Return the names of the routes that modes govern, as settings write them."""
    return frozenset(
        _name(method, route)
        for route in routes
        if isinstance(policy_of(route), Right)
        for method in getattr(route, "methods", ())
    )


def _name(method: str, route: BaseRoute) -> str:
    # HEAD tells no more than GET.
    return f"{'GET' if method == 'HEAD' else method} {getattr(route, 'path', '')}"


def anybody() -> list[Any]:
    """Return the dependencies of a route that no mode closes: it tells nothing, or a signature opens it."""
    return [Depends(Policy(None))]


def reads(resource: Resource | None = None) -> list[Any]:
    """Return the dependencies of a route that only tells something."""
    return [Depends(Right(Scope.READ, resource=resource))]


def needs(scope: Scope | None, resource: Resource | None = None, *, guarded: bool = False) -> list[Any]:
    """Return the dependencies of a route that changes something; without a scope it needs anybody who is known."""
    return [Depends(Right(scope, resource=resource, guarded=guarded))]
