"""Which cubes a query asks for: parameters, judged one by one; an empty one asks for nothing."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from starlette.datastructures import QueryParams

from armillary.api.sst_archive.errors import BadFields
from armillary.archive.cubes.service import MAX_PAGE, CubeFilter, Disk
from armillary.base.text import storable

PAGE_SIZE, MAX_TEXT, MAX_NUMBER = 20, 1024, 1_000_000_000
TAGS = {"features": "FEATURES", "events": "EVENTS"}
"""Vocabularies by the parameters that ask for their terms."""
_TEXTS = ("oid", "filename", "instrument", *TAGS)
_TIMES = ("date_beg", "date_end")
_NUMBERS = ("x", "y", "radius")
_WHOLE = ("page", "page_size")
_KNOWN = (*_TEXTS, *_TIMES, *_NUMBERS, *_WHOLE, "format")
_ZONE = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$", re.ASCII)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CubeQuery:
    """A page of the cubes that are asked for; the first page is 1."""

    wanted: CubeFilter
    page: int
    page_size: int

    @property
    def first(self) -> int:
        """How many cubes come before the page."""
        return (self.page - 1) * self.page_size


def read_query(params: QueryParams) -> CubeQuery:
    """Return what a query asks for.

    Raises
    ------
    BadFields
        Naming every parameter that cannot be used.
    """
    wrong: dict[str, list[str]] = {name: [_unknown(name)] for name in params if name not in _KNOWN}
    said = {name: value.strip() for name, value in params.items() if name in _KNOWN and value.strip()}
    read = _Reader(said, wrong)
    texts = {name: read(name, _text) for name in _TEXTS}
    begin, end = (read(name, instant_of) for name in _TIMES)
    page, size = read("page", _whole), read("page_size", _whole)
    disk = _disk(read, said, wrong)
    if begin and end and end < begin:
        wrong["date_end"] = ["This lies before date_beg."]
    if said.get("format", "json") != "json":
        wrong["format"] = ["Lists are JSON."]
    if wrong:
        raise BadFields(wrong)
    tags = {TAGS[name]: _terms(text) for name in TAGS if (text := texts.pop(name)) is not None}
    wanted = CubeFilter(**texts, begin=begin, end=end, tags=tags, disk=disk)
    return CubeQuery(wanted, page or 1, min(size or PAGE_SIZE, MAX_PAGE))


class _Reader:
    """Reads parameters, and notes what is wrong with them."""

    def __init__(self, said: Mapping[str, str], wrong: dict[str, list[str]]) -> None:
        self._said, self._wrong = said, wrong

    def __call__(self, name: str, read: Callable[[str], T]) -> T | None:
        """Return the value of a parameter, None if it is not given or cannot be used."""
        if name not in self._said:
            return None
        try:
            return read(self._said[name])
        except ValueError as error:
            self._wrong[name] = [str(error)]
            return None


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, _KNOWN, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(_KNOWN)}."
    return f"There is no such parameter; {hint}"


def _text(text: str) -> str:
    if len(text) > MAX_TEXT or not storable(text):
        raise ValueError(f"This has to have at most {MAX_TEXT} characters, and none that no name has.")
    return text


def _terms(text: str) -> list[str]:
    return [term for part in text.split(",") if (term := part.strip())]


def instant_of(text: str) -> datetime:
    """Return a time of ISO 8601: in UTC unless it says; a day alone is midnight.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        # A plus sign in an address arrives as a blank.
        found = datetime.fromisoformat(_ZONE.sub(r"\1+\2", text))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"'{text[:100]}' is no time; write it as 2026-06-21T08:10:00.") from None


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise ValueError("This has to be a whole number from 1 on.")
    return int(text)


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not abs(found) <= MAX_NUMBER:
        raise ValueError("This has to be a number of arcseconds.")
    return found


def _disk(read: _Reader, said: Mapping[str, str], wrong: dict[str, list[str]]) -> Disk | None:
    x, y, radius = (read(name, _number) for name in _NUMBERS)
    if not any(name in said for name in _NUMBERS):
        return None
    wrong |= {name: ["A place has x and y."] for name in ("x", "y") if name not in said}
    if radius is not None and radius < 0:
        wrong["radius"] = ["This has to be 0 or more."]
    return Disk(x or 0.0, y or 0.0, radius or 0.0)


def following(params: QueryParams, page: int) -> dict[str, Any]:
    """Return the parameters of another page."""
    return {**{name: value for name, value in params.items() if value.strip()}, "page": page}
