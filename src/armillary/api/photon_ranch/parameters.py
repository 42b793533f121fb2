"""Parameters of a request, wherever its client puts them: in the query string, or in a body of JSON.

Clients send no Content-Type with JSON, or any; some send a body with GET. What is in the query string wins. A body
that is absent or no JSON counts as an empty object, so that the error of the route names what is missing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Request

from armillary.api.http.body import read_body
from armillary.api.photon_ranch.replies import Refused
from armillary.base.numbers import finite
from armillary.base.text import storable
from armillary.context import Context

MAX_DIGITS = 400
"""Digits of an integer in JSON; more are no number that anybody means."""
LONG = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))
"""What may be such an integer."""
_READ = "parameters"
"""Where the state of a request has what it says, once that is read."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything that a request says, by name; ``body`` is the object in its body alone, ``written`` its bytes."""

    values: Mapping[str, Any]
    body: Mapping[str, Any]
    written: bytes = b""

    def given(self, *names: str) -> Any:
        """Return the first value that is there and not null, of a parameter and its other names."""
        for name in names:
            if (value := self.values.get(name)) is not None:
                return value
        return None

    def text(self, *names: str, default: str | None = None) -> str:
        """Return a text.

        Raises
        ------
        Refused
            If there is none and no default, or it is no text that can be kept.
        """
        value = self.given(*names)
        if value in (None, "") and default is not None:
            return default
        if value is None or value == "":
            raise Refused(f"Missing required field: {names[0]}")
        if isinstance(value, bool | dict | list) or not storable(str(value)):
            raise Refused(f"Field {names[0]} should be a text.")
        return str(value)

    def number(self, *names: str, default: float | None = None) -> float:
        """Return a number, given as such or as text.

        Raises
        ------
        Refused
            If there is none and no default, or it is not finite.
        """
        value = self.given(*names)
        if value is None and default is not None:
            return default
        if value is None or value == "":
            raise Refused(f"Missing required field: {names[0]}")
        found = finite(value)
        if found is None:
            raise Refused(f"Field {names[0]} should be a number.")
        return found

    def integer(self, *names: str, default: int | None = None, least: int = 0) -> int:
        """Return an integer of at least some value, given as such or as text.

        Raises
        ------
        Refused
            If there is none and no default, or it is anything else.
        """
        value = self.given(*names)
        if value is None and default is not None:
            return default
        found = finite(value)
        if found is None or found != int(found) or found < least:
            raise Refused(f"Field {names[0]} should be an integer of at least {least}.")
        return int(found)

    def flag(self, name: str) -> bool:
        """Tell whether a switch is set."""
        return str(self.values.get(name, "")).lower() in ("1", "true", "yes", "on")


async def parameters_of(request: Request) -> Parameters:
    """Return what a request says, read once.

    Raises
    ------
    Refused
        If the body is JSON but no object, or holds numbers that JSON does not have.
    RequestTooLarge
        If the body is over the limit.
    """
    state: dict[str, Any] = request.scope["state"]
    known: Parameters | None = state.get(_READ)
    if known is not None:
        return known
    context: Context = request.app.state.context
    text = await read_body(request, context.settings.photon_ranch.max_body)
    body = as_object(read_json(text))
    asked = dict(request.query_params) if request.scope["query_string"] else {}
    found = Parameters(body | asked if asked else body, body, text)
    state[_READ] = found
    return found


Asked = Annotated[Parameters, Depends(parameters_of)]


class _Nothing:
    """What is in a body that is absent or broken."""


NOTHING = _Nothing()


def read_json(text: bytes) -> Any:
    """Return what is in a body of JSON, ``NOTHING`` if it is none.

    Raises
    ------
    Refused
        If it has numbers that JSON does not have, or that are out of range.
    """
    if not text:
        return NOTHING
    try:
        # What is valid for the stricter parser means the same to both, but for integers that are too long here.
        if not LONG.search(text):
            return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        pass
    try:
        return _DECODER.decode(text.decode(json.detect_encoding(text), "surrogatepass"))
    except (ValueError, RecursionError):
        return NOTHING


def as_object(value: Any) -> dict[str, Any]:
    """Return an object of JSON, an empty one for nothing.

    Raises
    ------
    Refused
        If it is anything else.
    """
    if value is NOTHING:
        return {}
    if not isinstance(value, dict):
        raise Refused("The body should be a JSON object.")
    return value


def _no_constant(name: str) -> float:
    raise Refused(f"The body holds {name}, which is no number in JSON.")


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise Refused(f"The body holds the number {text[:40]}, which is out of range.")
    return found


def _short_integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise Refused(f"The body holds an integer of {len(text)} digits, which is out of range.")
    return int(text)


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, parse_int=_short_integer)
