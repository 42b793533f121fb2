"""Versions as the catalog knows them, of bytes in memory, and orders about them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import zstandard

from armillary.archive.catalog.models import Location, Version
from armillary.archive.intake.examination import examine
from armillary.base.store import Snapshot
from armillary.base.store.models import StoredObject
from armillary.base.work import Order
from armillary.edits.kinds import UPDATE_HEADERS
from armillary.edits.models import EditRequest
from armillary.edits.orders import to_text
from tests.support.headers import a_primary
from tests.support.memory_store import Held

NAME = "N20260101S0001.fits"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = 1 << 30


def a_snapshot(data: bytes, key: str = NAME, *, mtime_ns: int = 1) -> Snapshot:
    """Return an opened file of these stored bytes."""
    return Held(StoredObject(key, len(data), mtime_ns, "1"), data)


def a_version(data: bytes | None = None, **values: Any) -> Version:
    """Return the record of a file of these stored bytes, as ingest makes it, with some values replaced."""
    data = a_primary() if data is None else data
    location = values.get("location", Location(1, "", NAME))
    snapshot = a_snapshot(data, location.key)
    examined = examine(snapshot, location.filename, max_header=LIMIT, max_unpacked=LIMIT)
    content = examined.content
    known: dict[str, Any] = {
        "id": 1,
        "file_id": 1,
        "name": NAME,
        "location": location,
        "container": examined.container.value,
        "present": True,
        "canonical": True,
        "file_size": examined.file_size,
        "data_size": content.size,
        "file_crc": examined.file_crc,
        "data_crc": content.crc,
        "file_md5": None,
        "data_md5": None,
        "file_sha256": None,
        "data_sha256": None,
        "mtime_ns": snapshot.stored.mtime_ns,
        "identity": snapshot.stored.identity,
        "lastmod": NOW,
        "entrytime": NOW,
        "hdus": content.hdus,
        "trailing": content.trailing,
        "trailing_crc": content.trailing_crc,
        "packed_headers": zstandard.ZstdCompressor().compress(b"".join(content.headers)),
        "series_headers": None,
        "origin": "ingest",
        "previous_id": None,
        "undo": None,
    }
    return Version(**known | values)


def an_order(request: EditRequest | None = None, **values: Any) -> Order:
    """Return an order that carries a request out, with some values replaced."""
    known: dict[str, Any] = {
        "id": 1,
        "kind": UPDATE_HEADERS,
        "key": f"1:{NAME}",
        "args": {"edit": to_text(request)} if request else {},
        "priority": 0,
        "attempts": 1,
        "max_attempts": None,
        "intent": None,
        "fence": 1,
        "leader_id": None,
        "revision": 0,
        "unique_key": None,
        "request_id": None,
        "item_index": None,
        "actor": "observer",
        "batch": None,
        "response_required": True,
        "added": NOW,
        "started": NOW,
    }
    return Order(**known | values)
