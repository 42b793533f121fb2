"""All checks of a directory, less what instruments waive."""

from __future__ import annotations

from collections.abc import Iterable

from armillary.headers.recipes.lint import crossing, layouts, telemetry, values
from armillary.headers.recipes.lint.notes import Notes
from armillary.headers.recipes.loading import Loaded
from armillary.headers.recipes.models import Finding
from armillary.headers.recipes.outlines import Outline

CODES = frozenset(
    [f"C{number:02}" for number in range(1, 15)]
    + [f"T{number:02}" for number in range(1, 10)]
    + [f"X{number:02}" for number in range(1, 8)]
)
_REMARKS = frozenset({"X06", "X07"})


def lint(loaded: Loaded, *, instrument: str | None = None) -> list[Finding]:
    """Return what is wrong with a directory, or with what one of its instruments uses, by file and line."""
    notes = {name: Notes(name) for name in loaded.recipes}
    for name, note in notes.items():
        _check_instrument(loaded, name, note)
    crossing.check_units(loaded.recipes, loaded.documents, notes)
    found = [*loaded.findings, *(one for note in notes.values() for one in note.findings)]
    found += _strays(loaded)
    if instrument is not None:
        found = [one for one in found if one.instrument in (instrument, "")]
    kept = [one for one in found if not _waived(loaded, one)]
    # What several instruments inherit is told once.
    once = {(one.file, one.line, one.code, one.message): one for one in sorted(kept)}
    return sorted(once.values())


def blocking(findings: Iterable[Finding]) -> list[Finding]:
    """Return those findings for which an instrument does not start."""
    return [one for one in findings if one.code not in _REMARKS]


def _check_instrument(loaded: Loaded, name: str, notes: Notes) -> None:
    recipe, document = loaded.recipes[name], loaded.documents[name]
    telemetry.check(recipe, document, loaded.catalogue, notes)
    values.check(recipe, document, notes)
    own = {key: one for key, one in loaded.outlines.items() if key.partition("/")[0] == name}
    for outline in own.values():
        layouts.check(outline, recipe, notes)
    if not loaded.broken.intersection(own):
        crossing.check(recipe, document, list(own.values()), notes)
    for number, waiver in enumerate(recipe.waive):
        place = document.at("waive", number)
        if waiver.code not in CODES:
            notes.add("C09", waiver.name, place, f"There is no code {waiver.code} to waive.")
        elif not waiver.reason.strip():
            notes.add("C01", waiver.name, place, "Say why this is waived.")


def _strays(loaded: Loaded) -> list[Finding]:
    """Return the findings of templates that no instrument has and none extends; others are judged with those."""
    extended = {one.extends for one in loaded.outlines.values()}
    found: list[Finding] = []
    for name, outline in loaded.outlines.items():
        if name.partition("/")[0] not in loaded.recipes and name not in extended:
            found += _check_stray(outline)
    return found


def _check_stray(outline: Outline) -> list[Finding]:
    notes = Notes(outline.name.partition("/")[0])
    layouts.check(outline, None, notes)
    return notes.findings


def _waived(loaded: Loaded, finding: Finding) -> bool:
    recipe = loaded.recipes.get(finding.instrument)
    return recipe is not None and any(
        (one.code, one.name) == (finding.code, finding.name) and one.reason.strip() for one in recipe.waive
    )
