"""Answers as models: what a route sends and what OpenAPI says of it, from one type.

A route declares ``responses=answers(Model, example)`` and returns ``answered(Model(...))``. A model is a
`msgspec.Struct`, or a dataclass or typed dictionary of a noun that is shown as it is. Declarations hold the types
themselves, and `describe` writes the schemas of all of them into the document at once, so that each has one name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from itertools import product
from typing import Any

import msgspec
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from armillary.api.http.values import plain

JSON = "application/json"
REFERENCE = "#/components/schemas/{name}"
Schema = dict[str, Any]
Documented = dict[int | str, dict[str, Any]]


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """The base of models that belong to routes alone: their fields in the order in which they are sent."""


class Typed(dict[str, Any]):
    """The schema of an answer before it is written: its types, and what is made of the schema of these.

    It is an empty dictionary to the framework, which copies what it cannot understand.
    """

    def __init__(self, *types: Any, shape: Callable[[Schema], Schema] = lambda schema: schema) -> None:
        super().__init__()
        self.types, self._shape = types, shape

    def written(self, schemas: Mapping[Any, Schema]) -> Schema:
        """Return the schema, given those of the types."""
        found = [schemas[one] for one in self.types]
        return self._shape(found[0] if len(found) == 1 else {"anyOf": found})


def answered(
    body: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the answer that a model is, or one that has been made plain already."""
    return JSONResponse(plain(body), status, headers)


def answers(
    model: Any, example: Any, *others: Any, media: Documented | None = None, status: int = HTTPStatus.OK
) -> Documented:
    """Return the documentation of a good answer.

    Parameters
    ----------
    model
        What is sent as JSON.
    example
        One of it, valid by the schema of the model.
    others
        Further models, one of which may be sent instead.
    media
        What is sent to clients that accept other media types, by `sends`.
    """
    content: dict[str, Any] = {JSON: {"schema": Typed(model, *others), "example": example}}
    for one in (media or {}).values():
        content |= one["content"]
    return {int(status): {"description": HTTPStatus(status).phrase, "content": content}}


def sends(*media: str, example: str | None = None, binary: bool = False) -> Documented:
    """Return the documentation of a good answer that is no JSON: text, or bytes, of these media types."""
    schema = {"type": "string", "format": "binary"} if binary else {"type": "string"}
    shown = {"schema": schema} | ({} if example is None else {"example": example})
    return {200: {"description": HTTPStatus.OK.phrase, "content": dict.fromkeys(media, shown)}}


def streams(media: str, model: Any, example: str) -> Documented:
    """Return the documentation of a stream of events, the data of each of which is JSON of a model.

    The schema is that of one event, as OpenAPI 3.2 has it: a stream as a whole has no end and so no schema.
    """

    def shape(schema: Schema) -> Schema:
        data = {"type": "string", "contentMediaType": JSON, "contentSchema": schema}
        event = {
            "data": data,
            "event": {"type": "string"},
            "id": {"type": "string"},
            "retry": {"type": "integer"},
        }
        return {"type": "object", "properties": event, "additionalProperties": False}

    content = {media: {"itemSchema": Typed(model, shape=shape), "example": example}}
    return {200: {"description": HTTPStatus.OK.phrase, "content": content}}


def describe(document: dict[str, Any], routes: Iterable[BaseRoute]) -> None:
    """Write the schemas of all declared answers into an OpenAPI document, and what they refer to."""
    declared = list(_declared(document, routes))
    typed = [one for _, content in declared for one in _typed_in(content)]
    types = list(dict.fromkeys(type for one in typed for type in one.types))
    found, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    schemas = dict(zip(types, found, strict=True))
    for reply, content in declared:
        # As a whole: the framework has left out every null, of examples too.
        reply["content"] = {media: _written(one, schemas) for media, one in content.items()}
    known = document.setdefault("components", {}).setdefault("schemas", {})
    known |= {name: _closed(one) for name, one in components.items()}


def _declared(
    document: dict[str, Any], routes: Iterable[BaseRoute]
) -> Iterable[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the place in the document, and the content as declared, of every answer that is typed."""
    for route in routes:
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        contents = {code: one.get("content", {}) for code, one in route.responses.items()}
        for method, (code, content) in product(route.methods or (), contents.items()):
            if _typed_in(content):
                operation = document["paths"][route.path_format][method.lower()]
                yield operation["responses"][str(code)], content


def _typed_in(content: Mapping[str, Mapping[str, Any]]) -> list[Typed]:
    return [value for one in content.values() for value in one.values() if isinstance(value, Typed)]


def _written(declared: Mapping[str, Any], schemas: Mapping[Any, Schema]) -> dict[str, Any]:
    return {
        key: value.written(schemas) if isinstance(value, Typed) else value for key, value in declared.items()
    }


def _closed(component: Schema) -> Schema:
    """Return the schema of an object that has no other fields, else no answer could be at odds with it."""
    shut = {"additionalProperties": False} if "properties" in component else {}
    described = component.get("description")
    cleaned = {"description": inspect.cleandoc(described)} if described else {}
    return shut | component | cleaned
