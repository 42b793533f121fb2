"""Operations of the OpenAPI document as pages show them: pure, from the document alone."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
REF = "#/components/schemas/"
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} elements",
    "maxItems": "at most {} elements",
    "pattern": "matches {}",
    "default": "{} unless told",
}
"""How bounds of values are said."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value looks like: words, each with the model that it names, if any; and the fields of an object."""

    words: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object, a parameter of a request."""

    name: str
    shape: Shape
    is_needed: bool
    text: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A body in one media type, with an example."""

    media_type: str
    shape: Shape
    example: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered with a status."""

    status: str
    text: str
    contents: tuple[Content, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A named schema."""

    name: str
    text: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Operation:
    """What can be asked for by one method at one path."""

    method: str
    path: str
    text: str
    parameters: tuple[Field, ...]
    bodies: tuple[Content, ...]
    answers: tuple[Answer, ...]
    models: tuple[Model, ...]


def summaries(document: Schema) -> Iterator[tuple[str, str, str]]:
    """Yield method, path and the first line about every operation."""
    for path, methods in sorted(document["paths"].items()):
        for method, told in methods.items():
            yield method.upper(), path, _text_of(told).partition("\n")[0]


def find(document: Schema, method: str, path: str) -> Operation | None:
    """Return an operation, None if there is none."""
    told = document["paths"].get(path, {}).get(method.lower())
    if told is None:
        return None
    bodies = tuple(_contents(told.get("requestBody", {})))
    answers = tuple(
        Answer(status, one.get("description", ""), tuple(_contents(one)))
        for status, one in sorted(told.get("responses", {}).items())
    )
    parameters = tuple(map(_parameter, told.get("parameters", ())))
    models = tuple(_models(document, told))
    return Operation(method.upper(), path, _text_of(told), parameters, bodies, answers, models)


def as_curl(operation: Operation, base: str) -> str:
    """Return the command that asks for it, what is to be filled in left in braces."""
    words = ["curl"] if operation.method == "GET" else ["curl", "-X", operation.method]
    words += ["-H", "Authorization: Bearer TOKEN"]
    if operation.bodies:
        body = operation.bodies[0]
        data = body.example if body.media_type == "application/json" and body.example else "@FILE"
        words += ["-H", f"Content-Type: {body.media_type}", "--data-binary", data]
    return shlex.join([*words, f"{base.rstrip('/')}{operation.path}"])


def shape(schema: Schema) -> Shape:
    """Return what a schema says."""
    return Shape(tuple(_words(schema)), tuple(_notes(schema)), tuple(_fields(schema)))


def _text_of(told: Schema) -> str:
    return str(told.get("description") or told.get("summary") or "")


def _parameter(told: Schema) -> Field:
    schema = told.get("schema", {})
    text = told.get("description") or schema.get("description", "")
    return Field(told["name"], shape(schema), bool(told.get("required")), text, told["in"])


def _contents(told: Schema) -> Iterator[Content]:
    for media_type, one in told.get("content", {}).items():
        schema = one.get("schema", {})
        yield Content(media_type, shape(schema), _example(one, schema))


def _example(told: Schema, schema: Schema) -> str:
    found = told.get("example", schema.get("example"))
    if found is None:
        found = next((one.get("value") for one in told.get("examples", {}).values()), None)
    if found is None or isinstance(found, str):
        return found or ""
    return json.dumps(found, indent=2, ensure_ascii=False)


def _words(schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield the kind of a value in words."""
    if ref := schema.get("$ref"):
        name = ref.removeprefix(REF)
        yield name, name
    elif several := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        yield from _joined(several)
    elif "enum" in schema or "const" in schema:
        chosen = schema.get("enum") or [schema["const"]]
        yield " or ".join(json.dumps(one, ensure_ascii=False) for one in chosen), ""
    elif "prefixItems" in schema:
        yield "list of ", ""
        yield from _joined(schema["prefixItems"], ", ")
    elif schema.get("type") == "array":
        yield "list of ", ""
        yield from _words(schema.get("items", {}))
    elif isinstance(values := schema.get("additionalProperties"), Mapping):
        yield "object with values ", ""
        yield from _words(values)
    else:
        yield _plain(schema), ""


def _joined(several: Iterable[Schema], between: str = " or ") -> Iterator[tuple[str, str]]:
    for number, one in enumerate(several):
        if number:
            yield between, ""
        yield from _words(one)


def _plain(schema: Schema) -> str:
    kind = schema.get("type", "any value")
    said = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{said} ({schema['format']})" if "format" in schema else said


def _notes(schema: Schema) -> Iterator[str]:
    """Yield the bounds of a value, also those of the kinds that it may have."""
    for key, text in BOUNDS.items():
        if key in schema:
            bound = schema[key]
            yield text.format(bound if isinstance(bound, str) else json.dumps(bound, ensure_ascii=False))
    for one in _within(schema):
        yield from _notes(one)


def _within(schema: Schema) -> Iterator[Schema]:
    for key in ("anyOf", "oneOf", "allOf"):
        yield from schema.get(key, ())


def _fields(schema: Schema) -> Iterator[Field]:
    """Yield the fields of an object, or of the objects that a list or a choice has without a name."""
    needed = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        yield Field(name, shape(one), name in needed, one.get("description", ""))
    if isinstance(items := schema.get("items"), Mapping):
        yield from _fields(items)
    for one in _within(schema):
        yield from _fields(one)


def _models(document: Schema, told: Schema) -> Iterator[Model]:
    """Yield every model that an operation names, and those that these name."""
    schemas, seen = document.get("components", {}).get("schemas", {}), list(_refs(told))
    for name in seen:
        schema = schemas[name]
        yield Model(name, schema.get("description", ""), shape(schema))
        seen.extend(one for one in _refs(schema) if one not in seen)


def _refs(value: Any) -> list[str]:
    """Return the models that something names, each once."""
    if isinstance(value, Mapping):
        own = [value["$ref"].removeprefix(REF)] if isinstance(value.get("$ref"), str) else []
        return list(dict.fromkeys(own + [one for below in value.values() for one in _refs(below)]))
    if isinstance(value, list):
        return list(dict.fromkeys(one for below in value for one in _refs(below)))
    return []
