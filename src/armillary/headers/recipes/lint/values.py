"""C04, C05, C08, C09, C11, C12, C13: what a recipe says of its values by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from armillary.headers.models import Level, Required
from armillary.headers.recipes import expressions
from armillary.headers.recipes.functions import FUNCTIONS, LOCAL
from armillary.headers.recipes.lint.notes import Notes, nearest
from armillary.headers.recipes.lint.uses import uses
from armillary.headers.recipes.marked import Marked
from armillary.headers.recipes.models import BUILT_IN, Instant, Keyword, Pick, Recipe, Valid, Window
from armillary.sky.instants import HEADER_SCALES

_ORDER = ("integration_start", "shutter_open", "shutter_close", "readout_start", "readout_end", "end")
_MOMENTARY = frozenset({Pick.ASOF, Pick.INTERP})
Path = tuple[str | int, ...]


def check(recipe: Recipe, document: Marked, notes: Notes) -> None:
    """Note what contradicts itself, leads nowhere or turns in a circle."""
    _moments(recipe, document, notes)
    if recipe.timesys not in HEADER_SCALES:
        said = f"timesys must be one of {', '.join(HEADER_SCALES)}."
        notes.add("C01", "timesys", document.at("timesys"), said)
    if recipe.site and not (abs(recipe.site.lat) <= 90 and -180 <= recipe.site.lon <= 360):
        said = "The site must have a latitude of -90 to 90 and a longitude of -180 to 360 degrees."
        notes.add("C01", "site", document.at("site"), said)
    for key, keyword in recipe.keywords.items():
        _keyword(key, keyword, document, notes)
        _when_and_where(recipe, key, keyword, document, notes)
    for key, derived in recipe.derive.items():
        _valid(key, derived.valid, ("derive", key, "valid"), document, notes)
        if derived.at:
            _instant(recipe, derived.at, key, ("derive", key, "at"), document, notes)
    for use in uses(recipe):
        if use.keyword is None and isinstance(use.at, Instant):
            _instant(recipe, use.at, use.name, use.path, document, notes)
    _expressions(recipe, document, notes)


def _moments(recipe: Recipe, document: Marked, notes: Notes) -> None:
    if _ORDER[0] not in recipe.moments:
        said = f"Without the moment {_ORDER[0]} no exposure begins."
        notes.add("C05", _ORDER[0], document.at("moments"), said)
    for name, one in recipe.moments.items():
        place = document.at("moments", name, "else")
        seen, other = {name}, one.otherwise
        while other is not None:
            if other not in recipe.moments:
                notes.add("C05", name, place, f"There is no moment {other}{nearest(other, recipe.moments)}")
                break
            if other in seen:
                notes.add("C05", name, place, f"The moment {name} stands in for itself.")
                break
            seen.add(other)
            other = recipe.moments[other].otherwise


def _instant(recipe: Recipe, instant: Instant, name: str, path: Path, document: Marked, notes: Notes) -> bool:
    if instant.moment in recipe.moments:
        return True
    said = f"There is no moment {instant.moment}{nearest(instant.moment, recipe.moments)}"
    notes.add("C05", name, document.at(*path), said)
    return False


def _when_and_where(recipe: Recipe, key: str, keyword: Keyword, document: Marked, notes: Notes) -> None:
    """Moments exist, windows have a length, and the pick fits them."""
    path: Path = ("keywords", key, "at")
    places = [(keyword.at, path)]
    places += [(one.at, ("keywords", key, "fallback", n)) for n, one in enumerate(keyword.fallback) if one.at]
    for at, where in places:
        if isinstance(at, Instant):
            _instant(recipe, at, key, where, document, notes)
            fits = keyword.pick in _MOMENTARY
        else:
            ends = [_instant(recipe, one, key, where, document, notes) for one in (at.opening, at.closing)]
            fits = keyword.pick not in _MOMENTARY
            fault = _window_fault(at) if all(ends) else None
            if fault:
                notes.add("C05", key, document.at(*where), fault)
        if not fits and keyword.source:
            wanted = "a moment, not a window" if keyword.pick in _MOMENTARY else "a window"
            notes.add(
                "C05", key, document.at("keywords", key, "pick"), f"pick: {keyword.pick} needs {wanted}."
            )


def _window_fault(window: Window) -> str | None:
    if window.closing.moment == "end":
        return "A window cannot close with the end of telemetry, which comes at any time after the exposure."
    opening, closing = window.opening, window.closing
    if opening.moment == closing.moment:
        return None if opening.offset < closing.offset else "The window closes before it opens."
    known = opening.moment in _ORDER and closing.moment in _ORDER
    if known and _ORDER.index(opening.moment) > _ORDER.index(closing.moment):
        return "The window closes before it opens."
    return None


def _valid(key: str, valid: Valid | None, path: Path, document: Marked, notes: Notes) -> None:
    """No value can be valid if the range is empty, the list has none, or the expression cannot be read."""
    if valid is None:
        return
    fault = None
    if valid.low is not None and valid.high is not None and valid.low > valid.high:
        fault = f"No value lies between {valid.low:g} and {valid.high:g}."
    elif valid.choices == () or valid.pattern == "":
        fault = "valid accepts nothing."
    elif valid.pattern is not None:
        try:
            re.compile(valid.pattern)
        except re.error as error:
            fault = f"valid is no regular expression: {error}."
    if fault:
        notes.add("C04", key, document.at(*path), fault)


def _keyword(key: str, keyword: Keyword, document: Marked, notes: Notes) -> None:
    path = ("keywords", key)
    _valid(key, keyword.valid, (*path, "valid"), document, notes)
    for option in ("scale", "offset"):
        if keyword.unit is not None and getattr(keyword, option) is not None:
            notes.add("C11", key, document.at(*path, option), f"{option} cannot stand beside unit.")
    sources = [keyword.source, *(one.source for one in keyword.fallback)]
    if keyword.hdu == Level.PRIMARY and any(one is not None and one.per_detector for one in sources):
        said = f"{key} has a value per detector and cannot stand in the primary header; add hdu: detector."
        notes.add("C12", key, document.at(*path), said)
    if keyword.required != Required.NONE and keyword.source is None and not keyword.fallback:
        said = f"{key} is required, and has neither a source nor a fallback."
        notes.add("C13", key, document.at(*path), said)


def _expressions(recipe: Recipe, document: Marked, notes: Notes) -> None:
    """Expressions can be read, name what there is, and do not need their own result."""
    known = {*recipe.keywords, *recipe.derive, *recipe.constants, *BUILT_IN}
    needs: dict[str, set[str]] = {}
    for key, text, path, may_call in _texts(recipe):
        place = document.at(*path)
        try:
            tree = expressions.parse(text, calls=may_call)
        except ValueError as error:
            notes.add("C01", key, place, str(error))
            continue
        for name in sorted(expressions.names(tree) - known):
            notes.add("C09", key, place, f"There is no keyword {name}{nearest(name, known)}")
        for call in expressions.calls(tree):
            fault = _call_fault(call)
            if fault is None and call.function in LOCAL and recipe.site is None:
                fault = f"{call.function} needs the place of the telescope: give site."
            if fault:
                notes.add("C09", key, place, fault)
        needs.setdefault(key, set()).update(expressions.names(tree))
    for cycle in _cycles(needs):
        part = "keywords" if cycle[0] in recipe.keywords else "derive"
        said = f"{' needs '.join((*cycle, cycle[0]))}."
        notes.add("C08", cycle[0], document.at(part, cycle[0]), said)


def _texts(recipe: Recipe) -> Iterator[tuple[str, str, Path, bool]]:
    """Yield the expressions of a recipe: whose, the text, where, and whether it may call functions."""
    for key, keyword in recipe.keywords.items():
        if keyword.when is not None:
            yield key, keyword.when, ("keywords", key, "when"), False
        for number, one in enumerate(keyword.fallback):
            if one.derive is not None:
                yield key, one.derive, ("keywords", key, "fallback", number), True
    for key, derived in recipe.derive.items():
        yield key, derived.expression, ("derive", key), True
        if derived.when is not None:
            yield key, derived.when, ("derive", key, "when"), False


def _call_fault(call: expressions.Call) -> str | None:
    if call.function not in FUNCTIONS:
        return f"There is no function {call.function}{nearest(call.function, FUNCTIONS)}"
    least, most = FUNCTIONS[call.function]
    if least <= len(call.arguments) <= most:
        return None
    wanted = str(least) if least == most else f"{least} to {most}"
    return f"{call.function} takes {wanted} arguments."


def _cycles(needs: dict[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """Yield each circle once, from its first name in alphabetical order."""
    seen: set[frozenset[str]] = set()
    done: set[str] = set()

    def follow(key: str, chain: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if key in chain:
            circle = chain[chain.index(key) :]
            if frozenset(circle) not in seen:
                seen.add(frozenset(circle))
                first = circle.index(min(circle))
                yield circle[first:] + circle[:first]
            return
        if key in done:
            return
        for other in sorted(needs.get(key, ())):
            yield from follow(other, (*chain, key))
        done.add(key)

    for key in sorted(needs):
        yield from follow(key, ())
