"""Time zones by the names in configurations."""

from __future__ import annotations

from zoneinfo import ZoneInfo


def zone_of(name: object) -> ZoneInfo | None:
    """Return the time zone of a name, None if there is none."""
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else None
    # Names of directories, and those that no file can have, are errors of the system.
    except (LookupError, ValueError, OSError):
        return None
