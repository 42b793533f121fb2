"""The words for cards in which header updates ask: ``qa_state``, ``raw_site``, ``release`` and ``generic``.

They came with Gemini's interface (header-updates specification, section 2.3). They are read here, and not in that
dialect, because the native routes and the command line take them, too, and because change sets, and orders of
earlier releases, are kept in them. Whoever has cards makes an `EditRequest` and lets it be `checked`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from armillary.archive import models as quality
from armillary.edits.errors import ItemRefused
from armillary.edits.models import EditRequest, Target
from armillary.edits.validation import Rules, checked, digest_of, extension_of, flag, release_date
from armillary.fits.models import CardChange

ACTIONS = ("qa_state", "raw_site", "release", "generic")
MAX_SHOWN = 200


def suggest(word: str, valid: Collection[str]) -> str:
    """Return `` (did you mean 'x'?)`` with the nearest valid word, or nothing."""
    near = difflib.get_close_matches(word.lower(), list(valid), n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""


def request_of_words(
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
    strict, hdu = flag(reject_new), extension_of(extension)
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
        if_data_md5=digest_of(if_data_md5, "if_data_md5"),
        expect_data_md5=digest_of(expect_data_md5, "expect_data_md5"),
    )


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
        yield CardChange("RELEASE", release_date(values["release"]))


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
