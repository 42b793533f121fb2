"""Every answer of `/v1` is declared, closed, and shown by an example of its schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from armillary.api.http.answers import JSON, Answer, Typed, answered, answers, describe
from armillary.api.http.policy import Policy, policy_of, walk
from armillary.app import Application, create_app
from tests.support.conformity import check

FOREIGN = {"HTTPValidationError", "ValidationError"}
"""What the framework says of routes of other dialects that tell nothing of their failures."""
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def app() -> Application:
    """Return the application."""
    return create_app()


def routes_of(app: FastAPI) -> Iterator[APIRoute]:
    """Yield the routes of `/v1` that the document shows."""
    for route in walk(app.routes):
        if isinstance(route, APIRoute) and route.include_in_schema and route.path.startswith("/v1/"):
            yield route


def undeclared(app: FastAPI) -> list[str]:
    """Return the routes of `/v1` that do not say what they send: a model, or which media."""
    return [route.path for route in routes_of(app) if not all(map(is_declared, good_of(route)))]


def good_of(route: APIRoute) -> list[dict[str, Any]]:
    """Return the contents of the good answers; an empty one stands for a route without any."""
    found = [one for code, one in route.responses.items() if 200 <= int(code) < 300]
    return [one.get("content", {}) for one in found] or [{}]


def is_declared(content: dict[str, dict[str, Any]]) -> bool:
    """Tell whether JSON has a model, and everything else a schema; JSON in a file that is sent has none."""
    typed = content.get(JSON, {}).get("schema")
    described = all("schema" in one or "itemSchema" in one for one in content.values())
    sent = isinstance(typed, dict) and typed.get("format") == "binary" and len(content) > 1
    return bool(content) and described and (typed is None or sent or isinstance(typed, Typed))


def shown(document: dict[str, Any]) -> Iterator[tuple[str, str, int, str, Any]]:
    """Yield path, method, status, media type and value of every example of an answer."""
    for path, operations in document["paths"].items():
        for method in METHODS:
            for code, reply in operations.get(method, {}).get("responses", {}).items():
                for media, one in reply.get("content", {}).items():
                    examples = [one["example"]] if "example" in one else []
                    examples += [example["value"] for example in one.get("examples", {}).values()]
                    yield from ((path, method, int(code), media, example) for example in examples)


def reply(method: str, path: str, status: int, media: str, body: object) -> httpx.Response:
    """Return an answer as it would arrive."""
    return httpx.Response(
        status,
        headers={"content-type": media},
        content=msgspec.json.encode(body),
        request=httpx.Request(method, f"http://archive.example{path}"),
    )


def test_every_route_declares_its_answers(app: Application) -> None:
    assert len(list(routes_of(app))) > 25
    assert undeclared(app) == []


def test_a_silent_route_is_named() -> None:
    app = create_app()
    router = APIRouter(dependencies=[Depends(Policy(None))])

    async def answer() -> JSONResponse:
        return JSONResponse({})

    router.add_api_route("/v1/silent", answer)
    router.add_api_route("/v1/vague", answer, responses={200: {"content": {JSON: {"schema": {}}}}})
    router.add_api_route("/v1/fine", answer, responses=answers(Answer, {}))
    app.include_router(router)
    assert undeclared(app) == ["/v1/silent", "/v1/vague"]


def test_every_example_is_what_the_schema_says(app: Application) -> None:
    seen = set()
    for path, method, status, media, example in shown(app.openapi()):
        if path.startswith("/v1/") and media.endswith("json"):
            check(reply(method.upper(), path.replace("{", "").replace("}", ""), status, media, example))
            seen.add((path, method))
    assert seen >= {("/v1/frames", "get"), ("/v1/status", "get"), ("/v1/changesets", "post")}


def test_every_object_that_is_described_is_closed(app: Application) -> None:
    components = app.openapi()["components"]["schemas"]
    objects = {name for name, one in components.items() if "properties" in one}
    assert {"Frames", "FoundFrame", "Problem", "Status", "ToldOrder"} <= objects
    assert {name for name in objects if components[name].get("additionalProperties") is not False} <= FOREIGN
    # A name with a dot tells the module of a class, of which there are two by that name.
    assert [name for name in components if "." in name] == []


def test_every_route_with_a_scope_documents_its_refusals(app: Application) -> None:
    for route in routes_of(app):
        policy = policy_of(route)
        if policy is not None and policy.scope is not None:
            assert {401, 403} <= route.responses.keys(), route.path
        assert {422, 429, 503} <= route.responses.keys(), route.path


ORDER = {"order": 31, "state": "Failed"}


@pytest.mark.parametrize(
    ("status", "media", "body"),
    [
        (200, JSON, ORDER | {"more": 1}),
        (200, JSON, {"order": 31}),
        (200, JSON, ORDER | {"order": "31"}),
        (200, JSON, ORDER | {"state": "Cancelled"}),
        (200, "text/plain", ORDER),
        (201, JSON, ORDER),
        (409, "application/problem+json", {"code": "order_not_cancellable"}),
        (
            409,
            "application/problem+json",
            {"type": "x", "title": "x", "status": 409, "code": "no_such_code", "detail": "x"},
        ),
    ],
)
def test_what_is_not_as_documented_is_found(status: int, media: str, body: object) -> None:
    path = "/v1/orders/31/cancel"
    check(reply("POST", path, 200, JSON, ORDER))
    with pytest.raises(BaseException, match=r"."):
        check(reply("POST", path, status, media, body))


def test_two_models_may_have_one_name() -> None:
    def a_model(**fields: Any) -> Any:
        return msgspec.defstruct("Same", list(fields.items()), module=f"module_{'_'.join(fields)}")

    app, one, other = FastAPI(), a_model(a=int), a_model(b=str)
    for name, model in (("one", one), ("other", other)):
        app.add_api_route(f"/{name}", lambda: None, responses=answers(model, {}))
    document = app.openapi()
    describe(document, app.routes)
    found = [
        document["paths"][path]["get"]["responses"]["200"]["content"][JSON]["schema"]["$ref"]
        for path in ("/one", "/other")
    ]
    assert len(set(found)) == 2
    for reference, field in zip(found, "ab", strict=True):
        assert list(document["components"]["schemas"][reference.split("/")[-1]]["properties"]) == [field]


def test_an_answer_is_written_as_the_standard_library_writes_numbers() -> None:
    class Numbers(Answer):
        values: list[float]

    assert answered(Numbers(values=[1e-5, 1e16, 0.1, 30.0])).body == b'{"values":[1e-05,1e+16,0.1,30.0]}'


def references(value: object) -> Iterator[str]:
    """Yield everything that something refers to."""
    if isinstance(value, dict):
        if isinstance(ref := value.get("$ref"), str):
            yield ref
        value = list(value.values())
    if isinstance(value, list):
        for below in value:
            yield from references(below)


def test_every_reference_of_the_document_leads_somewhere(app: Application) -> None:
    document = app.openapi()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert len(known) > 100
    assert set(references(document)) - known == set()
