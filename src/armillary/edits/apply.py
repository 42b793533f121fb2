"""Apply edit requests to the headers of a file in memory: the pure middle of an edit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from armillary.edits.errors import CardsChanged, ExtensionNotFound, ItemRefused
from armillary.edits.models import PRIMARY, CardState, EditRequest, Extension
from armillary.fits.edit import edit_header
from armillary.fits.header import Header
from armillary.fits.models import CardEffect, Layout
from armillary.fits.plan import relayout
from armillary.fits.texts import fit_cards
from armillary.fits.values import same_value

Created = Mapping[int, Collection[str]]
"""Keywords that earlier edits bring into existence, by HDU."""

_NOTHING: Created = {}


@dataclass(frozen=True, slots=True)
class HduEffect:
    """What an item did to one card of one HDU."""

    extension: int
    effect: CardEffect


def find_extension(layout: Layout, extension: Extension) -> int:
    """Return the index of the HDU that an item names.

    The primary header of a tile-compressed file lies in extension 1, marked by ZSIMPLE
    (FITS 4.0, section 10.1.1).

    Raises
    ------
    ExtensionNotFound
        If there is none, or more than one.
    """
    if extension == PRIMARY:
        return _logical_primary(layout)
    match extension:
        case int():
            found = [extension] if extension < len(layout.hdus) else []
        case str():
            found = [h.index for h in layout.hdus if h.index and _same(h.name, extension)]
        case (name, number):
            found = [h.index for h in layout.hdus if h.index and _same(h.name, name) and h.version == number]
    if len(found) == 1:
        return found[0]
    count = "no" if not found else f"{len(found)}"
    names = ", ".join(f"{h.index}: {h.name or '(no name)'}" for h in layout.hdus[:20])
    raise ExtensionNotFound(f"The file has {count} extension {extension!r}; it has {names}")


def _same(name: str, wanted: str) -> bool:
    return name.strip().upper() == wanted.strip().upper()


def _logical_primary(layout: Layout) -> int:
    if len(layout.hdus) > 1 and "ZSIMPLE" in Header(layout.headers[1]).keywords():
        return 1
    return 0


def apply_request(
    layout: Layout, request: EditRequest, data_sum: Callable[[int], int] | None = None
) -> tuple[Layout, list[HduEffect]]:
    """Return the layout with new headers and what changed; all cards land or none.

    Parameters
    ----------
    data_sum
        Returns the sum of the data of an HDU, asked where CHECKSUM and DATASUM contradict each other.

    Raises
    ------
    ExtensionNotFound
        If an HDU is not there.
    CardsChanged
        If a card is not as the request says.
    ArmillaryError
        If a card cannot be written, or would be new where new ones are refused.
    """
    effects: list[HduEffect] = []
    targets = [(find_extension(layout, extension), changes) for extension, changes in request.by_extension()]
    refuse_changed_cards(layout, request)
    if request.reject_new:
        refuse_new_keywords(layout, request)
    for index, changes in targets:
        after = layout.size - layout.hdus[index].data_offset
        edited = edit_header(
            layout.headers[index],
            fit_cards(layout.headers[index], changes),
            bytes_after=after,
            data_sum=partial(data_sum, index) if data_sum else None,
        )
        if edited.effects:
            layout = relayout(layout, {index: edited.header})
            effects += [HduEffect(index, effect) for effect in edited.effects]
    return layout, effects


def missing_keywords(layout: Layout, request: EditRequest, created: Created = _NOTHING) -> list[str]:
    """Return the keywords of a request that its HDUs lack; ``created`` names some that are on their way."""
    missing: list[str] = []
    for extension, changes in request.by_extension():
        index = find_extension(layout, extension)
        there, coming = Header(layout.headers[index]).keywords(), created.get(index, ())
        missing += [c.keyword for c in changes if c.keyword not in there and c.keyword not in coming]
    return missing


def refuse_new_keywords(layout: Layout, request: EditRequest, created: Created = _NOTHING) -> None:
    """Refuse a request that would bring keywords into existence, in any of its HDUs.

    Raises
    ------
    ItemRefused
        Naming all of them.
    """
    if missing := missing_keywords(layout, request, created):
        raise ItemRefused(f"Some of the keywords don't exist in the file: {', '.join(missing)}")


def refuse_changed_cards(layout: Layout, request: EditRequest) -> None:
    """Refuse a request that was made for other cards than its HDU has by now.

    Raises
    ------
    CardsChanged
        Naming all of them.
    """
    if not request.if_cards:
        return
    header = Header(layout.headers[find_extension(layout, request.extension)])
    now = states_of(header, [one.keyword for one in request.if_cards])
    changed = [
        then.keyword
        for then, one in zip(request.if_cards, now, strict=True)
        if then.there is not one.there or not same_value(then.value, one.value)
    ]
    if changed:
        raise CardsChanged(f"Changed since the edit was prepared: {', '.join(changed)}")


def states_of(header: Header, keywords: Iterable[str]) -> tuple[CardState, ...]:
    """Return how the cards of some keywords are; complex values as texts, since orders are JSON."""
    there, values = header.keywords(), header.values()
    found = ((one, values.get(one), one in there) for one in keywords)
    return tuple(
        CardState(one, str(value) if isinstance(value, complex) else value, held)
        for one, value, held in found
    )
