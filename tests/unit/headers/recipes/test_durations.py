"""Durations and instants are what their texts say, to the nanosecond."""

from __future__ import annotations

import pytest

from armillary.headers.recipes.durations import duration_ns, instant
from armillary.headers.recipes.models import Instant


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0.5s", 500_000_000),
        ("200ms", 200_000_000),
        ("1.5 us", 1500),
        ("0.1s", 100_000_000),
        ("2min", 120_000_000_000),
        ("72h", 259_200_000_000_000),
        ("1d", 86_400_000_000_000),
        ("0s", 0),
    ],
)
def test_a_duration(text: str, ns: int) -> None:
    assert duration_ns(text) == ns


@pytest.mark.parametrize("text", ["", "s", "5", "-1s", "1 fortnight", "1e3s", "1s2", "inf s", "1,5s"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration_ns(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("readout_start", Instant("readout_start")),
        ("readout_start - 200ms", Instant("readout_start", -200_000_000)),
        ("end+2s", Instant("end", 2_000_000_000)),
        ("  my_event2 -1ns ", Instant("my_event2", -1)),
    ],
)
def test_an_instant(text: str, value: Instant) -> None:
    assert instant(text) == value


@pytest.mark.parametrize("text", ["", "2s", "end -", "end 2s", "end - - 2s", "end * 2s"])
def test_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r"no (moment|duration)"):
        instant(text)
