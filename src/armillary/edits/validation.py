"""What an edit may ask for: everything that can be judged without the file.

The web side runs these rules when a request arrives, the worker runs them again before it edits
(header-updates specification, sections 3.2 to 3.4).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from armillary.archive import models as quality
from armillary.edits.errors import ItemRefused
from armillary.edits.models import APPENDED, PRIMARY, CardState, EditRequest, Extension, Target
from armillary.errors import ArmillaryError
from armillary.fits.keywords import check_value, is_protected, normalise_keyword
from armillary.fits.models import CardChange, Value

ACTIONS = ("qa_state", "raw_site", "release", "generic")
MAX_SHOWN = 200
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


def suggest(word: str, valid: Collection[str]) -> str:
    """Return `` (did you mean 'x'?)`` with the nearest valid word, or nothing."""
    near = difflib.get_close_matches(word.lower(), list(valid), n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""


def edit_request(
    target: Target,
    values: Mapping[str, Any],
    rules: Rules,
    *,
    reject_new: object = None,
    extension: object = None,
    if_data_md5: object = None,
    expect_data_md5: object = None,
) -> EditRequest:
    """Return what is asked of a file in the words ``qa_state``, ``raw_site``, ``release`` and ``generic``.

    Nothing is assumed of the values and options; all may come from a stranger.

    Raises
    ------
    ItemRefused
        With the reason that the client reads.
    """
    for action in values:
        if action not in ACTIONS:
            raise ItemRefused(f"Unknown action: {action}{suggest(action, ACTIONS)}")
    strict, hdu = _flag(reject_new), _extension(extension)
    primary = [*_qa_state(values), *_raw_site(values), *_release(values)]
    request = EditRequest(
        target=target,
        primary=tuple(primary),
        extension=hdu,
        cards=tuple(CardChange(key, value) for key, value in _pairs(values.get("generic", {}))),
        reject_new=strict,
    )
    # Of several faults the client is told the first, and digests come last.
    return replace(
        checked(request, rules),
        if_data_md5=_digest(if_data_md5, "if_data_md5"),
        expect_data_md5=_digest(expect_data_md5, "expect_data_md5"),
    )


def checked(request: EditRequest, rules: Rules) -> EditRequest:
    """Return a request with keywords and values in their normal form, if this site allows them.

    Raises
    ------
    ItemRefused
        With the reason.
    """
    strict = _flag(request.reject_new)
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
        extension=_extension(request.extension),
        cards=cards,
        reject_new=strict,
        if_data_md5=_digest(request.if_data_md5, "if_data_md5"),
        expect_data_md5=_digest(request.expect_data_md5, "expect_data_md5"),
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


def _flag(value: object) -> bool:
    if value is not None and not isinstance(value, bool):
        raise ItemRefused("Illegal value for reject_new: it should be true or false")
    return bool(value)


def _illegal(value: object, action: str, valid: Collection[str]) -> ItemRefused:
    hint = suggest(value, valid) if isinstance(value, str) else ""
    return ItemRefused(f"Illegal value '{_shown(value)}' for action '{action}'{hint}")


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _qa_state(values: Mapping[str, Any]) -> Iterator[CardChange]:
    if "qa_state" not in values:
        return
    word = values["qa_state"]
    cards = quality.qa_cards(word) if isinstance(word, str) else None
    if cards is None:
        raise _illegal(word, "qa_state", quality.QA_CARDS)
    for keyword, value in cards:
        yield CardChange(keyword, value)


def _raw_site(values: Mapping[str, Any]) -> Iterator[CardChange]:
    if "raw_site" not in values:
        return
    words = values["raw_site"]
    for word in words if isinstance(words, list) else [words]:
        card = quality.site_cards(word) if isinstance(word, str) else None
        if card is None:
            raise _illegal(word, "raw_site", quality.SITE_CARDS)
        yield CardChange(*card)


def _release(values: Mapping[str, Any]) -> Iterator[CardChange]:
    if "release" in values:
        yield CardChange("RELEASE", _release_date(values["release"]))


def _release_date(text: object) -> str:
    try:
        if isinstance(text, str):
            return quality.parse_release(text).isoformat()
    except ValueError:
        pass
    raise ItemRefused(f"Invalid Release date: {text}")


def _pairs(generic: object) -> list[tuple[Any, Any]]:
    match generic:
        case dict():
            return list(generic.items())
        case list() if all(isinstance(pair, list) and len(pair) == 2 for pair in generic):
            return [(key, value) for key, value in generic]
    raise ItemRefused(
        f"Illegal value '{_shown(generic)}' for action 'generic'; "
        "it should be an object {KEY: value} or a list of [KEY, value] pairs"
    )


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
        return _release_date(value)
    if isinstance(value, list | dict):
        raise ItemRefused(f"Invalid value for keyword {keyword}")
    checked: Value = value
    check_value(keyword, checked, max_string=rules.max_string)
    return checked


def _extension(value: object) -> Extension:
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


def _digest(value: object, name: str) -> str | None:
    if value is None or (isinstance(value, str) and _MD5.fullmatch(value)):
        return value
    raise ItemRefused(f"Illegal value for {name}: it should be an md5 in lower-case hexadecimal digits")
