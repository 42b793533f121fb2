"""Where a configuration reads telemetry: each source with the options that hold for it there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from armillary.headers.recipes.marked import Marked, Place
from armillary.headers.recipes.models import (
    Catalogue,
    FieldEntry,
    Instant,
    Keyword,
    Pick,
    Recipe,
    Source,
    TopicEntry,
    Unit,
    Window,
)

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """A source that something reads; `path` leads to its mapping in the document."""

    name: str
    source: Source
    path: Path
    at: Instant | Window
    pick: Pick = Pick.ASOF
    unit: Unit | None = None
    max_age: int | None = None
    keyword: Keyword | None = None

    def place(self, document: Marked, *below: str) -> Place:
        """Return the line of an option of the source."""
        return document.at(*self.path, *below)


def uses(recipe: Recipe) -> Iterator[Use]:
    """Yield every source of the keywords, with their fallbacks, and of the geometry."""
    for key, keyword in recipe.keywords.items():
        path = ("keywords", key)
        if keyword.source:
            yield Use(
                key,
                keyword.source,
                (*path, "source"),
                keyword.at,
                keyword.pick,
                keyword.unit,
                keyword.max_age,
                keyword,
            )
        for number, one in enumerate(keyword.fallback):
            if one.source:
                below = (*path, "fallback", number, "source")
                at, unit = one.at or keyword.at, one.unit or keyword.unit
                yield Use(key, one.source, below, at, keyword.pick, unit, one.max_age, keyword)
    for name in ("vendor", "cols", "rows", "prescan"):
        reading = getattr(recipe.geometry, name)
        if reading and reading.source:
            yield Use(name, reading.source, ("geometry", name), reading.at)


def topic_of(recipe: Recipe, catalogue: Catalogue, source: Source) -> TopicEntry | None:
    """Return what the catalogue says of the topic of a source."""
    entry = recipe.sources.get(source.origin)
    return catalogue.topic(entry.component, source.topic) if entry else None


def field_of(topic: TopicEntry, name: str) -> FieldEntry | None:
    """Return a field of a topic; a path with dots may lead into one that is listed by its first step."""
    return topic.fields.get(name) or topic.fields.get(name.partition(".")[0])
