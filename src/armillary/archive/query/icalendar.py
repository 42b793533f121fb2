"""Days of release as a calendar that other programs subscribe to: iCalendar (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import groupby

from armillary.archive.query.releases import Release

MEDIA_TYPE = "text/calendar"
MOST_OCTETS = 75
"""RFC 5545, section 3.1: a line is not longer, the break excluded."""


def as_icalendar(releases: Iterable[Release], *, stamp: datetime) -> str:
    """Return one event for each day, in the order of the releases, which go by day."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Armillary//Releases//EN"]
    for day, of_day in groupby(releases, key=lambda one: one.day):
        lines += _event(day, list(of_day), stamp)
    lines.append("END:VCALENDAR")
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line))


def _event(day: date, releases: list[Release], stamp: datetime) -> list[str]:
    count = sum(one.frames for one in releases)
    told = "\n".join(f"{one.frames} {one.instrument or '-'} {one.program or '-'}" for one in releases)
    return [
        "BEGIN:VEVENT",
        f"UID:release-{day:%Y%m%d}@armillary",
        f"DTSTAMP:{stamp:%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
        *([f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}"] if day < date.max else []),
        f"SUMMARY:{count} frame{'s' * (count != 1)} become{'s' * (count == 1)} public",
        f"DESCRIPTION:{_escaped(told)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _escaped(text: str) -> str:
    """Return a text as section 3.3.11 wants it; other controls have no place in one."""
    for plain, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, written)
    return "".join(character if character >= " " else " " for character in text)


def _folded(line: str) -> Iterator[str]:
    """Yield the parts of a line, each within the octets that a line may have; no character is cut."""
    part, size = "", 0
    for character in line:
        octets = len(character.encode())
        if size + octets > MOST_OCTETS:
            yield part
            part, size = " ", 1
        part, size = part + character, size + octets
    yield part
