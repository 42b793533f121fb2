"""What a header update may ask for: everything that can be judged without the file.

The web side runs these rules when a request arrives, the worker runs them again before it edits
(header-updates specification, sections 3.2 to 3.4).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from armillary.archive import quality
from armillary.edits.errors import ItemRefused
from armillary.edits.models import APPENDED, PRIMARY, Extension, Wish
from armillary.errors import ArmillaryError
from armillary.fits.keywords import check_value, is_protected, normalise_keyword
from armillary.fits.models import CardChange, Value

ACTIONS = ("qa_state", "raw_site", "release", "generic")
ITEM_KEYS = (
    "filename",
    "data_label",
    "values",
    "reject_new",
    "extension",
    "if_data_md5",
    "expect_data_md5",
)
MAX_SHOWN = 200
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits of this site."""

    protected: frozenset[str] = frozenset()
    max_cards: int = 500
    max_string: int = 1000


def suggest(word: str, valid: Collection[str]) -> str:
    """Return `` (did you mean 'x'?)`` with the nearest valid word, or nothing."""
    near = difflib.get_close_matches(word.lower(), list(valid), n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""


def read_wish(item: dict[str, Any], rules: Rules) -> Wish:
    """Return what an item asks for.

    Raises
    ------
    ItemRefused
        With the reason that the client reads.
    """
    values = item["values"]
    for action in values:
        if action not in ACTIONS:
            raise ItemRefused(f"Unknown action: {action}{suggest(action, ACTIONS)}")
    reject_new = item.get("reject_new")
    if reject_new is not None and not isinstance(reject_new, bool):
        raise ItemRefused("Illegal value for reject_new: it should be true or false")
    extension = _extension(item.get("extension"))
    primary = [*_qa_state(values), *_raw_site(values), *_release(values)]
    generic = list(_generic(values, rules, reject_new=bool(reject_new)))
    if len(primary) + len(generic) > rules.max_cards:
        raise ItemRefused(f"More than {rules.max_cards} cards in one item; split it")
    return Wish(
        primary=tuple(primary),
        extension=extension,
        generic=tuple(generic),
        reject_new=bool(reject_new),
        if_data_md5=_digest(item, "if_data_md5"),
        expect_data_md5=_digest(item, "expect_data_md5"),
    )


def _illegal(value: object, action: str, valid: Collection[str]) -> ItemRefused:
    hint = suggest(value, valid) if isinstance(value, str) else ""
    return ItemRefused(f"Illegal value '{_shown(value)}' for action '{action}'{hint}")


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _qa_state(values: dict[str, Any]) -> Iterator[CardChange]:
    if "qa_state" not in values:
        return
    word = values["qa_state"]
    cards = quality.qa_cards(word) if isinstance(word, str) else None
    if cards is None:
        raise _illegal(word, "qa_state", quality.QA_CARDS)
    for keyword, value in cards:
        yield CardChange(keyword, value)


def _raw_site(values: dict[str, Any]) -> Iterator[CardChange]:
    if "raw_site" not in values:
        return
    words = values["raw_site"]
    for word in words if isinstance(words, list) else [words]:
        card = quality.site_cards(word) if isinstance(word, str) else None
        if card is None:
            raise _illegal(word, "raw_site", quality.SITE_CARDS)
        yield CardChange(*card)


def _release(values: dict[str, Any]) -> Iterator[CardChange]:
    if "release" in values:
        yield CardChange("RELEASE", _release_date(values["release"]))


def _release_date(text: object) -> str:
    try:
        if isinstance(text, str):
            return quality.parse_release(text).isoformat()
    except ValueError:
        pass
    raise ItemRefused(f"Invalid Release date: {text}")


def _generic(values: dict[str, Any], rules: Rules, *, reject_new: bool) -> Iterator[CardChange]:
    for key, value in _pairs(values.get("generic", {})):
        yield _generic_change(key, value, rules, reject_new=reject_new)


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


def _generic_change(key: object, value: Any, rules: Rules, *, reject_new: bool) -> CardChange:
    if not isinstance(key, str):
        raise ItemRefused(f"Invalid keyword: {key}")
    try:
        if key.strip().upper() in ("", "HIERARCH"):
            raise ItemRefused(f"Protected keyword: {key}")
        keyword = normalise_keyword(key)
        if is_protected(keyword, extra=rules.protected):
            raise ItemRefused(f"Protected keyword: {keyword}")
        if keyword in APPENDED and reject_new:
            raise ItemRefused(f"Some of the keywords don't exist in the file: {keyword}")
        if keyword in APPENDED and not isinstance(value, str):
            raise ItemRefused(f"Invalid value for keyword {keyword}")
        return CardChange(keyword, _checked(keyword, value, rules))
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


def _digest(item: dict[str, Any], key: str) -> str | None:
    value = item.get(key)
    if value is not None and not (isinstance(value, str) and _MD5.fullmatch(value)):
        raise ItemRefused(f"Illegal value for {key}: it should be an md5 in lower-case hexadecimal digits")
    return value
