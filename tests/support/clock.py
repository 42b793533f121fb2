"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class FakeClock:
    """Time as the test wants it."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = self._now = start

    def now(self) -> datetime:
        """Return the instant the test set."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds the test let pass."""
        return (self._now - self._start).total_seconds()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
