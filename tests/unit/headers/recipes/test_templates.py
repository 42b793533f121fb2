"""Templates extend others by sections: inserted, replaced, added to, removed."""

from __future__ import annotations

from pathlib import Path

from armillary.headers.models import Level
from armillary.headers.recipes import service
from armillary.headers.recipes.models import Slot, Template
from tests.support.recipes import write_small

PARENT = """
template: common/raw
volatile: [DATE]
hdus:
  primary: [{section: First}, A, B, {section: Second}, C, {section: Third}, D]
  detector: {name: "{detector}_PRIMARY", cards: [E]}
  segment: {name: "{detector}_Segment{segment}", order: ["10..12", "01..00", "99"], inherit: true, cards: [F]}
"""


def template_of(directory: Path, text: str) -> Template:
    """Return a template that extends the one above."""
    write_small(directory, raw=f"template: bar1/raw\nextends: common/raw\n{text}")
    (directory / "templates" / "common").mkdir(exist_ok=True)
    (directory / "templates" / "common" / "raw.yaml").write_text(PARENT)
    loaded = service.load(directory)
    assert [one.message for one in loaded.findings] == []
    return loaded.templates["bar1", "raw"]


def titles(template: Template) -> list[tuple[str | None, str]]:
    """Return the sections of the primary header with their cards."""
    sections = template.hdus[Level.PRIMARY].sections
    return [(one.title, " ".join(slot.key for slot in one.cards)) for one in sections]


def test_all_of_a_parent_is_inherited(tmp_path: Path) -> None:
    found = template_of(tmp_path, "")
    assert titles(found) == [("First", "A B"), ("Second", "C"), ("Third", "D")]
    assert (found.name, found.instrument, found.product, found.volatile) == (
        "bar1/raw",
        "bar1",
        "raw",
        ("DATE",),
    )
    segment = found.hdus[Level.SEGMENT]
    assert segment.order == ("10", "11", "12", "01", "00", "99")
    assert (segment.name, segment.inherit, segment.enabled) == ("{detector}_Segment{segment}", True, True)


def test_sections_are_replaced_inserted_added_to_and_removed(tmp_path: Path) -> None:
    found = template_of(
        tmp_path,
        """
volatile: []
hdus:
  primary:
    - {section: First}
    - G
    - {section: Second, remove: true}
    - {section: Third, add: true}
    - {key: SIMULATE CAMERA, hierarch: true}
    - {section: New, before: Third}
    - {key: H, constant: 1, comment: One}
    - {section: Last}
    - I
  detector: null
  segment: {enabled: false}
""",
    )
    assert titles(found) == [("First", "G"), ("New", "H"), ("Third", "D SIMULATE CAMERA"), ("Last", "I")]
    slots = {slot.key: slot for slot in found.hdus[Level.PRIMARY].slots}
    assert slots["SIMULATE CAMERA"] == Slot("SIMULATE CAMERA", hierarch=True)
    assert slots["H"] == Slot("H", constant=1, comment="One")
    assert Level.DETECTOR not in found.hdus
    segment = found.hdus[Level.SEGMENT]
    assert (segment.enabled, segment.inherit, [one.key for one in segment.slots]) == (False, True, ["F"])
    assert found.volatile == ()


def test_the_revision_is_that_of_all_that_is_listed(tmp_path: Path) -> None:
    first = template_of(tmp_path, "")
    again = template_of(tmp_path, "hdus: {primary: [{section: First}, A, B]}")
    other = template_of(tmp_path, "hdus: {primary: [{section: First}, B, A]}")
    assert first.rev == again.rev
    assert other.rev != first.rev
