"""What the rules find in a header that is being built, in the form in which its side-car tells it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from armillary.base.log import get_logger
from armillary.headers.render.models import Finding, Hdu, Header
from armillary.headers.rules.service import Cell, Page, Sheet, check, finding_to_json

log = get_logger(__name__)
MOST_CARDS = 500
"""Of a header with more, the primary HDU alone is judged: announcements would wait 30 ms for 205 detectors."""


def judged(header: Header) -> Header:
    """Return a header with what the rules find in it behind what rendering noted; no value becomes another one.

    The HDUs of detectors of large cameras are judged with their files, into which they are merged.
    """
    whole = sum(len(hdu.cards) for hdu in header.hdus) <= MOST_CARDS
    try:
        sheet = sheet_of(header, header.hdus if whole else header.hdus[:1])
        found = [_finding(one) for one in map(finding_to_json, check(sheet))]
    except Exception as error:
        # A rule that stumbles over a header must not keep it from anybody.
        log.exception("header not judged", image=header.image_id)
        found = [Finding("rules", "warning", "", f"The rules could not judge it: {type(error).__name__}.")]
    return structs.replace(header, findings=[*header.findings, *found]) if found else header


def _finding(told: dict[str, object]) -> Finding:
    return Finding(**{name: told[name] for name in Finding.__struct_fields__})  # type: ignore[arg-type]


def sheet_of(header: Header, hdus: Sequence[Hdu] | None = None) -> Sheet:
    """Return a header, or some HDUs of it, as the rules see it."""
    return Sheet(tuple(map(_page, header.hdus if hdus is None else hdus)), header.image_id)


def _page(hdu: Hdu) -> Page:
    cells = (
        Cell(card.key, card.value, card.comment, card.unit or "", card.age_s, card.pick) for card in hdu.cards
    )
    return Page(hdu.name, tuple(cells))
