"""Times in queries of cubes are read as they are meant, or refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from armillary.api.sst_archive.filters import instant_of


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-06-21", datetime(2026, 6, 21, tzinfo=UTC)),
        ("2026-06-21T08:10", datetime(2026, 6, 21, 8, 10, tzinfo=UTC)),
        ("2026-06-21 08:10:00.25", datetime(2026, 6, 21, 8, 10, 0, 250_000, tzinfo=UTC)),
        ("2026-06-21T08:10:00Z", datetime(2026, 6, 21, 8, 10, tzinfo=UTC)),
        ("2026-06-21T08:10:00+02:00", datetime(2026, 6, 21, 6, 10, tzinfo=UTC)),
        ("2026-06-21T08:10:00 02:00", datetime(2026, 6, 21, 6, 10, tzinfo=UTC)),
        ("2026-06-21T08:10 02:00", datetime(2026, 6, 21, 6, 10, tzinfo=UTC)),
        ("2026-06-21T08:10:00.25 0200", datetime(2026, 6, 21, 6, 10, 0, 250_000, tzinfo=UTC)),
        ("2026-06-21 08:10", datetime(2026, 6, 21, 8, 10, tzinfo=UTC)),
    ],
)
def test_a_time_is_in_utc_unless_it_says(text: str, instant: datetime) -> None:
    assert instant_of(text) == instant


@pytest.mark.parametrize(
    "text", ["", "now", "2026-06-31", "2026-06-21T24:61:00", "9999-12-31T23:59:59-14:00", "21/06/2026", "1e9"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time; write it as"):
        instant_of(text)
