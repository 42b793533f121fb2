"""What the native routes share: who may call them, how they fail, the kinds of their parameters and answers."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Query
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.requests import HTTPConnection

from armillary.access.errors import ScopeMissing, Unauthorized
from armillary.access.models import Principal, Scope
from armillary.access.service import Rules
from armillary.api.http.answers import Answer, Documented
from armillary.api.http.carriers import SESSION, Carriers
from armillary.api.http.connection import (
    HeadersTooLarge,
    NotHttp,
    RequestTooSlow,
    TooManyPipelined,
    UpgradeWithBody,
    UrlTooLong,
)
from armillary.api.http.doors import Crowded, TooManyConnections
from armillary.api.http.limits import TooManyRequests
from armillary.api.http.origins import CrossSite
from armillary.api.http.policy import Policy
from armillary.api.http.problems import problems
from armillary.archive.query.errors import BadPredicate, BadSelection, MalformedSelector, UnknownSelector
from armillary.base.database_errors import DatabaseFull, TooSlow
from armillary.base.text import storable
from armillary.errors import ArmillaryError, BadRequest, NotFound, Unavailable


@dataclass(frozen=True, slots=True)
class SiteRight(Policy):
    """The policy of a route about a site: as the modes of the interface of sites say.

    READ stands for routes that tell something. Those that change something ask in every mode but `open`: no client
    of before knows them.
    """

    async def __call__(self, connection: HTTPConnection) -> Principal:
        """Return who asks, or refuse."""
        site = connection.path_params[self.on or "site"]
        principal = await self.learn(connection, site)
        rules: Rules = connection.app.state.rules
        if rules.opens(connection.scope["route"].path, self.scope, guarded=self.scope is not Scope.READ):
            return principal
        return self.judge(principal, site)

    @property
    def is_open(self) -> bool:
        """Whether anybody may use the route, unless a setting closes it."""
        return self.scope is Scope.READ


def of_site(scope: Scope) -> list[Any]:
    """Return the dependencies of a route about a site."""
    return [Depends(SiteRight(scope, on="site"))]


anybody = [Depends(Policy(None, Carriers(("gemini_fits_authorization", SESSION))))]
"""Whoever asks; pages show pictures and lead to downloads, for which browsers send cookies alone."""
auditors = [Depends(Policy(Scope.READ, others=(Scope.EDIT,)))]
"""Those who may read everything, and those who may edit: they see who edited what, and why."""
editors = [Depends(Policy(Scope.EDIT))]
operators = [Depends(Policy(Scope.ADMIN))]
NEGOTIATED = {"Vary": "Accept"}
"""What an answer says whose form depends on what the client accepts."""
Word = Annotated[str | None, Query(max_length=200)]
FLOOR: tuple[type[ArmillaryError], ...] = (
    TooManyRequests,
    TooManyConnections,
    RequestTooSlow,
    UrlTooLong,
    HeadersTooLarge,
    NotHttp,
    UpgradeWithBody,
    TooManyPipelined,
    Crowded,
    TooSlow,
    DatabaseFull,
    Unavailable,
)
"""What any request may meet before a route is asked, or whatever route is asked."""
_ALWAYS: tuple[type[ArmillaryError], ...] = (TooManyRequests, Unavailable)
"""Those of them that are shown with an example."""
_PARAMETERS = {
    "invalid_parameter": "query.limit: Input should be greater than or equal to 1",
    "unknown_parameter": "There is no parameter 'instrment' here; did you mean 'instrument'?",
}


class AskedOrder(Answer):
    """The work order that does what was asked, or that asks a worker for it."""

    order: int


class UnknownParameter(ArmillaryError):
    """Unknown query parameter."""

    code, status = "unknown_parameter", HTTPStatus.UNPROCESSABLE_ENTITY


async def refuse_unknown_parameters(request: HTTPConnection) -> None:
    """Refuse a query with parameters that the route does not have.

    Raises
    ------
    UnknownParameter
        Naming the first of them, and the nearest that there is.
    """
    route: APIRoute | APIWebSocketRoute = request.scope["route"]
    known = tuple(_asked(route.dependant))
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known) or 'none'}."
            raise UnknownParameter(f"There is no parameter '{name[:100]}' here; {hint}")


def _asked(dependant: Dependant) -> Iterator[str]:
    yield from (one.alias for one in dependant.query_params)
    for below in dependant.dependencies:
        yield from _asked(below)


def failures(*errors: type[ArmillaryError]) -> Documented:
    """Return the documentation of problem documents: of these errors, and of those that every route may meet."""
    missing = (NotFound,) if any(issubclass(one, NotFound) for one in errors) else ()
    shown: dict[int, dict[str, str]] = {int(HTTPStatus.UNPROCESSABLE_ENTITY): dict(_PARAMETERS)}
    others: dict[int, list[str]] = {}
    for error in (*errors, *_ALWAYS):
        shown.setdefault(int(error.status), {})[error.code] = error().message
    for error in (*missing, *FLOOR):
        others.setdefault(int(error.status), []).append(error.code)
    documented: Documented = {}
    for status in sorted({*shown, *others}):
        documented |= problems(status, shown.get(status, {}), others.get(status, ()))
    return documented


REFUSALS: tuple[type[ArmillaryError], ...] = (Unauthorized, ScopeMissing)
"""What routes with a scope raise if nobody is known, or not as somebody who may."""
WRITE_REFUSALS = (*REFUSALS, CrossSite)
"""Those of routes that change something."""
SELECTION_REFUSALS: tuple[type[ArmillaryError], ...] = (
    BadSelection,
    UnknownSelector,
    MalformedSelector,
    BadPredicate,
)
"""What may be wrong with a selection, or a condition on a keyword."""


def storable_words(*texts: str | None) -> None:
    """Refuse what no column of text can hold, before the database does.

    Raises
    ------
    BadRequest
        Naming the word.
    """
    if bad := next((text for text in texts if text is not None and not storable(text)), None):
        raise BadRequest(f"{bad!r} holds characters that no name or header can have.")
