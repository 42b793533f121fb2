"""How much the name of a file is worth a hurry."""

from __future__ import annotations

import re
from datetime import date

from armillary.fits.containers import logical_name

LOWEST_INGEST = -2_000_000_000
_PER_CLASS, _PER_DAY = 500_000_000, 10_000
_EPOCH = date(1970, 1, 1).toordinal()
_CLASSES = (
    (3, re.compile(r"[NS]([0-9]{8})[A-Za-z]([0-9]+)")),
    (3, re.compile(r"SDC[SHK]_([0-9]{8})_([0-9]+)")),
    (2, re.compile(r"img_([0-9]{8})_(.*)", re.DOTALL)),
    (1, re.compile(r"([0-9]{8})_(.*)_obslog\.txt", re.DOTALL)),
)


def science_priority(filename: str) -> int:
    """Return the priority of taking a file in: newest science first, below every other kind of work.

    Names that tell an observation go before pictures of cameras, those before observing logs, and everything
    else comes last; inside a class a later date goes first, then a higher number. All priorities lie from
    ``LOWEST_INGEST`` to -1.
    """
    name = logical_name(filename)
    for rank, pattern in _CLASSES:
        if found := pattern.match(name):
            return LOWEST_INGEST + rank * _PER_CLASS + _days(found[1]) * _PER_DAY + _number(found[2])
    return LOWEST_INGEST


def _days(text: str) -> int:
    """Return the days since 1970 of ``YYYYMMDD``; 0 if there is no such day."""
    try:
        days = date(int(text[:4]), int(text[4:6]), int(text[6:])).toordinal() - _EPOCH
    except ValueError:
        return 0
    return min(max(days, 0), _PER_CLASS // _PER_DAY - 1)


def _number(text: str) -> int:
    digits = re.match(r"[0-9]*", text)
    return min(int(digits[0]) if digits and digits[0] else 0, _PER_DAY - 1)
