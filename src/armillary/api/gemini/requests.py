"""Read the two forms of a header update request (header-updates specification, sections 2.3 to 2.5)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from armillary.archive.errors import FileAmbiguous, FileNotFound
from armillary.edits.errors import ItemRefused, MalformedRequest
from armillary.edits.models import Accepted, EditRequest, Refused, Target
from armillary.edits.service import Rules, request_of_words, suggest
from armillary.errors import RequestTooLarge

OPTIONS = ("reject_new", "extension", "if_data_md5", "expect_data_md5")
ITEM_KEYS = ("filename", "data_label", "values", *OPTIONS)
VALUES_MALFORMED = "This looks like a malformed request. values should be a dictionary"
NO_IDENTIFIER = "No filename or data_label given"
NESTED_TOO_DEEPLY = "Illegal value: it is nested too deeply"
MAX_DIGITS = 1000
TEXTS = {
    FileNotFound.code: "No present file found for filename or datalabel",
    FileAmbiguous.code: "Multiple files found for filename or datalabel - request is ambiguous",
}
"""What the old server says of an item that means no file, or several, by code of the error."""
BOTH_IDENTIFIERS = "filename and data_label both given -this is an invalid request"


def parse_request(body: bytes, *, max_items: int, max_cards: int) -> list[dict[str, Any]]:
    """Return the items of a request body, old form or new.

    Raises
    ------
    MalformedRequest
        If the whole request has to be refused.
    RequestTooLarge
        If it has more than ``max_items`` items, or one of them more than ``max_cards`` cards.
    """
    items = _items_of(_decode(body))
    if len(items) > max_items:
        raise RequestTooLarge(f"{len(items)} items are more than {max_items}; split the request")
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise MalformedRequest(f"item {index} is not an object")
        for key in ("filename", "data_label"):
            if key in item and not isinstance(item[key], str):
                raise MalformedRequest(f"{key} of item {index} is not a string")
        if (cards := _count_cards(item.get("values"))) > max_cards:
            raise RequestTooLarge(f"item {index} has {cards} cards, more than {max_cards}; split it")
    return items


def _count_cards(values: object) -> int:
    """Count the cards that an item asks for, whether they are right or not."""
    if not isinstance(values, dict):
        return 0
    lists = [values[action] for action in ("raw_site", "generic") if action in values]
    asked = sum(len(one) if isinstance(one, list | dict) else 1 for one in lists)
    return asked + 2 * ("qa_state" in values) + ("release" in values)


def _decode(body: bytes) -> Any:
    if not body.strip():
        raise MalformedRequest("the request has no body; send JSON")
    try:
        return json.loads(body.decode("utf-8"), parse_constant=float, parse_int=_read_int)
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"the body is not UTF-8: {error}") from None
    except RecursionError:
        raise MalformedRequest("the JSON is nested too deeply") from None
    except ValueError as error:
        raise MalformedRequest(f"the body is not valid JSON: {error}") from None


def _read_int(digits: str) -> int | float:
    # Like NaN and Infinity, which Python reads as an extension of JSON, endless integers become values that
    # no card can hold, so that the one item with such a value is refused and not its neighbours.
    return int(digits) if len(digits) <= MAX_DIGITS else math.inf


def _items_of(content: Any) -> list[Any]:
    match content:
        case list():
            return content
        case {"request": list() as items}:
            return items
        case {"request": _}:
            raise MalformedRequest("request should be a list of items")
        case dict():
            raise MalformedRequest("the object has no list named request")
        case _:
            raise MalformedRequest(
                "the request should be a list of items or an object with a list named request"
            )


def read_items(raw: Sequence[dict[str, Any]], rules: Rules) -> list[EditRequest | Refused]:
    """Read every item on its own; one that is wrong does not concern its neighbours."""
    return [_read_item(item, rules) for item in raw]


def _read_item(raw: dict[str, Any], rules: Rules) -> EditRequest | Refused:
    target = None
    if "filename" in raw or "data_label" in raw:
        target = Target(raw.get("filename"), raw.get("data_label"))
    if not isinstance(raw.get("values"), dict):
        return Refused(None, ItemRefused(VALUES_MALFORMED))
    if target is None:
        return Refused(None, ItemRefused(NO_IDENTIFIER))
    if target.filename is not None and target.data_label is not None:
        return Refused(None, ItemRefused(BOTH_IDENTIFIERS))
    try:
        for key in raw:
            if key not in ITEM_KEYS:
                raise ItemRefused(f"Unknown item key: {key}{suggest(key, ITEM_KEYS)}")
        options = {key: raw.get(key) for key in OPTIONS}
        return request_of_words(target, raw["values"], rules, **options)
    except RecursionError:
        return Refused(target, ItemRefused(NESTED_TOO_DEEPLY))
    except ItemRefused as refused:
        return Refused(target, refused)


def reason_of(code: str | None, text: str) -> str:
    """Return how the old server says why an item is refused: clients compare some of its texts."""
    return TEXTS.get(code or "", text)


def element_of(answer: Accepted | Refused) -> dict[str, Any]:
    """Return the element of a reply."""
    element: dict[str, Any] = {"result": isinstance(answer, Accepted)}
    if isinstance(answer, Refused):
        element["error"] = reason_of(answer.error.code, answer.error.message)
    if answer.target is not None:
        element["id"] = answer.target.id
    return element
