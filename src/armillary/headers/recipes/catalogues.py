"""Read an entry of the catalogue: the topics of a component, with their fields, types and units."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import UNSET, Struct

from armillary.headers.recipes.marked import Marked, Problem
from armillary.headers.recipes.models import FieldEntry, TopicEntry
from armillary.headers.recipes.shapes import Reader

SCHEMA = "armillary.catalog/1"


class Kind(StrEnum):
    """Whether a topic speaks when something happens, or all the time."""

    EVENT = "event"
    TELEMETRY = "telemetry"


class FieldType(StrEnum):
    """What a field holds."""

    STR = "str"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    LIST = "list"


class _Field(Struct, frozen=True):
    type: FieldType
    unit: str | None = None


class _Topic(Struct, frozen=True):
    kind: Kind
    fields: dict[str, _Field] = {}


class _Component(Struct, frozen=True):
    catalog: str
    component: str
    topics: dict[str, _Topic] = {}


def read_component(document: Marked) -> tuple[tuple[str, dict[str, TopicEntry]] | None, list[Problem]]:
    """Return the name of a component with its topics, and what is wrong with the document."""
    reader = Reader({})
    found: Any = reader.struct(document, _Component, ())
    if found is UNSET:
        return None, reader.problems
    if found.catalog != SCHEMA:
        reader.refuse(document.at("catalog"), f"This program reads catalog: {SCHEMA}.", ("catalog",))
    topics = {
        name: TopicEntry(
            topic.kind.value,
            {key: FieldEntry(one.type.value, one.unit) for key, one in topic.fields.items()},
        )
        for name, topic in found.topics.items()
    }
    return (found.component, topics), reader.problems
