"""Conditional and partial requests (RFC 9110, sections 13 and 14) as plain functions of header values."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*")


class Unsatisfiable(Exception):
    """The range lies behind the end."""


def http_date(instant: datetime) -> str:
    """Return an instant in the form of HTTP, whole seconds."""
    return format_datetime(instant.astimezone(UTC).replace(microsecond=0), usegmt=True)


def not_modified(
    etag: str, modified: datetime, *, if_none_match: str | None, if_modified_since: str | None
) -> bool:
    """Tell whether the client has these bytes already; If-None-Match wins over the date."""
    if if_none_match is not None:
        tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
        return "*" in tags or etag.removeprefix("W/") in tags
    since = _date(if_modified_since)
    return since is not None and modified.replace(microsecond=0) <= since


def _date(text: str | None) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text) if text else None
    except (TypeError, ValueError):
        return None
    return parsed.replace(tzinfo=UTC) if parsed and parsed.tzinfo is None else parsed


def byte_range(
    text: str | None, size: int, *, etag: str, modified: datetime, if_range: str | None
) -> tuple[int, int] | None:
    """Return the one range ``[start, stop)`` that is asked for, or None for everything.

    Several ranges, other units and malformed ones count as everything, as the RFC allows.

    Raises
    ------
    Unsatisfiable
        If the range begins behind the end.
    """
    if text is None or not (found := _RANGE.fullmatch(text.strip())) or found[0].strip() == "bytes=-":
        return None
    if if_range is not None and if_range.strip() not in (etag, http_date(modified)):
        return None
    first, last = found[1], found[2]
    if not first and not last:
        return None
    if not first:
        start, stop = max(0, size - int(last)), size
        if int(last) == 0:
            raise Unsatisfiable
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise Unsatisfiable
    return start, stop


def digest_header(md5: str | None, sha256: str | None) -> str | None:
    """Return ``Repr-Digest`` (RFC 9530) from hexadecimal digests, as far as they are known."""
    known = [("sha-256", sha256), ("md5", md5)]
    members = [
        f"{name}=:{base64.b64encode(bytes.fromhex(value)).decode()}:" for name, value in known if value
    ]
    return ", ".join(members) or None
