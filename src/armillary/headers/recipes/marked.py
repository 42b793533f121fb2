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
    try:
        node = yaml.compose(content.decode("utf-8"), Loader=_LOADER)
    except UnicodeDecodeError:
        return None, [Problem(Place(file, 1), "The file is not UTF-8.")]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(str(part) for part in (error.context, error.problem) if part)
        return None, [Problem(Place(file, mark.line + 1 if mark else 1), f"Invalid YAML: {said}.")]
    except (yaml.YAMLError, RecursionError) as error:
        return None, [Problem(Place(file, 1), f"Invalid YAML: {str(error).splitlines()[0]}.")]
    if node is None:
        return None, [Problem(Place(file, 1), "The file is empty.")]
    maker = _Maker(file)
    try:
        return maker.make(node, ()), maker.problems
    except _TooMuchError as error:
        return None, [
            Problem(error.place, "The file is nested too deeply, or its aliases make too much of it.")
        ]


class _TooMuchError(Exception):
    """Aliases, which may contain themselves, make more nodes than a configuration has."""

    def __init__(self, place: Place) -> None:
        self.place = place
        super().__init__()


class _Maker:
    """Makes marked values of the nodes of PyYAML."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0
        self.problems: list[Problem] = []

    def make(self, node: Any, path: tuple[str, ...]) -> Marked:
        """Return the value of a node."""
        place = Place(self._file, node.start_mark.line + 1)
        self._count += 1
        if self._count > MOST_NODES or len(path) > DEEPEST:
            raise _TooMuchError(place)
        if node.tag.rpartition(":")[2] not in _PLAIN_TAGS or not node.tag.startswith("tag:yaml.org,2002:"):
            self.problems.append(Problem(place, f"Tags such as {node.tag} are not allowed."))
            return Marked(None, place)
        if isinstance(node, yaml.MappingNode):
            places: dict[str, Place] = {}
            return Marked(dict(self._entries(node, path, places)), place, places)
        if isinstance(node, yaml.SequenceNode):
            return Marked([self.make(one, (*path, "")) for one in node.value], place)
        return Marked(scalar(node.value) if not node.style else node.value, place)

    def _entries(
        self, node: Any, path: tuple[str, ...], places: dict[str, Place]
    ) -> Iterator[tuple[str, Marked]]:
        for key, value in node.value:
            place = Place(self._file, key.start_mark.line + 1)
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(Problem(place, "A key must be a text."))
                continue
            if key.value in places:
                self.problems.append(
                    Problem(place, f"{key.value} stands here twice.", (*path, key.value), DUPLICATE)
                )
                continue
            places[key.value] = place
            yield key.value, self.make(value, (*path, key.value))


def scalar(text: str) -> str | int | float | bool | None:
    """Return what an unquoted scalar is."""
    if text.lower() in _WORDS and text in (text.lower(), text.upper(), text.capitalize()):
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        # Python refuses texts of thousands of digits.
        return int(text) if len(text) <= 20 else text
    return float(text) if _FLOAT.fullmatch(text) else text
