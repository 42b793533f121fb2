"""Days, nights and spans of time as selections write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from armillary.archive.query.errors import Malformed
from armillary.archive.query.models import Between, Term

FIRST_YEAR, LAST_YEAR = 1800, 2200
DAY = timedelta(days=1)
_RELATIVE = {"yesterday": -1, "today": 0, "tomorrow": 1}
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)
_CLOCK = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,9}))?)?)?Z?", re.ASCII)
_SIDE = r"(\d{8}(?:T[\d:.]+Z?)?|yesterday|today|tomorrow)"
_COMPACT = re.compile(rf"{_SIDE}-{_SIDE}", re.ASCII)
_DAY_LIKE = re.compile(r"\d{8}|yesterday|today|tomorrow", re.ASCII)
_ISO_LIKE = re.compile(r"\d{4}-?\d\d-?\d\d.*--.*", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Span:
    """Two moments; one that was written as a mere day is its midnight, which ``day_first``, ``day_last`` tell."""

    first: datetime
    last: datetime
    day_first: bool
    day_last: bool

    @property
    def days(self) -> bool:
        """Tell whether both ends are mere days."""
        return self.day_first and self.day_last


def looks_like_day(segment: str) -> bool:
    """Tell whether a bare segment can only be meant as a day."""
    return bool(_DAY_LIKE.fullmatch(segment))


def looks_like_span(segment: str) -> bool:
    """Tell whether a bare segment can only be meant as a range of dates."""
    return bool(_COMPACT.fullmatch(segment) or _ISO_LIKE.fullmatch(segment))


def read_day(text: str, today: date) -> date:
    """Return the day that a text names: ``YYYYMMDD``, or a word relative to today.

    Raises
    ------
    Malformed
        If it names none.
    """
    moment, is_day = _moment(text, today)
    if not is_day:
        raise Malformed(f"'{text}' is more than a day; write YYYYMMDD")
    return moment.date()


def read_span(text: str, today: date) -> Span:
    """Return the span that ``A-B`` (compact), ``A--B`` or ``A B`` (ISO 8601) names; the ends may be swapped.

    Raises
    ------
    Malformed
        If there are not two ends, or one is no date.
    """
    if "--" in text:
        first, _, last = text.partition("--")
    elif " " in text:
        first, _, last = text.partition(" ")
    elif found := _COMPACT.fullmatch(text):
        first, last = found[1], found[2]
    else:
        raise Malformed(
            f"'{text}' is no range of dates; write YYYYMMDD-YYYYMMDD, or two ISO dates joined by '--'"
        )
    ends = sorted((_moment(first, today), _moment(last, today)))
    return Span(ends[0][0], ends[1][0], ends[0][1], ends[1][1])


def _moment(text: str, today: date) -> tuple[datetime, bool]:
    if text in _RELATIVE:
        return datetime.combine(today + _RELATIVE[text] * DAY, time(0), UTC), True
    day, clock, rest = text.partition("T")
    found = _DATE.fullmatch(day)
    hour = _CLOCK.fullmatch(rest) if clock else None
    if not found or (clock and not hour):
        raise Malformed(f"'{text}' is no date; write YYYYMMDD, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss")
    try:
        midnight = datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC)
        moment = datetime.combine(midnight, _clock(hour), UTC) if hour else midnight
    except ValueError:
        raise Malformed(f"'{text}' is no date of the calendar") from None
    if not FIRST_YEAR <= moment.year < LAST_YEAR:
        raise Malformed(f"'{text}' is not between {FIRST_YEAR} and {LAST_YEAR}")
    return moment, hour is None


def _clock(found: re.Match[str]) -> time:
    fraction = (found[4] or "").ljust(6, "0")[:6]
    return time(int(found[1]), int(found[2] or 0), int(found[3] or 0), int(fraction))


def utc_days(first: date, last: date) -> Term:
    """Return what was taken in whole UTC days, the last one included."""
    return Between("started_at", first, last, "[]")


def taken(span: Span) -> Term:
    """Return what was taken in a span; an end that is a day belongs to it whole."""
    if span.days:
        return utc_days(span.first.date(), span.last.date())
    return Between("started_at", span.first, span.last + DAY if span.day_last else span.last)


def recorded(field: str, span: Span) -> Term:
    """Return what was recorded or modified in a span, its end excluded."""
    return Between(field, span.first, span.last)


def nights(first: date, last: date) -> Term:
    """Return the frames of some nights, each night as its site names it.

    Gemini North: the UTC day; Gemini South: from 18:00 UTC of the day before to 18:00. The catalog holds the
    night of every frame by the rule of its site.
    """
    return Between("night", first, last, "[]")
