"""A profile made ready for use: regular expressions compiled, maps folded, units looked up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from armillary.archive.fields import SOURCED, FieldRule
from armillary.archive.intake.profiles.document import Condition, Conditions, Position, ProfileFile, Source
from armillary.archive.intake.profiles.lookup import Lookup
from armillary.archive.intake.profiles.units import UNITS
from armillary.fits.models import Value

Test = Callable[[Lookup], bool]

MISSING = frozenset({"", "NAN", "N/A"})
"""Words that no profile means."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A source with everything looked up."""

    source: Source
    keywords: tuple[str, ...]
    only: str | None
    """The keyword, if there is one alone."""
    primary: bool
    when: tuple[Test, ...]
    factor: float | None
    pattern: re.Pattern[str] | None
    drop: re.Pattern[str] | None
    strip: re.Pattern[str] | None
    said: re.Pattern[str] | None
    words: Mapping[str, Value]
    is_plain: bool
    """Whether the value of one keyword, stripped of blanks, is all that the reader of the field needs."""


Question = tuple[str, FieldRule, tuple[Rule, ...]]
"""A field, what it is, and the sources to ask for it, the best first."""


@dataclass(frozen=True, slots=True)
class PositionRule:
    """A pair of coordinates with its conditions and factors to degrees."""

    position: Position
    when: tuple[Test, ...]
    ra_factor: float
    dec_factor: float


@dataclass(frozen=True, slots=True)
class Profile:
    """How the headers of one kind of file become a frame."""

    name: str
    title: str
    priority: int
    strictness: int
    match: tuple[tuple[Test, ...], ...]
    missing: frozenset[str]
    time_scale: str
    positions: tuple[PositionRule, ...]
    longitude: tuple[Rule, ...]
    fields: tuple[Question, ...]

    def matches(self, lookup: Lookup) -> bool:
        """Tell whether this profile is for these headers."""
        return not self.match or any(all(test(lookup) for test in tests) for tests in self.match)


def compile_profile(file: ProfileFile) -> Profile:
    """Make a profile, its inheritance already resolved, ready for use."""
    # Without conditions it matches everything, so it comes last.
    strictness = max((len(conditions) for conditions in file.match), default=-1)
    return Profile(
        name=file.name,
        title=file.title,
        priority=file.priority if file.match else -(10**9),
        strictness=strictness,
        match=tuple(compile_conditions(conditions) for conditions in file.match),
        missing=MISSING | {word.upper() for word in file.missing},
        time_scale=file.time_scale or "UTC",
        positions=tuple(_compile_position(position) for position in file.positions or ()),
        longitude=tuple(compile_source(source) for source in file.longitude or ()),
        fields=tuple(
            (name, SOURCED[name], tuple(compile_source(source) for source in file.fields[name]))
            for name in SOURCED
            if file.fields.get(name)
        ),
    )


def compile_source(source: Source) -> Rule:
    """Look up everything that a source names."""
    keywords = (source.keyword,) if source.keyword else source.keywords
    return Rule(
        source=source,
        keywords=keywords,
        only=keywords[0] if len(keywords) == 1 else None,
        primary=source.primary,
        when=compile_conditions(source.when),
        factor=UNITS[source.unit] if source.unit else None,
        pattern=_compiled(source.pattern),
        drop=_compiled(source.drop),
        strip=_compiled(source.strip),
        said=_compiled(source.said),
        words={word.upper(): value for word, value in source.map.items()},
        is_plain=source.keyword is not None and source == Source(keyword=source.keyword),
    )


def compile_conditions(conditions: Conditions) -> tuple[Test, ...]:
    """Return one test per keyword."""
    return tuple(_test(keyword, condition) for keyword, condition in conditions.items())


def _test(keyword: str, condition: Condition) -> Test:
    words = {folded(word) for word in condition.any_of}
    if condition.equals is not None:
        words.add(folded(condition.equals))
    regex = _compiled(condition.regex)

    def holds(lookup: Lookup) -> bool:
        value = lookup.get(keyword)
        if value is None:
            return condition.present is False
        if condition.present is False or (words and folded(value) not in words):
            return False
        return regex is None or regex.search(str(value).strip()) is not None

    return holds


def folded(value: object) -> str:
    """Return a value as a word to compare: text in capitals, whole numbers without a point."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip().upper()


def _compile_position(position: Position) -> PositionRule:
    factors = UNITS[position.ra_unit], UNITS[position.dec_unit]
    return PositionRule(position, compile_conditions(position.when), *factors)


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    return re.compile(pattern, re.IGNORECASE) if pattern else None
