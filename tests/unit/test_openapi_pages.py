"""Operations of an OpenAPI document in words: kinds, bounds, fields, and the models that they name."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from armillary.console.openapi import REF, as_curl, find, shape, summaries

FRAME = {"$ref": f"{REF}Frame"}
LIST: dict[str, Any] = {"frames": []}
FRAMES = {"$ref": f"{REF}Frames"}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/v1/frames": {"get": {"description": "Find frames.\n\nAll of them.", "responses": {"200": {
            "description": "OK", "content": {"application/json": {"schema": FRAMES, "example": LIST}}}}}},
        "/v1/frames/{name}": {"post": {
            "summary": "Change",
            "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}],
            "requestBody": {"content": {"application/json": {"schema": {
                "type": "object", "required": ["why"], "example": {"why": "it's wrong"},
                "properties": {"why": {"type": "string", "maxLength": 9, "description": "The reason."}}}}}},
            "responses": {}}},
    },
    "components": {"schemas": {
        "Frames": {"type": "object", "properties": {"frames": {"type": "array", "items": FRAME}}},
        "Frame": {"type": "object", "properties": {"before": {"$ref": f"{REF}Frame"}}},
        "Other": {"type": "string"},
    }},
}  # fmt: skip


def said(schema: dict[str, Any]) -> str:
    found = shape(schema)
    return "; ".join(["".join(word for word, _ in found.words), *found.notes])


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "default": 5}, "integer; at least 1; 5 unless told"),
        ({"anyOf": [{"type": "string"}, {"maxItems": 2}]}, "string or any value; at most 2 elements"),
        ({"type": "array", "items": {"$ref": f"{REF}Frame"}}, "list of Frame"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object with values number"),
        ({"type": "array", "prefixItems": [{"type": "string"}, FRAME], "items": False}, "list of string, Frame"),
        ({"enum": ["stop", None]}, '"stop" or null'),
        ({"const": 3}, "3"),
        ({"type": "string", "format": "date"}, "string (date)"),
        ({"type": ["object", "array"]}, "object or array"),
        ({"type": "string", "pattern": "^a{2}$"}, "string; matches ^a{2}$"),
        ({}, "any value"),
    ],
)  # fmt: skip
def test_kinds_and_bounds_are_said_in_words(schema: dict[str, Any], words: str) -> None:
    assert said(schema) == words


def test_models_are_told_with_those_that_they_name_each_once() -> None:
    found = find(DOCUMENT, "get", "/v1/frames")
    assert found is not None
    assert [one.name for one in found.models] == ["Frames", "Frame"]
    assert found.answers[0].contents[0].shape.words == (("Frames", "Frames"),)
    assert '"frames": []' in found.answers[0].contents[0].example


def test_a_body_is_told_by_its_fields() -> None:
    found = find(DOCUMENT, "POST", "/v1/frames/{name}")
    assert found is not None
    (why,) = found.bodies[0].shape.fields
    assert (why.name, why.is_needed, why.text, why.shape.notes) == (
        "why", True, "The reason.", ("at most 9 characters",),
    )  # fmt: skip
    assert (found.parameters[0].place, found.parameters[0].is_needed) == ("path", True)


def test_the_command_is_one_that_a_shell_reads() -> None:
    found = find(DOCUMENT, "POST", "/v1/frames/{name}")
    assert found is not None
    words = shlex.split(as_curl(found, "http://archive/"))
    assert words[:3] == ["curl", "-X", "POST"]
    assert words[-1] == "http://archive/v1/frames/{name}"
    assert '"why": "it\'s wrong"' in words[words.index("--data-binary") + 1]


def test_operations_are_listed_and_others_are_not_found() -> None:
    assert list(summaries(DOCUMENT)) == [
        ("GET", "/v1/frames", "Find frames."),
        ("POST", "/v1/frames/{name}", "Change"),
    ]
    assert find(DOCUMENT, "DELETE", "/v1/frames") is None
    assert find(DOCUMENT, "GET", "/v1") is None
