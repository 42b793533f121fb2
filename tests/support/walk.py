"""A page of instructions as something that can be done: its commands, section by section."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Section:
    """A heading, and the commands below it."""

    title: str
    blocks: tuple[str, ...]


def sections(page: Path) -> list[Section]:
    """Return the sections of a page, all of whose blocks must be commands."""
    found = []
    for part in re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        blocks = BLOCK.findall(text)
        assert all(language == "sh" for language, _ in blocks), f"{title}: a block that nobody runs"
        assert text.count("```") == 2 * len(blocks), f"{title}: a block that is not closed"
        found.append(Section(title, tuple(commands for _, commands in blocks)))
    return found
