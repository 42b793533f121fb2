"""Values as JSON has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any


def plain(value: Any) -> Any:
    """Return values as JSON has them: instants in UTC with a Z, dates as text."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Mapping():
            return {key: plain(one) for key, one in value.items()}
        case str() | bytes():
            return value
        case Iterable():
            return [plain(one) for one in value]
    return value
