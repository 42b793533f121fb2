"""Record-valued cards (FITS WCS Paper IV, section 2.3): several of one keyword, each with a field and its value.

``DW3 = 'AXIS.1: 1'`` is the field ``AXIS.1`` of ``DW3``, and is called ``DW3.AXIS.1``.
"""

from __future__ import annotations

import math
import re

from armillary.fits.cards import body_of
from armillary.fits.header import read_values
from armillary.fits.models import CARD, Value

_BEGINS = re.compile(rb"= ' *[A-Za-z_][A-Za-z0-9_.]*: ")
"""Most headers have no such text at all, which is soon found out."""
_RECORD = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.]*):\s+(\S.*)", re.DOTALL)
_DISTORTION = re.compile(r"D[PQVW]\d+[A-Z]?")
"""Keywords that have no other use. Of others, such as a note, a text with a colon is only a text."""
_VALUE_AT = 8
MOST = 1000


def record_values(raw: bytes, *, any_text: bool = False) -> dict[str, Value]:
    """Return the values of record-valued cards by keyword and field; the first one to say a field wins.

    Values are numbers, of distortions texts, too, and with ``any_text`` of all keywords.
    """
    body, found = body_of(raw), dict[str, Value]()
    for match in _BEGINS.finditer(body):
        at, column = match.start() // CARD * CARD, match.start() % CARD
        if column == _VALUE_AT and len(found) < MOST:
            _read(_with_continuation(body, at), found, any_text=any_text)
    return found


def _with_continuation(body: bytes, at: int) -> bytes:
    stop = at + CARD
    while body.startswith(b"CONTINUE", stop):
        stop += CARD
    return body[at:stop]


def _read(card: bytes, found: dict[str, Value], *, any_text: bool) -> None:
    for keyword, text in read_values(card).items():
        record = _RECORD.fullmatch(text) if isinstance(text, str) else None
        if record is None:
            continue
        value = _number_or_text(record[2].strip())
        if any_text or not isinstance(value, str) or _DISTORTION.fullmatch(keyword):
            found.setdefault(f"{keyword}.{record[1].upper()}", value)


def _number_or_text(text: str) -> Value:
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) and "_" not in text else text
    return text
