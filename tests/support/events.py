"""Reading server-sent events as a client does that takes the standard at its word."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """One dispatched event; ``id`` is the last one that was sent, as a client gives it back."""

    id: str
    kind: str
    data: Any


@dataclass
class Reader:
    """What a client remembers: the last id, also of events without data."""

    last_id: str = ""
    comments: int = 0

    def events(self, lines: Iterable[str]) -> Iterator[Event]:
        """Yield what the lines of a stream dispatch; a piece without its blank line counts for nothing."""
        kind, data, last_id = "message", [], self.last_id
        for line in lines:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                self.last_id = last_id
                if data:
                    yield Event(last_id, kind, json.loads("\n".join(data)))
                kind, data = "message", []
            elif not field:
                self.comments += 1
            elif field == "id":
                last_id = value
            elif field == "event":
                kind = value
            elif field == "data":
                data.append(value)
