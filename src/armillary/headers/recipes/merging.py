"""Documents that inherit others: deep merge of mappings, in which null deletes."""

from __future__ import annotations

from collections.abc import Callable

from armillary.headers.recipes.marked import Marked, Place, Problem

Read = Callable[[str], Marked | None]
"""Returns the document of a name, None if there is none (its own problems are noted by who reads)."""


def merge(below: Marked, above: Marked) -> Marked:
    """Return one document laid over another; each value keeps the place where it stands."""
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        return above
    merged, places = dict(below.mapping), {**below.key_places, **above.key_places}
    for key, value in above.mapping.items():
        merged[key] = merge(merged[key], value) if key in merged else value
        if value.value is None:
            del merged[key]
    return Marked(merged, above.place, places)


def without_nulls(node: Marked) -> Marked:
    """Return a document without the entries that are null, which say the same as none."""
    if isinstance(node.value, dict):
        kept = {key: without_nulls(one) for key, one in node.mapping.items() if one.value is not None}
        return Marked(kept, node.place, node.key_places)
    if isinstance(node.value, list):
        return Marked([without_nulls(one) for one in node.items], node.place)
    return node


def inherit(document: Marked, read: Read, *, chain: tuple[str, ...]) -> tuple[Marked, list[Problem]]:
    """Return a document over those that it inherits, later ones over earlier ones, and what could not be."""
    problems: list[Problem] = []
    parents = document.mapping.get("inherit")
    own = {key: value for key, value in document.mapping.items() if key != "inherit"}
    base: Marked | None = None
    for parent in _names(parents, problems):
        name = str(parent.value)
        found = read(name) if name not in chain else None
        if found is None:
            problems.append(_missing(name, parent.place, chain))
            continue
        whole, below = inherit(found, read, chain=(*chain, name))
        problems += below
        base = merge(base, whole) if base else whole
    top = Marked(own, document.place, document.key_places)
    return without_nulls(merge(base, top) if base else top), problems


def _names(parents: Marked | None, problems: list[Problem]) -> list[Marked]:
    if parents is None or parents.value is None:
        return []
    found = parents.items if isinstance(parents.value, list) else [parents]
    if not all(isinstance(one.value, str) for one in found):
        problems.append(Problem(parents.place, "inherit must be a list of files.", ("inherit",)))
        return []
    return found


def _missing(name: str, place: Place, chain: tuple[str, ...]) -> Problem:
    if name in chain:
        return Problem(
            place, f"{name} inherits itself: {' -> '.join((*chain, name))}.", ("inherit", name), "C09"
        )
    return Problem(place, f"There is no readable file {name} to inherit.", ("inherit", name), "C09")
