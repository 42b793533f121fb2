"""What differs between two versions of a file, card beside card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from armillary.fits.cards import name_of

MOST = 400
"""Rows of a comparison that are shown."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A card of an HDU before and after; None where there was none."""

    hdu: int
    old: str | None
    new: str | None


def side_by_side(differing: Iterable[tuple[int, str, str]]) -> Iterator[Pair]:
    """Yield the cards that differ in pairs: of those that lie together, those of one keyword in their order."""
    for hdu, cards in groupby(differing, key=lambda one: one[0]):
        for old, new in _changes([(sign, card) for _, sign, card in cards]):
            yield from _pairs(hdu, old, new)


def _changes(cards: Sequence[tuple[str, str]]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield cards that were left out with those that took their place."""
    old: list[str] = []
    new: list[str] = []
    for sign, card in cards:
        if sign == "-" and new:
            yield old, new
            old, new = [], []
        (old if sign == "-" else new).append(card)
    yield old, new


def _pairs(hdu: int, old: Sequence[str], new: Sequence[str]) -> Iterator[Pair]:
    left = list(old)
    for card in new:
        same = next((one for one in left if _keyword(one) == _keyword(card)), None)
        if same is not None:
            left.remove(same)
        yield Pair(hdu, same, card)
    yield from (Pair(hdu, card, None) for card in left)


def _keyword(card: str) -> str:
    return name_of(card.encode("latin-1").ljust(80))
