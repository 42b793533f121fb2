"""The JSON Schema of the files of instruments, made from the types that they are read into.

Editors check a file against it while it is written; what a schema cannot say, lint does.
"""

from __future__ import annotations

from typing import Any

from msgspec import json

from armillary.headers.recipes.loading import SCHEMA
from armillary.headers.recipes.models import Recipe
from armillary.sky.instants import HEADER_SCALES

_DURATION = {
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,12})?\s*(ns|us|ms|s|min|h|d)$"},
        {"type": "number", "minimum": 0},
    ],
    "description": "A number with its unit, as 0.5s or 2min; a bare number counts seconds.",
}
_INSTANT = {
    "type": "string",
    "pattern": r"^\s*[A-Za-z_][A-Za-z0-9_]*(\s*[-+].+)?$",
    "description": "A moment, with a duration before or after it: readout_start - 200ms.",
}
_WINDOW = {
    "type": "object",
    "properties": {"window": {"type": "array", "items": _INSTANT, "minItems": 1, "maxItems": 2}},
    "required": ["window"],
    "additionalProperties": False,
    "description": "A closed interval; it ends at shutter_close if nothing is said.",
}
_SCALAR = {"type": ["string", "number", "boolean"]}
_VALID = {
    "anyOf": [
        {"type": "array", "items": _SCALAR, "description": "A range of two numbers, or a list of values."},
        {"type": "string", "description": "A regular expression that matches the whole text."},
    ]
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a file of `instruments`."""
    made: dict[str, Any] = json.schema(Recipe)
    defs: dict[str, Any] = made["$defs"]
    for name, one in defs.items():
        defs[name] = _closed(_with_durations(one, _DURATIONS.get(name, ())))
    defs |= {"Instant": _INSTANT, "Window": _WINDOW, "Valid": _VALID}
    defs["Constant"] = {"anyOf": [_SCALAR, defs["Constant"]]}
    defs["Derived"] = {"anyOf": [{"type": "string"}, _renamed(defs["Derived"])]}
    defs["Reading"] = {
        "anyOf": [{"$ref": "#/$defs/Source"}, {"type": ["string", "integer"]}, defs["Reading"]]
    }
    recipe = defs["Recipe"]
    del recipe["properties"]["rev"]
    recipe["properties"]["timesys"] = {"enum": list(HEADER_SCALES)}
    recipe["properties"] |= {
        "schema": {"const": SCHEMA},
        "inherit": {"type": "array", "items": {"type": "string"}},
    }
    # A file that others inherit has no name of its own.
    recipe["required"] = ["schema"]
    everything: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **made,
    }
    deletable: dict[str, Any] = _deletable(everything)
    return deletable


_DURATIONS = {
    "SourceEntry": ("max_age",),
    "Timing": ("d1", "d2", "readout_grace", "margin", "default"),
    "Fallback": ("max_age",),
    "Keyword": ("max_age", "settle"),
}


def _with_durations(one: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the schema of a mapping whose durations are texts; defaults in nanoseconds would mislead there."""
    if not names:
        return one
    return {**one, "properties": {**one["properties"], **dict.fromkeys(names, _DURATION)}}


def _closed(one: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of a mapping that refuses unknown options, without the defaults of its values."""
    if one.get("type") != "object" or "properties" not in one:
        return one
    properties = {
        key: {word: part for word, part in value.items() if word != "default"}
        for key, value in one["properties"].items()
    }
    # Any file may leave to the one that it inherits, or that inherits it, what is needed in the end.
    kept = {word: part for word, part in one.items() if word != "required"}
    return {**kept, "properties": properties, "additionalProperties": False}


def _renamed(derived: dict[str, Any]) -> dict[str, Any]:
    properties = {**derived["properties"], "derive": {"type": "string"}}
    return {**derived, "properties": properties}


def _deletable(node: Any) -> Any:
    """Return a schema in which every option may be null, which deletes what was inherited."""
    if isinstance(node, list):
        return [_deletable(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {key: _deletable(one) for key, one in node.items()}
    if isinstance(found.get("properties"), dict):
        found["properties"] = {
            key: {"anyOf": [one, {"type": "null"}]} if "const" not in one else one
            for key, one in found["properties"].items()
        }
    extra = found.get("additionalProperties")
    if isinstance(extra, dict):
        found["additionalProperties"] = {"anyOf": [extra, {"type": "null"}]}
    return found
