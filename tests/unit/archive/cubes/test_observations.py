"""Which cubes belong together."""

from __future__ import annotations

import pytest

from armillary.archive.cubes.observations import Grouping, grouping_of
from armillary.fits.models import Value

BEGIN: dict[str, Value] = {"DATE-BEG": "2026-06-21T08:10:00.5 "}


@pytest.mark.parametrize(
    ("point", "key", "tag"),
    [
        (" 2026-06-21T08:00:00 ", "2026-06-21T08:00:00", None),
        ("2026-06-21T08:00:00_mosaic", "2026-06-21T08:00:00_mosaic", "mosaic"),
        ("2026-06-21T08:00:00_grouped", "2026-06-21T08:00:00_grouped", "grouped"),
        ("mosaic", "mosaic", None),
        ("a_mosaic_b", "a_mosaic_b", None),
        ("  ", "2026-06-21T08:10:00.5", None),
        (None, "2026-06-21T08:10:00.5", None),
        (12, "12", None),
    ],
)
def test_a_pointing_groups_cubes(point: Value, key: str, tag: str | None) -> None:
    assert grouping_of({**BEGIN, "POINT_ID": point}) == Grouping(key, tag)


def test_without_a_pointing_the_begin_groups_as_it_is_written() -> None:
    assert grouping_of(BEGIN) == Grouping("2026-06-21T08:10:00.5", None)
