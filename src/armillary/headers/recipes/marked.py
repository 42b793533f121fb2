"""YAML with the file and the line of every value.

Scalars are read as YAML 1.2 does: ``NO`` and ``on`` are texts, ``18:43`` is no number, and nothing is a date.
Tags are refused, so that no file can name a type, and merge keys have no meaning. This module alone knows PyYAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

MOST_NODES = 200_000
DEEPEST = 40
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_PLAIN_TAGS = ("str", "seq", "map")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Marked:
    """A value of a file with its place: a mapping and a list have marked values again."""

    value: Any
    place: Place
    key_places: dict[str, Place] = field(default_factory=dict)

    @property
    def mapping(self) -> dict[str, Marked]:
        """The entries, none if this is no mapping."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Marked]:
        """The items, none if this is no list."""
        return self.value if isinstance(self.value, list) else []

    def at(self, *path: str | int) -> Place:
        """Return the place of what is below: the last step of the path that is there counts."""
        here, place = self, self.place
        for step in path:
            if isinstance(step, int):
                if not 0 <= step < len(here.items):
                    break
                here = here.items[step]
                place = here.place
            elif step in here.mapping:
                place = here.key_places.get(step, here.mapping[step].place)
                here = here.mapping[step]
            else:
                break
        return place

    def below(self, *path: str) -> Marked | None:
        """Return what stands at a path of mappings."""
        here: Marked | None = self
        for step in path:
            here = here.mapping.get(step) if here else None
        return here

    def plain(self) -> Any:
        """Return the value without places."""
        if isinstance(self.value, dict):
            return {key: one.plain() for key, one in self.value.items()}
        if isinstance(self.value, list):
            return [one.plain() for one in self.value]
        return self.value


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a document, under the code that lint reports it by."""

    place: Place
    message: str
    path: tuple[str, ...] = ()
    """Where in the document, as far as that is known."""
    code: str = "C01"


DUPLICATE = "C14"


def read_marked(content: bytes, file: str) -> tuple[Marked | None, list[Problem]]:
    """Return the document of a file with the place of every value, and what is wrong with it."""
    maker = _Maker(file)
    try:
        document = maker.document(yaml.parse(content.decode("utf-8"), Loader=_LOADER))
    except UnicodeDecodeError:
        return None, [Problem(Place(file, 1), "The file is not UTF-8.")]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(str(part) for part in (error.context, error.problem) if part)
        return None, [Problem(Place(file, mark.line + 1 if mark else 1), f"Invalid YAML: {said}.")]
    except yaml.YAMLError as error:
        return None, [Problem(Place(file, 1), f"Invalid YAML: {str(error).splitlines()[0]}.")]
    except _RefusedError as error:
        return None, [error.problem]
    return document, maker.problems


class _RefusedError(Exception):
    """The file is no document of configuration."""

    def __init__(self, place: Place, message: str) -> None:
        self.problem = Problem(place, message)
        super().__init__()


class _Maker:
    """Makes marked values of the events of PyYAML.

    Its own composer recurses in C for every level, so that a file of brackets ends the process.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0
        self._anchors: dict[str, tuple[Marked, int]] = {}
        self.problems: list[Problem] = []

    def document(self, events: Iterator[Any]) -> Marked:
        """Return the one document of a file."""
        for event in events:
            if isinstance(event, yaml.StreamEndEvent):
                break
            if isinstance(event, yaml.NodeEvent):
                found = self._make(event, events, ())
                for after in events:
                    if isinstance(after, yaml.NodeEvent):
                        raise _RefusedError(self._place(after), "The file must hold one document.")
                return found
        raise _RefusedError(Place(self._file, 1), "The file is empty.")

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1)

    def _make(self, event: Any, events: Iterator[Any], path: tuple[str, ...]) -> Marked:
        """Return the value that begins with an event, taking the events up to its end."""
        place, before = self._place(event), self._count
        self._count += 1
        if isinstance(event, yaml.AliasEvent):
            # An anchor that is not complete yet contains this alias.
            found, count = self._anchors.get(event.anchor, (None, MOST_NODES))
            self._count += count
        else:
            found = None
        if self._count > MOST_NODES or len(path) > DEEPEST:
            raise _RefusedError(place, "The file is nested too deeply, or its aliases make too much of it.")
        if found is not None:
            return found
        if event.tag is not None:
            self.problems.append(Problem(place, f"Tags such as {event.tag} are not allowed."))
        if isinstance(event, yaml.MappingStartEvent):
            places: dict[str, Place] = {}
            made = Marked(self._mapping(events, path, places), place, places)
        elif isinstance(event, yaml.SequenceStartEvent):
            made = Marked(self._sequence(events, path), place)
        else:
            made = Marked(event.value if event.style else scalar(event.value), place)
        if event.anchor:
            self._anchors[event.anchor] = made, self._count - before
        return made

    def _sequence(self, events: Iterator[Any], path: tuple[str, ...]) -> list[Marked]:
        found = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self._make(event, events, (*path, "")))
        return found

    def _mapping(
        self, events: Iterator[Any], path: tuple[str, ...], places: dict[str, Place]
    ) -> dict[str, Marked]:
        found: dict[str, Marked] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            place, is_text = self._place(event), isinstance(event, yaml.ScalarEvent)
            key = event.value if is_text else str(self._make(event, events, (*path, "")).place.line)
            # Every key has a value, if only an empty one.
            value = self._make(next(events, None), events, (*path, key))
            if not is_text:
                self.problems.append(Problem(place, "A key must be a text."))
            elif key in found:
                self.problems.append(Problem(place, f"{key} stands here twice.", (*path, key), DUPLICATE))
            else:
                found[key], places[key] = value, place
        return found


def scalar(text: str) -> str | int | float | bool | None:
    """Return what an unquoted scalar is."""
    if text.lower() in _WORDS and text in (text.lower(), text.upper(), text.capitalize()):
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        # Python refuses texts of thousands of digits.
        return int(text) if len(text) <= 20 else text
    return float(text) if _FLOAT.fullmatch(text) else text
