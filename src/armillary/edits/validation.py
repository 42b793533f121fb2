"""What an edit may ask for: everything that can be judged without the file.

The web side runs these rules when a request arrives, the worker runs them again before it edits
(header-updates specification, sections 3.2 to 3.4).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from armillary.archive import models as quality
from armillary.edits.errors import ItemRefused
from armillary.edits.models import APPENDED, PRIMARY, CardState, EditRequest, Extension
from armillary.errors import ArmillaryError
from armillary.fits.keywords import check_value, is_protected, normalise_keyword
from armillary.fits.models import CardChange, Value

_OF_WORDS = quality.QUALITY_KEYWORDS | {"RELEASE"}
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits of this site."""

    protected: frozenset[str] = frozenset()
    max_cards: int = 500
    max_string: int = 1000
    hierarch: bool = True
    """Whether keywords of HIERARCH cards may be set."""


def checked(request: EditRequest, rules: Rules) -> EditRequest:
    """Return a request with keywords and values in their normal form, if this site allows them.

    Raises
    ------
    ItemRefused
        With the reason.
    """
    strict = flag(request.reject_new)
    # What a word sets a site may protect from being set otherwise, in any spelling that protects it.
    protected = frozenset(word for word in rules.protected if word.strip(" ").upper() not in _OF_WORDS)
    by_words = replace(rules, protected=protected)
    primary, cards = (
        tuple(_card(one, limits, reject_new=strict) for one in some)
        for some, limits in ((request.primary, by_words), (request.cards, rules))
    )
    if len(primary) + len(cards) > rules.max_cards:
        raise ItemRefused(f"More than {rules.max_cards} cards in one item; split it")
    return replace(
        request,
        primary=primary,
        extension=extension_of(request.extension),
        cards=cards,
        reject_new=strict,
        if_data_md5=digest_of(request.if_data_md5, "if_data_md5"),
        expect_data_md5=digest_of(request.expect_data_md5, "expect_data_md5"),
        if_cards=_states(request.if_cards),
    )


def _states(states: Collection[CardState]) -> tuple[CardState, ...]:
    for one in states:
        plain = one.value is None or isinstance(one.value, str | bool | int | float)
        if not (isinstance(one.keyword, str) and isinstance(one.there, bool) and plain):
            raise ItemRefused(
                "Illegal value for if_cards: it should be keywords, values and whether they are there"
            )
    return tuple(states)


def flag(value: object) -> bool:
    """Return the option ``reject_new``; ItemRefused if it is none."""
    if value is not None and not isinstance(value, bool):
        raise ItemRefused("Illegal value for reject_new: it should be true or false")
    return bool(value)


def release_date(text: object) -> str:
    """Return a release date as it is written into headers; ItemRefused if it is none."""
    try:
        if isinstance(text, str):
            return quality.parse_release(text).isoformat()
    except ValueError:
        pass
    raise ItemRefused(f"Invalid Release date: {text}")


def _card(change: CardChange, rules: Rules, *, reject_new: bool) -> CardChange:
    key: object = change.keyword
    value: Any = change.value
    if not isinstance(key, str):
        raise ItemRefused(f"Invalid keyword: {key}")
    try:
        if key.strip().upper() in ("", "HIERARCH"):
            raise ItemRefused(f"Protected keyword: {key}")
        keyword = normalise_keyword(key, hierarch=rules.hierarch)
        if is_protected(keyword, extra=rules.protected):
            raise ItemRefused(f"Protected keyword: {keyword}")
        if keyword in APPENDED and reject_new:
            raise ItemRefused(f"Some of the keywords don't exist in the file: {keyword}")
        if keyword in APPENDED and not isinstance(value, str):
            raise ItemRefused(f"Invalid value for keyword {keyword}")
        comment = None if change.comment is None else str(check_value(keyword, change.comment))
        return CardChange(keyword, _checked(keyword, value, rules), comment)
    except ItemRefused:
        raise
    except ArmillaryError as error:
        raise ItemRefused(error.message) from None


def _checked(keyword: str, value: Any, rules: Rules) -> Value:
    if keyword == "RELEASE":
        return release_date(value)
    if isinstance(value, list | dict):
        raise ItemRefused(f"Invalid value for keyword {keyword}")
    checked: Value = value
    check_value(keyword, checked, max_string=rules.max_string)
    return checked


def extension_of(value: object) -> Extension:
    """Return which HDU is meant; ItemRefused if it says none."""
    match value:
        case None:
            return PRIMARY
        case bool():
            pass
        case int() if value >= 0:
            return value
        case str() if _is_name(value):
            return value
        case [str() as name, int() as number] if _is_name(name) and not isinstance(number, bool):
            return (name, number)
    raise ItemRefused("Illegal value for extension: it should be an index, an EXTNAME, or [EXTNAME, EXTVER]")


def _is_name(text: str) -> bool:
    # EXTNAME is the value of a card: printable ASCII (FITS 4.0, section 4.2.1).
    return bool(text.strip()) and text.isascii() and text.isprintable()


def digest_of(value: object, name: str) -> str | None:
    """Return the option of that name, a digest; ItemRefused if it is none."""
    if value is None or (isinstance(value, str) and _MD5.fullmatch(value)):
        return value
    raise ItemRefused(f"Illegal value for {name}: it should be an md5 in lower-case hexadecimal digits")
