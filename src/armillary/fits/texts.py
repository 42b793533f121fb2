"""Texts that say a number or a logical: they become one on a card that holds one, and quotes keep them text.

Programs that cannot tell, such as fixHead, send every value as text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from armillary.fits.cards import COMMENTARY
from armillary.fits.header import Header
from armillary.fits.models import CardChange, Value
from armillary.fits.values import read_field

_QUOTE = "'"
_NUMBER = re.compile(r"(?![-+]?0[0-9])[-+0-9.eE]+")
_INT64 = range(-(1 << 63), 1 << 63)


def between_quotes(text: str) -> str | None:
    """Return what is in single or double quotes on a command line; None if nothing is."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else None


def keep_text(text: str) -> str:
    """Return the text as a request has to send it, so that it stays text on any card."""
    return f"{_QUOTE}{text}{_QUOTE}" if _says(text.strip(_QUOTE)) is not None else text


def value_written(text: str) -> Value:
    """Return the value that somebody wrote: an integer, a float, T or F, a quoted or bare text, or nothing.

    What begins with needless zeros is text: a number would lose them. Where quotes are needed to keep a text
    one, they stay.
    """
    value = text.strip()
    if value in ("T", "F"):
        return value == "T"
    if (inside := between_quotes(value)) is not None:
        return keep_text(inside)
    for kind in (int, float) if _NUMBER.fullmatch(value) else ():
        try:
            return kind(value)
        except ValueError:
            continue
    return value or None


def fit_cards(header: bytes, changes: Sequence[CardChange]) -> tuple[CardChange, ...]:
    """Return the changes with the values that they mean on the cards of a header."""
    if not any(isinstance(one.value, str) and _says(one.value.strip(_QUOTE)) is not None for one in changes):
        return tuple(changes)
    held = Header(header)
    return tuple(
        CardChange(one.keyword, fit_text(one.value, held.get(one.keyword)), one.comment)
        if isinstance(one.value, str) and one.keyword not in COMMENTARY
        else one
        for one in changes
    )


def fit_text(text: str, held: Value) -> Value:
    """Return what a text means on a card that holds this value.

    A logical becomes one on a card that holds a logical, a number on one that holds a number, a float if that
    does. In single quotes both are the text between them, whatever the card holds; all else is itself.
    """
    if (inside := _unquoted(text)) is not None:
        return inside
    value = _says(text)
    match held, value:
        case bool(), bool():
            return value
        case (bool(), _) | (_, None | bool()):
            return text
        case float(), int():
            return float(value)
        case int() | float(), int() | float():
            return value
        case complex(), _:
            return value
    return text


def _unquoted(text: str) -> str | None:
    if len(text) > 1 and text[0] == text[-1] == _QUOTE and _says(text.strip(_QUOTE)) is not None:
        return text[1:-1]
    return None


def _says(text: str) -> bool | int | float | complex | None:
    """Return the number or logical that a text says as a card would, None if it says none."""
    token = text.strip(" ")
    if not token or "/" in token or _QUOTE in token:
        return None
    reading = read_field(token)
    if reading.comment or isinstance(reading.value, str):
        return None
    if isinstance(reading.value, int) and reading.value not in _INT64:
        return None
    return reading.value
