"""Read a directory of configurations, templates and catalogues; the one module of recipes that reads files.

``instruments/<name>.yaml``, ``templates/<name>/<product>.yaml``, ``catalog/<component>.yaml``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from armillary.headers.recipes.catalogues import read_component
from armillary.headers.recipes.documents import revised
from armillary.headers.recipes.forms import hooks
from armillary.headers.recipes.marked import DUPLICATE, Marked, Place, Problem, read_marked
from armillary.headers.recipes.merging import inherit
from armillary.headers.recipes.models import Catalogue, Finding, Recipe, Template, TopicEntry
from armillary.headers.recipes.outlines import Outline, extend, read_outline
from armillary.headers.recipes.resolution import resolved
from armillary.headers.recipes.shapes import Reader

SCHEMA = "armillary.header/1"
MOST_BYTES = 4_000_000
PARTS = ("instruments", "templates", "catalog")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A directory as it was read: what could be resolved, and what was wrong with the form of the rest.

    Templates go by instrument and product. `documents` (by instrument) and `outlines` (by name of template) know
    the file and the line of everything, for lint.
    """

    recipes: dict[str, Recipe] = field(default_factory=dict)
    templates: dict[tuple[str, str], Template] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=Catalogue)
    findings: tuple[Finding, ...] = ()
    documents: dict[str, Marked] = field(default_factory=dict)
    outlines: dict[str, Outline] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    """Templates whose parents are missing: what they list is unknown."""


def load(directory: Path) -> Loaded:
    """Return everything that a directory configures, as far as it can be read, with what is wrong with it."""
    reading = _Reading(directory)
    catalogue = Catalogue(dict(reading.components()))
    recipes = {one.instrument: one for one in reading.recipes()}
    templates = {(one.instrument, one.product): one for one in reading.templates()}
    findings = tuple(sorted(set(reading.findings)))
    broken = frozenset(reading.broken)
    return Loaded(recipes, templates, catalogue, findings, reading.documents, reading.outlines, broken)


def recipes_in(directory: Path) -> list[Recipe]:
    """Return the configurations of a directory as far as they can be read, without templates and catalogue."""
    return list(_Reading(directory).recipes())


def changed(directory: Path) -> str:
    """Return a mark that differs once a file of the directory was written, added or removed.

    It goes by names, sizes and times and reads no file: compare it with the mark at the last load.
    """
    digest = hashlib.sha256()
    for path in (one for part in PARTS for one in _files(directory, f"{part}/**/*.yaml")):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_ino}\n".encode())
    return digest.hexdigest()


def _files(directory: Path, pattern: str) -> list[Path]:
    return sorted(directory.glob(pattern))


class _Reading:
    """One load: each file is read once, whoever asks for it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        top = directory / "instruments"
        self._parents = {one.relative_to(top).as_posix(): one for one in _files(top, "**/*.yaml")}
        self._read: dict[str, tuple[Marked | None, list[Problem]]] = {}
        self.findings: list[Finding] = []
        self.documents: dict[str, Marked] = {}
        self.outlines: dict[str, Outline] = {}
        self.broken: set[str] = set()

    def components(self) -> Iterator[tuple[str, dict[str, TopicEntry]]]:
        """Yield the components of the catalogue."""
        seen: dict[str, str] = {}
        for path in _files(self._directory, "catalog/*.yaml"):
            document = self._document(path, "")
            if document is None:
                continue
            found, problems = read_component(document)
            self._note(problems, "")
            if found and found[0] in seen:
                said = f"{seen[found[0]]} describes the component {found[0]}, too."
                self._note([Problem(document.at("component"), said)], "")
            elif found:
                seen[found[0]] = document.place.file
                yield found

    def recipes(self) -> Iterator[Recipe]:
        """Yield the configurations of instruments."""
        for path in _files(self._directory, "instruments/*.yaml"):
            recipe = self._recipe(path, path.stem)
            if recipe:
                yield recipe

    def _recipe(self, path: Path, name: str) -> Recipe | None:
        own = self._document(path, name)
        if own is None:
            return None
        document, problems = inherit(own, lambda parent: self._parent(parent, name), chain=(path.name,))
        problems += [one for one in (_schema(document), _named(document, name)) if one]
        options = {key: one for key, one in document.mapping.items() if key != "schema"}
        options["instrument"] = Marked(name, document.at("instrument"))
        document = Marked(options, document.place, document.key_places)
        moments = document.below("moments")
        reader = Reader(hooks(frozenset(moments.mapping if moments else ())))
        recipe: Recipe = reader.struct(document, Recipe, ())
        self._note(problems + reader.problems, name)
        self.documents[name] = document
        return revised(resolved(recipe))

    def _parent(self, name: str, instrument: str) -> Marked | None:
        # Names are looked up among the files that are there: `changed` sees those, and nothing leads elsewhere.
        path = self._parents.get(name)
        return self._document(path, instrument) if path else None

    def templates(self) -> Iterator[Template]:
        """Yield the templates, those that others extend among them."""
        own: dict[str, Outline] = {}
        for path in _files(self._directory, "templates/*/*.yaml"):
            instrument, name = path.parent.name, f"{path.parent.name}/{path.stem}"
            document = self._document(path, instrument)
            if document is not None:
                own[name], problems = read_outline(document, name)
                self._note(problems, instrument)
        for name, outline in own.items():
            whole, problems = extend(outline, own.get)
            self._note(problems, name.partition("/")[0])
            self.outlines[name] = whole
            if any(one.code == "T06" for one in problems):
                self.broken.add(name)
            yield revised(whole.template())

    def _document(self, path: Path, instrument: str) -> Marked | None:
        file = path.relative_to(self._directory).as_posix()
        if file not in self._read:
            self._read[file] = _read_file(path, file)
        document, problems = self._read[file]
        self._note([_duplicate(one) for one in problems], instrument)
        return document

    def _note(self, problems: Iterable[Problem], instrument: str) -> None:
        for one in problems:
            name = one.path[1] if len(one.path) > 1 else "".join(one.path)
            place = one.place
            self.findings.append(Finding(place.file, place.line, one.code, one.message, name, instrument))


def _read_file(path: Path, file: str) -> tuple[Marked | None, list[Problem]]:
    try:
        if path.stat().st_size > MOST_BYTES:
            return None, [Problem(Place(file, 1), f"The file has more than {MOST_BYTES} bytes.")]
        document, problems = read_marked(path.read_bytes(), file)
    except OSError as error:
        return None, [Problem(Place(file, 1), f"The file cannot be read: {error.strerror}.")]
    if document is not None and not isinstance(document.value, dict):
        return None, [*problems, Problem(document.place, "The document must be a mapping of options.")]
    return document, problems


def _duplicate(problem: Problem) -> Problem:
    """Return a problem under the code that fits where it is: an enum has its own for names that stand twice."""
    if problem.code != DUPLICATE or problem.path[:1] in (("keywords",), ("derive",), ("constants",)):
        return problem
    return replace(problem, code="C07" if problem.path[0] == "enums" else "C01")


def _schema(document: Marked) -> Problem | None:
    found = document.below("schema")
    if found is not None and found.value == SCHEMA:
        return None
    return Problem(document.at("schema"), f"The file must say schema: {SCHEMA}.", ("schema",))


def _named(document: Marked, name: str) -> Problem | None:
    found = document.below("instrument")
    if found is not None and found.value == name:
        return None
    said = f"By its file, this instrument is called {name}: instrument: {name}."
    return Problem(document.at("instrument"), said, ("instrument",))
