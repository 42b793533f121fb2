"""Terms as JSON, for work that is done later: what somebody meant is fixed when it is accepted.

The text of a selection would be read anew each time, and `today` would be another day by then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, get_args

from armillary.archive.query.cones import Cone
from armillary.archive.query.models import Term
from armillary.errors import BadRequest

_KINDS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in get_args(Term)}
_TERM = "term"


def terms_to_json(terms: Iterable[Term]) -> list[dict[str, Any]]:
    """Return terms as objects of JSON: the name of each, and its parts."""
    return [{_TERM: type(term).__name__, **_parts(term)} for term in terms]


def terms_of_json(found: Any) -> tuple[Term, ...]:
    """Return the terms that were written down.

    Raises
    ------
    BadRequest
        If they cannot be read: by another release, or by hand.
    """
    try:
        return tuple(_term(dict(one)) for one in found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadRequest(f"The selection of this work cannot be read: {error}; ask for it again.") from None


def _parts(term: object) -> dict[str, Any]:
    assert dataclasses.is_dataclass(term)
    return {field.name: _plain(getattr(term, field.name)) for field in dataclasses.fields(term)}


def _plain(value: Any) -> Any:
    """Return a part as JSON; days, instants and circles say what they are."""
    match value:
        case datetime():
            return {"instant": value.isoformat()}
        case date():
            return {"day": value.isoformat()}
        case Cone():
            return {"cone": _parts(value)}
        case tuple():
            return [_plain(one) for one in value]
    return value


def _term(parts: dict[str, Any]) -> Term:
    kind = _KINDS[parts.pop(_TERM)]
    term: Term = kind(**{name: _read(value) for name, value in parts.items()})
    return term


def _read(value: Any) -> Any:
    match value:
        case {"instant": text}:
            return datetime.fromisoformat(text)
        case {"day": text}:
            return date.fromisoformat(text)
        case {"cone": parts}:
            return Cone(**parts)
        case list():
            return tuple(_read(one) for one in value)
    return value
