"""Write into a recipe what follows from its other parts, so that rendering need not look for it."""

from __future__ import annotations

from msgspec import structs

from armillary.headers.recipes.models import Fallback, Geometry, Keyword, Reading, Recipe, Source


def resolved(recipe: Recipe) -> Recipe:
    """Return a recipe whose sources know the field of the image id, and whose keywords know how old values may be.

    The topic of a moment carries the image id: values from it are matched by that field though they do not say so.
    """
    ids = {(one.source, one.topic): one.id for one in recipe.moments.values()}
    keywords = {key: _keyword(recipe, one, ids) for key, one in recipe.keywords.items()}
    readings = {
        name: _reading(getattr(recipe.geometry, name), ids) for name in ("vendor", "cols", "rows", "prescan")
    }
    return structs.replace(recipe, keywords=keywords, geometry=Geometry(**readings))


Ids = dict[tuple[str, str], str]


def _keyword(recipe: Recipe, keyword: Keyword, ids: Ids) -> Keyword:
    return structs.replace(
        keyword,
        source=_source(keyword.source, ids),
        max_age=_age(recipe, keyword.source, keyword.max_age),
        fallback=tuple(_fallback(recipe, one, keyword, ids) for one in keyword.fallback),
    )


def _fallback(recipe: Recipe, fallback: Fallback, keyword: Keyword, ids: Ids) -> Fallback:
    """Return a fallback with the age that its own source has, else that of the keyword."""
    if fallback.source is None:
        return fallback
    age = _age(recipe, fallback.source, fallback.max_age)
    age = keyword.max_age if age is None else age
    return structs.replace(fallback, source=_source(fallback.source, ids), max_age=age)


def _age(recipe: Recipe, source: Source | None, age: int | None) -> int | None:
    entry = recipe.sources.get(source.origin) if source else None
    return entry.max_age if age is None and entry else age


def _source(source: Source | None, ids: Ids) -> Source | None:
    if source is None or source.match is not None:
        return source
    return structs.replace(source, match=ids.get((source.origin, source.topic)))


def _reading(reading: Reading | None, ids: Ids) -> Reading | None:
    return structs.replace(reading, source=_source(reading.source, ids)) if reading else None
