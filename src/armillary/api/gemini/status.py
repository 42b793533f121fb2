"""The status resource of an update request (header-updates specification, section 2)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from armillary.api.gemini.requests import reason_of
from armillary.edits.service import EditStatus, RequestStatus

DIGESTS = ("data_md5", "file_md5")
SHOWN = ("extension", "keyword", "old", "new", "created")


def document(status: RequestStatus) -> dict[str, Any]:
    """Return the status document of a request."""
    return {
        "request_id": str(status.id),
        "accepted_at": _time(status.accepted),
        "done": status.done,
        "items": [_item(index, one) for index, one in enumerate(status.edits)],
    }


def _item(index: int, one: EditStatus) -> dict[str, Any]:
    return {
        "index": index,
        "id": one.id,
        "file": one.file,
        "path": one.path,
        "state": one.state,
        "accepted": one.queued is not None,
        "changed": one.changed,
        "attempts": one.attempts,
        "error": reason_of(one.code, one.error) if one.error else None,
        "queued_at": _time(one.queued),
        "started_at": _time(one.started),
        "finished_at": _time(one.finished),
        "changes": [{key: card[key] for key in SHOWN} for card in one.changes],
        **{
            f"{name}_{when}": getattr(version, name, None)
            for name in DIGESTS
            for when, version in (("before", one.before), ("after", one.after))
        },
    }


def _time(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else None
