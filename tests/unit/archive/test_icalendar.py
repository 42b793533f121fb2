"""Calendars of releases keep the rules of RFC 5545."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from armillary.archive.query.icalendar import MOST_OCTETS, as_icalendar
from armillary.archive.query.releases import Release

STAMP = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DAY = date(2026, 2, 28)


def unfolded(text: str) -> list[str]:
    """Return the lines as section 3.1 says to read them."""
    return text.replace("\r\n ", "").removesuffix("\r\n").split("\r\n")


def test_days_are_events_with_what_becomes_public() -> None:
    releases = [
        Release(DAY, "CHROMIS", "P1", 1),
        Release(DAY, None, None, 2),
        Release(date.max, "CRISP", "P;2", 1),
    ]
    assert unfolded(as_icalendar(releases, stamp=STAMP)) == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Armillary//Releases//EN",
        "BEGIN:VEVENT",
        "UID:release-20260228@armillary",
        "DTSTAMP:20260102T030405Z",
        "DTSTART;VALUE=DATE:20260228",
        "DTEND;VALUE=DATE:20260301",
        "SUMMARY:3 frames become public",
        "DESCRIPTION:1 CHROMIS P1\\n2 - -",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:release-99991231@armillary",
        "DTSTAMP:20260102T030405Z",
        "DTSTART;VALUE=DATE:99991231",
        "SUMMARY:1 frame becomes public",
        "DESCRIPTION:1 CRISP P\\;2",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
    ]


@given(st.text(max_size=300))
def test_no_name_breaks_out_of_its_line_and_no_line_is_too_long(name: str) -> None:
    clean = name.encode("utf-8", "ignore").decode()
    text = as_icalendar([Release(DAY, clean, "P", 1)], stamp=STAMP)
    assert len(unfolded(text)) == 13
    assert all(len(line.encode()) <= MOST_OCTETS for line in text.split("\r\n"))
    assert [line for line in unfolded(text) if line.startswith("DESCRIPTION:1 ")] != []
