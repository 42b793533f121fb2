"""What a header changes in the file that it is merged into: pure, and nothing the second time.

Structure, scaling and compression belong to the pixels, everything else on the template to the header. Where the
file was changed since the last merge, the change stays and is reported. In the first merge what the file came with
gives way, and is reported, too; what people have set since then stays.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec import Struct

from armillary.fits.header import Header
from armillary.fits.keywords import is_protected
from armillary.fits.models import CardChange, Value
from armillary.fits.texts import keep_text
from armillary.fits.values import same_value
from armillary.headers.merging.names import primary_of
from armillary.headers.render.fitsfile import remark_of
from armillary.headers.render.models import Card, Hdu, Scalar

PRIMARY = "PRIMARY"
_WORLD = re.compile(r"CTYPE|CRVAL|CRPIX|CDELT|CUNIT|CD[0-9]+_[0-9]+|PC[0-9]+_[0-9]+")


class Conflict(Struct, frozen=True):
    """A card that is not as the header says, or had been another one before the first merge."""

    hdu: str
    key: str
    ours: Scalar
    theirs: Scalar
    kept: str
    """`file` or `header`: whose value it has now."""


class Merge(Struct, frozen=True):
    """What to do: changes by the index of the HDU, what is to be reported, HDUs that the file lacks."""

    changes: dict[int, list[CardChange]]
    conflicts: list[Conflict]
    absent: list[str]


def merge(
    theirs: Sequence[Hdu],
    base: Sequence[Hdu] | None,
    headers: Sequence[bytes],
    volatile: Sequence[str],
    *,
    people: Collection[tuple[int, str]] = (),
) -> Merge:
    """Return what makes the headers of a file those of a revision.

    Parameters
    ----------
    theirs
        The HDUs of the new revision that the file has, or should have.
    base
        Those of the revision that was merged before; None before the first merge.
    headers
        The headers of the file, byte for byte.
    volatile
        Keywords that say when and as what the header was made, and so nothing of the image.
    people
        Cards that people have set since the file came, by the index of the HDU and keyword: they stay in the first
        merge, too.
    """
    places = _places(headers)
    before = {hdu.name: {card.key: card for card in hdu.cards} for hdu in base or ()}
    changes: dict[int, list[CardChange]] = {}
    conflicts: list[Conflict] = []
    for hdu in theirs:
        if (at := places.get(hdu.name.upper())) is None:
            continue
        cards = [one for one in hdu.cards if one.key not in volatile and not is_protected(one.key)]
        known = None if base is None else before.get(hdu.name, {})
        own = {key for place, key in people if place == at}
        wanted, found = _merge_hdu(hdu.name, cards, known, Header(headers[at]), own)
        conflicts += found
        if wanted:
            changes[at] = wanted
    absent = [one.name for one in theirs if one.name.upper() not in places]
    return Merge(changes, conflicts, absent)


def _places(headers: Sequence[bytes]) -> Mapping[str, int]:
    places = {PRIMARY: primary_of(headers)}
    for at, header in enumerate(headers[1:], 1):
        name = Header(header).get("EXTNAME")
        if isinstance(name, str) and name.strip():
            places.setdefault(name.strip().upper(), at)
    return places


def _merge_hdu(
    name: str,
    cards: Sequence[Card],
    before: Mapping[str, Card] | None,
    ours: Header,
    own: Collection[str],
) -> tuple[list[CardChange], list[Conflict]]:
    there, values = ours.keywords(), ours.values()
    has_world = any(key.startswith("CRVAL") for key in there)
    changes: list[CardChange] = []
    conflicts: list[Conflict] = []
    for card in cards:
        key, held = card.key, values.get(card.key)
        if before is None:
            # An approximate plate solution never replaces a real one.
            if has_world and _WORLD.match(key):
                continue
            if key in own and key in there:
                if not _same(held, card.value):
                    conflicts.append(Conflict(name, key, plain(held), card.value, "file"))
                continue
            if key in there and held is not None and not _same(held, card.value):
                conflicts.append(Conflict(name, key, plain(held), card.value, "header"))
            changes.append(_change(card))
        elif key not in before or not _same(before[key].value, card.value):
            old = before[key].value if key in before else None
            if key not in there or _same(held, old):
                changes.append(_change(card))
            elif not _same(held, card.value):
                conflicts.append(Conflict(name, key, plain(held), card.value, "file"))
    return changes, conflicts


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values are one: a number read from a card may have lost its point."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return isinstance(one, bool) is isinstance(other, bool) and float(one) == float(other)
    return same_value(one, other)


def plain(value: Value) -> Scalar:
    """Return the value of a card as JSON can tell it: a complex number as text."""
    return str(value) if isinstance(value, complex) else value


def _change(card: Card) -> CardChange:
    value = keep_text(card.value) if isinstance(card.value, str) else card.value
    return CardChange(card.key, value, remark_of(card.unit, card.comment))
