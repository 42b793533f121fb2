"""The form of headers: FITS 4.0 where the bytes are there, and keywords that occur twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from armillary.fits.cards import body_of, split_cards, unreadable
from armillary.headers.rules.models import Deviation, Group, Rule, Severity
from armillary.headers.rules.sheet import Page, Sheet

_MANY = frozenset({"COMMENT", "HISTORY", "", "CONTINUE", "HIERARCH", "END"})
_LEGAL = re.compile(r"[A-Z0-9_-]{1,8}", re.ASCII)
_HIERARCH = re.compile(r"[A-Z0-9_ .-]{1,68}", re.ASCII)
_FIRST = ("SIMPLE", "BITPIX", "NAXIS")
_EXTENSION = ("XTENSION", "BITPIX", "NAXIS")
_PRINTABLE = re.compile(rb"[ -~]*")


def trouble(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Tell of files that could not be read, or not to their end."""
    if sheet.trouble:
        yield Deviation("", None, None, text=sheet.trouble)


def duplicates(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find keywords that occur twice in one HDU."""
    for number, page in enumerate(sheet.pages):
        first: dict[str, object] = {}
        equal: list[str] = []
        for cell in page.cells:
            if cell.keyword in _MANY:
                continue
            if cell.keyword not in first:
                first[cell.keyword] = cell.value
            elif first[cell.keyword] == cell.value:
                equal.append(cell.keyword)
            else:
                was = first[cell.keyword]
                yield Deviation(
                    cell.keyword,
                    was if isinstance(was, str | int | float | bool) else None,
                    cell.value,
                    None,
                    None,
                    f"{cell.keyword} occurs again with another value in {_called(number, page)}.",
                )
        if equal:
            names = ", ".join(dict.fromkeys(equal))
            yield Deviation(
                names,
                None,
                None,
                None,
                None,
                f"{names} occur twice with one value in {_called(number, page)}.",
                severity=Severity.NOTE,
            )


def _called(number: int, page: Page) -> str:
    return f"HDU {number}" + (f" ({page.name})" if page.name else "")


def keywords(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find keywords that FITS cannot have."""
    for number, page in enumerate(sheet.pages):
        bad = [
            cell.keyword
            for cell in page.cells
            if cell.keyword not in _MANY
            and not (
                _LEGAL.fullmatch(cell.keyword)
                or (_is_hierarch(cell.keyword) and _HIERARCH.fullmatch(cell.keyword))
            )
        ]
        if bad:
            yield Deviation(
                ", ".join(dict.fromkeys(bad)),
                "A-Z, 0-9, - and _",
                bad[0],
                text=f"Illegal keywords in {_called(number, page)}.",
            )


def _is_hierarch(keyword: str) -> bool:
    return " " in keyword or len(keyword) > 8 or "." in keyword


def cards(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find cards whose bytes are not as FITS has them; a blank date stays as it is."""
    for number, page in enumerate(sheet.pages):
        if page.raw is None:
            continue
        where = _called(number, page)
        body = body_of(page.raw)
        # Nearly every header passes both looks at the whole; cards are looked at one by one where it does not.
        suspicious = not _PRINTABLE.fullmatch(body) or any(cell.value is None for cell in page.cells)
        for raw in split_cards(body) if suspicious else ():
            if not _PRINTABLE.fullmatch(raw):
                shown = raw[:8].decode("ascii", "replace").strip()
                yield Deviation(
                    shown,
                    "printable ASCII",
                    None,
                    text=f"{shown} in {where} has bytes outside printable ASCII.",
                )
            elif raw[8:10] == b"= " and raw[:8].strip() and (found := unreadable(raw)):
                keyword = raw[:8].decode("ascii").strip()
                if keyword not in _MANY:
                    yield Deviation(
                        keyword,
                        "a legal value",
                        found[0],
                        text=f"The value of {keyword} in {where} is not legal.",
                    )
        yield from _order(number, page, where)


def _order(number: int, page: Page, where: str) -> Iterator[Deviation]:
    wanted = _EXTENSION if number else _FIRST
    found = tuple(cell.keyword for cell in page.cells[:3])
    if len(page.cells) >= 3 and found != wanted:
        yield Deviation(
            ", ".join(wanted),
            ", ".join(wanted),
            ", ".join(found),
            text=f"The first cards of {where} are others.",
        )


RULES = (
    Rule(
        "fits-readable",
        Group.FITS,
        Severity.ERROR,
        "the file",
        "readable to its end",
        "The file cannot be read.",
        trouble,
    ),
    Rule(
        "fits-card",
        Group.FITS,
        Severity.ERROR,
        "the bytes of the cards",
        "FITS 4.0, sections 4.1 to 4.4",
        "The card is not as FITS has it.",
        cards,
    ),
    Rule(
        "fits-keyword",
        Group.FITS,
        Severity.ERROR,
        "all keywords",
        "A-Z, 0-9, - and _, at most 8 without HIERARCH",
        "FITS has no such keyword.",
        keywords,
    ),
    Rule(
        "fits-duplicate",
        Group.FITS,
        Severity.WARNING,
        "all keywords",
        "each keyword once in an HDU",
        "The keyword occurs twice.",
        duplicates,
    ),
)
