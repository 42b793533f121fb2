"""An application with a route that is silent about its users does not start."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from starlette.routing import Mount, Route

from armillary.access.models import ABBREVIATIONS, ANYBODY, Grants, Permission, Principal, Scope
from armillary.api.http.policy import Policy, UndeclaredRoute, policy_of, refuse_undeclared, walk
from armillary.app import create_app


async def answer() -> str:
    return "x"


def test_every_route_of_the_application_declares_a_policy() -> None:
    app = create_app()
    assert len(list(walk(app.routes))) > 9
    assert all(policy_of(route) for route in walk(app.routes))


def test_a_silent_route_is_named_wherever_it_is() -> None:
    app = create_app()
    router = APIRouter()
    router.add_api_route("/deep", answer)
    router.add_api_route("/fine", answer, dependencies=[Depends(Policy(None))])
    app.include_router(router, prefix="/included")
    app.add_api_route("/plain", answer)
    app.router.routes.append(Route("/bare", answer))
    app.router.routes.append(Mount("/mounted", routes=[Route("/inner", answer)]))

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None: ...

    with pytest.raises(UndeclaredRoute) as refused:
        refuse_undeclared(app)
    for path in ("/deep", "/plain", "/bare", "/inner", "/socket"):
        assert path in refused.value.message
    assert "/fine" not in refused.value.message


def test_a_policy_that_goes_by_no_parameter_of_its_path_is_named() -> None:
    app, router = create_app(), APIRouter()
    for path in ("/sites/{site}", "/deep/{site:path}", "/sites/{name}/x"):
        router.add_api_route(path, answer, dependencies=[Depends(Policy(Scope.SITE, on="site"))])
    app.include_router(router)
    with pytest.raises(UndeclaredRoute, match=r"no parameter of the path: /sites/\{name\}/x$"):
        refuse_undeclared(app)


def test_a_mounted_application_must_declare_its_routes() -> None:
    app, inner = create_app(), FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    inner.add_api_route("/inner", answer)
    app.mount("/files", inner)
    with pytest.raises(UndeclaredRoute, match="/inner"):
        refuse_undeclared(app)


def test_a_dependency_that_is_no_policy_does_not_count() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/x", answer, dependencies=[Depends(answer)])
    with pytest.raises(UndeclaredRoute, match="/x"):
        refuse_undeclared(app)


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_may_what_it_is_for_and_an_administrator_all(scope: Scope) -> None:
    one = Principal("one", frozenset([Permission(scope)]), Grants())
    assert one.may(scope)
    assert Principal("root", frozenset([Permission(Scope.ADMIN)])).may(scope)
    assert not ANYBODY.may(scope)
    allowed = set(Scope) if scope is Scope.ADMIN else {scope, *ABBREVIATIONS.get(scope, ())}
    assert {other for other in Scope if one.may(other)} == allowed
