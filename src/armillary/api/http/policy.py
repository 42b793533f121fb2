"""Every route says who may use it; an application with a silent route refuses to start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from armillary.access.errors import ScopeMissing, Unauthorized
from armillary.access.models import ANYBODY, Authenticator, Principal, Scope
from armillary.api.http.carriers import Carriers
from armillary.api.http.dialect import dialect_of
from armillary.api.http.origins import is_cross_site, tells_origin
from armillary.errors import ArmillaryError


class UndeclaredRoute(ArmillaryError):
    """A route does not say who may use it."""

    code = "undeclared_route"


@dataclass(frozen=True, slots=True)
class Policy:
    """A dependency of a route, HTTP or WebSocket: it learns who asks and lets nobody in who may not.

    Parameters
    ----------
    scope
        What a token must be for; None lets anybody in, and says who it is if a token is shown.
    on
        Which parameter of the path names the resource that a token may be limited to. On a route without one,
        a token that is limited to a resource counts for nothing.
    carriers
        What may carry the token; by default what the dialect says.
    others
        Further scopes that will do.
    refusal
        What is raised instead of the general errors.
    """

    scope: Scope | None
    carriers: Carriers | None = None
    refusal: type[ArmillaryError] | None = None
    others: tuple[Scope, ...] = ()
    on: str | None = None

    async def __call__(self, connection: HTTPConnection) -> Principal:
        """Return who asks, or refuse."""
        resource = connection.path_params[self.on] if self.on else None
        principal = await self.learn(connection, resource)
        return principal if self.is_open else self.judge(principal, resource)

    @property
    def is_open(self) -> bool:
        """Whether anybody may use the route, unless a setting closes it."""
        return self.scope is None

    async def learn(self, connection: HTTPConnection, resource: str | None) -> Principal:
        """Return who asks for something about a resource, and let everything later know; refuse nobody."""
        principal = await self._principal(connection, resource)
        connection.state.principal = principal
        return principal

    def judge(self, principal: Principal, resource: str | None) -> Principal:
        """Return who asks, or refuse; where no scope is asked for, all may who are known."""
        if self.lets_in(principal, resource) or (self.scope is None and principal is not ANYBODY):
            return principal
        if self.refusal is not None:
            raise self.refusal
        if principal is ANYBODY:
            raise Unauthorized
        missing = f"'{self.scope}'" if resource is None else f"'{self.scope}' for '{resource}'"
        raise ScopeMissing(f"The token '{principal.name}' has no scope {missing}; create one that has.")

    def lets_in(self, principal: Principal, resource: str | None = None) -> bool:
        """Tell whether somebody may; where anybody may enter, whether this one is told everything."""
        # Where anybody may enter, a token that reads everything tells the most.
        if principal.may(self.scope or Scope.READ, on=resource):
            return True
        return any(principal.may(one, on=resource) for one in self.others)

    async def _principal(self, connection: HTTPConnection, resource: str | None) -> Principal:
        state, best = connection.app.state, ANYBODY
        scope = connection.scope
        shown = (self.carriers or dialect_of(scope).carriers).credentials(scope)
        if tells_origin(scope) and is_cross_site(scope["headers"], state.trusted, ambient=True):
            # The address is that of whoever looks at a page; what the page shows on purpose still counts.
            shown = [replace(one, address="") for one in shown]
        authenticators: Sequence[Authenticator] = state.authenticators
        for authenticator, one in product(authenticators, shown):
            found = await authenticator.identify(state.context, one)
            if found is None:
                continue
            if self.lets_in(found, resource):
                return found
            best = found if best is ANYBODY else best
        return best


def refuse_undeclared(app: FastAPI) -> None:
    """Check that every route has a policy, and that its path has the parameter that the policy goes by.

    Raises
    ------
    UndeclaredRoute
        Naming the routes of which that is not so.
    """
    routes = [(getattr(route, "path", repr(route)), policy_of(route)) for route in walk(app.routes)]
    if silent := sorted(path for path, policy in routes if policy is None):
        raise UndeclaredRoute(f"These routes declare no policy: {', '.join(silent)}")
    lost = [path for path, policy in routes if policy and policy.on and not _has_parameter(path, policy.on)]
    if lost:
        raise UndeclaredRoute(
            f"The policies of these routes name no parameter of the path: {', '.join(lost)}"
        )


def _has_parameter(path: str, name: str) -> bool:
    return f"{{{name}}}" in path or f"{{{name}:" in path


def policy_of(route: BaseRoute) -> Policy | None:
    """Return what a route says of who may use it, if it does."""
    if isinstance(route, APIRoute | APIWebSocketRoute):
        found = (one.dependency for one in route.dependencies if isinstance(one.dependency, Policy))
        return next(found, None)
    policy = getattr(getattr(route, "endpoint", None), "policy", None)
    return policy if isinstance(policy, Policy) else None


def walk(routes: Iterable[BaseRoute]) -> Iterable[BaseRoute]:
    """Yield every route that answers, mounts opened."""
    for route in routes:
        # FastAPI keeps included routers as they are, behind a route of its own.
        below = getattr(getattr(route, "original_router", route), "routes", None)
        if below and not hasattr(route, "endpoint"):
            yield from walk(below)
        else:
            yield route
