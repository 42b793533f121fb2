"""What is inside of a request: names as text, payloads as the very bytes of their JSON."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any

import msgspec

from armillary.pipe.errors import BadPayload, BadQueueName
from armillary.pipe.models import LONGEST_NAME, Payload

_HIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
LARGEST = 1.7976931348623157e308
"""The largest number that clients can be expected to read (IEEE 754, binary64)."""


def payload_of(raw: bytes) -> Payload:
    """Return a payload, of which the text stays as it was sent.

    Raises
    ------
    BadPayload
        If it is no JSON in UTF-8, or holds a number that nobody can read.
    """
    try:
        value = msgspec.json.decode(raw)
        # Equal values have one form here, however they were written.
        canonical = msgspec.json.encode(value, order="deterministic")
        text = raw.decode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError, ValueError) as error:
        raise BadPayload(f"The payload cannot be stored: {str(error) or type(error).__name__}.") from None
    if b"e" not in raw and len(raw) > 300 and not _readable(value):
        raise BadPayload("The payload cannot be stored: it holds a number that is out of range.")
    request = value.get("request") if isinstance(value, dict) else None
    digest = hashlib.sha256(canonical).hexdigest()
    return Payload(msgspec.Raw(raw), text, digest, request if isinstance(request, str) else None)


def _readable(value: Any) -> bool:
    """Tell whether all integers fit into a double; of other numbers the parser has made sure."""
    match value:
        case dict():
            return all(map(_readable, value.values()))
        case list():
            return all(map(_readable, value))
        case int():
            return -LARGEST <= value <= LARGEST
    return True


def name_of(value: object) -> str:
    """Return a name of a queue as text, empty if there is none.

    Raises
    ------
    BadQueueName
        If it cannot be shown, or is too long; it is never cut.
    """
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise BadQueueName("queue_name must be a text or a number")
    name = str(value)
    if len(name) > LONGEST_NAME or not is_shown(name):
        raise BadQueueName(
            f"queue_name must have at most {LONGEST_NAME} characters, all of which can be shown"
        )
    return name


def is_shown(text: str) -> bool:
    """Tell whether a text holds nothing but characters that can be shown, and stored."""
    if text.isascii():
        return text.isprintable()
    return not any(unicodedata.category(character) in _HIDDEN for character in text)
