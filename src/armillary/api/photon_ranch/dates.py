"""Dates of requests: ISO forms with any gap in the middle, or seconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

_DATE = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[ T+](?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>\.\d+)?)?)?"
    r"(?P<offset>Z|z|[+\- ]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)
_SECONDS = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)


def read_date(value: Any) -> datetime | None:
    """Return the instant that a value means, in UTC; None if it is none.

    ``YYYY-MM-DD``, optionally with an hour, minutes and seconds behind a blank, ``T`` or ``+``, and an offset from
    UTC, whose plus sign may have become a blank on the way; or seconds since 1970.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    try:
        if _SECONDS.fullmatch(text):
            return datetime.fromtimestamp(float(text), UTC)
        found = _DATE.fullmatch(text)
        return _instant(found) if found else None
    except (ValueError, OverflowError, OSError):
        return None


def _instant(found: re.Match[str]) -> datetime:
    day = datetime.fromisoformat(found["day"]).replace(tzinfo=_zone(found["offset"]))
    seconds = float((found["second"] or "0") + (found["fraction"] or ""))
    hour, minute = int(found["hour"] or 0), int(found["minute"] or 0)
    if hour > 24 or minute > 59 or seconds >= 61:
        raise ValueError("no time of day")
    return (day + timedelta(hours=hour, minutes=minute, seconds=seconds)).astimezone(UTC)


def _zone(offset: str | None) -> timezone:
    if not offset or offset in "Zz":
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    gap = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-gap if offset[0] == "-" else gap)
