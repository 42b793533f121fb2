"""From the segments of a path to a selection: each must be understood, or the whole is refused."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from armillary.archive.query.errors import BadSelection, Malformed, MalformedSelector, UnknownSelector
from armillary.archive.query.grammar import identifiers, times
from armillary.archive.query.grammar.keys import COORDINATES, KEYS, Reader, default_terms
from armillary.archive.query.grammar.numbers import position
from armillary.archive.query.grammar.words import FOLDED, TELESCOPES, WORDS
from armillary.archive.query.models import Among, Selection, Term, field_of
from armillary.base.text import storable

MAX_SEGMENTS, MAX_LENGTH, MAX_HINTS = 100, 1000, 3


@dataclass(slots=True)
class _State:
    today: date
    summit: bool
    terms: list[Term] = field(default_factory=list)
    place: dict[str, str] = field(default_factory=dict)
    unrecognised: list[str] = field(default_factory=list)
    columns: str | None = None
    defaults: bool = False


def parse(segments: Iterable[str], *, today: date, summit: bool = False, lenient: bool = False) -> Selection:
    """Return what the segments of a path select; their order does not matter.

    Parameters
    ----------
    segments
        Decoded, without the slashes between them; empty ones do not count.
    today
        The date in UTC, for words like ``today``.
    summit
        Whether bare dates are nights, as at a telescope, instead of UTC dates.
    lenient
        Whether unknown segments are left out and reported instead of refused.

    Raises
    ------
    UnknownSelector
        If a segment is neither a word, nor a name, nor a key with a value.
    MalformedSelector
        If the value of a key cannot be read.
    """
    state = _State(today, summit)
    wanted = [segment for segment in segments if segment]
    if len(wanted) > MAX_SEGMENTS:
        raise BadSelection(f"A selection has at most {MAX_SEGMENTS} parts; this one has {len(wanted)}.")
    for segment in wanted:
        _read(segment, state)
    if state.unrecognised and not lenient:
        raise UnknownSelector(_complaint(state.unrecognised), state.unrecognised)
    _finish_place(state)
    terms = list(_most_specific(state.terms))
    if state.defaults:
        said = {field_of(term) for term in terms}
        terms += [term for term in default_terms() if field_of(term) not in said]
    return Selection(
        terms=tuple(dict.fromkeys(terms)),
        columns=state.columns,
        unrecognised=tuple(state.unrecognised),
    )


def _read(segment: str, state: _State) -> None:
    if len(segment) > MAX_LENGTH or not storable(segment):
        raise MalformedSelector(
            f"{segment[:50]!r} is too long, or holds characters that no name has.", [segment]
        )
    key, equals, value = segment.partition("=")
    try:
        if equals and (known := _key(key)):
            _read_value(known, value, state)
        elif segment == "defaults":
            state.defaults = True
        elif not equals and (terms := _bare(segment, state)):
            state.terms += terms
        else:
            state.unrecognised.append(segment)
    except Malformed as error:
        raise MalformedSelector(f"{segment}: {error}.", [segment]) from None


def _key(key: str) -> str | None:
    return key if key in KEYS or key in COORDINATES or key == "cols" else None


def _read_value(key: str, value: str, state: _State) -> None:
    if key in COORDINATES:
        name = COORDINATES[key]
        if state.place.setdefault(name, value) != value:
            raise Malformed(f"{name}= is given twice")
    elif key == "cols":
        state.columns = value
    else:
        reader: Reader = KEYS[key]
        state.terms += reader(value, state.today)


def _bare(segment: str, state: _State) -> tuple[Term, ...] | None:
    return _word(segment) or _moment(segment, state) or identifiers.read_name(segment)


def _word(segment: str) -> tuple[Term, ...] | None:
    if (terms := WORDS.get(segment)) or (terms := FOLDED.get(segment.lower())):
        return terms
    telescope = TELESCOPES.get(segment.lower().replace("-", "").replace("_", ""))
    return (Among("telescope", (telescope,)),) if telescope else None


def _moment(segment: str, state: _State) -> tuple[Term, ...] | None:
    if times.looks_like_day(segment):
        day = times.read_day(segment, state.today)
        return (times.nights(day, day) if state.summit else times.utc_days(day, day),)
    if times.looks_like_span(segment):
        span = times.read_span(segment, state.today)
        if state.summit and span.days:
            return (times.nights(span.first.date(), span.last.date()),)
        return (times.taken(span),)
    return None


def _finish_place(state: _State) -> None:
    place = state.place
    if not place:
        return
    if list(place) == ["sr"] and any(field_of(term) == "object" for term in state.terms):
        # A client that searches by name sends its radius always, and means the name.
        state.unrecognised.append(f"sr={place['sr']}")
        return
    try:
        state.terms += position(place.get("ra"), place.get("dec"), place.get("sr"))
    except Malformed as error:
        parts = [f"{name}={value}" for name, value in place.items()]
        raise MalformedSelector(f"{'/'.join(parts)}: {error}.", parts) from None


def _most_specific(terms: list[Term]) -> Iterator[Term]:
    """Leave out programs where observations are named, and both where data labels are."""
    named = [name for name in identifiers.SPECIFIC if any(field_of(term) == name for term in terms)]
    dropped = set(named[1:])
    return (term for term in terms if field_of(term) not in dropped)


def _complaint(unknown: list[str]) -> str:
    described = []
    for segment in unknown[:MAX_HINTS]:
        near = difflib.get_close_matches(segment, vocabulary(), n=1)
        described.append(f"'{segment}'" + (f" (did you mean '{near[0]}'?)" if near else ""))
    more = f" and {len(unknown) - MAX_HINTS} more" if len(unknown) > MAX_HINTS else ""
    return f"Unknown selectors: {', '.join(described)}{more}."


def vocabulary() -> list[str]:
    """Return the words that stand for themselves, and the keys with the sign that follows them."""
    keys = [f"{key}=" for key in (*KEYS, *COORDINATES, "cols")]
    return [*WORDS, *FOLDED, "defaults", *keys]
