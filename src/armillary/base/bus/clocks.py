"""When samples were valid, for sources that say so in their payloads, each on its own clock.

What clocks mean is told from outside: this package knows one scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from armillary.base.bus.models import Sample

ReadTime = Callable[[Mapping[str, Any]], int | None]
"""What returns the instant in a payload as TAI ns, None if there is none."""


class SourceClocks:
    """By source, what reads the time in its payloads."""

    def __init__(self) -> None:
        self._known: Mapping[str, ReadTime] = {}

    def use(self, known: Mapping[str, ReadTime]) -> None:
        """Go by these from now on."""
        self._known = known

    def time_of(self, sample: Sample) -> int | None:
        """Return when a sample was valid by its envelope, else by its payload; None if neither says so."""
        if sample.t_event is not None or (read := self._known.get(sample.source)) is None:
            return sample.t_event
        return read(sample.payload)
