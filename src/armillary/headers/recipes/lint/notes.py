"""Findings as the checks note them."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from armillary.headers.recipes.marked import Place
from armillary.headers.recipes.models import Finding


class Notes:
    """The findings of one instrument."""

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.findings: list[Finding] = []

    def add(self, code: str, name: str, place: Place, message: str) -> None:
        """Note what is wrong with something of that name."""
        self.findings.append(Finding(place.file, place.line, code, message, name, self.instrument))


def nearest(word: str, words: Collection[str]) -> str:
    """Return the end of a message that names the nearest known word."""
    near = get_close_matches(word, sorted({*words} - {word}), 1)
    return f"; did you mean {near[0]}?" if near else "."
