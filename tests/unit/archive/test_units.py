"""Units that comments of cards state, and what is no unit there."""

from __future__ import annotations

import pytest

from armillary.archive.intake.profiles.units import factor_of, stated_unit


@pytest.mark.parametrize(
    ("comment", "unit"),
    [
        ("[s] Exposure duration", "s"),
        ("[ d ] time on source", "d"),
        ("[frames] length of the stack", "frames"),
        ("Exposure time (seconds)", "seconds"),
        ("Exposure time (in ms)", "ms"),
        ("exposure time in msec", "msec"),
        ("Exposure time minutes", "minutes"),
        ("RA (J2000) in decimal hours", "hours"),
        ("Altitude of site (m)", "m"),
        ("[s] Exposure (0.1 hours)", "s"),
        ("", None),
        ("Total integration time. 00:09:59", None),
        ("Taken in a row", None),
        ("Exposure (a) of a pair", None),
        ("seconds of a hundred minutes", None),
        ("[0:inf] valid range", None),
        ("second exposure of the day", None),
    ],
)
def test_unit_of_a_comment(comment: str, unit: str | None) -> None:
    assert stated_unit(comment) == unit


def test_units_are_factors_to_a_base_of_their_kind() -> None:
    assert factor_of("Minutes", base="s") == 60.0
    assert factor_of("h", base="s") == 3600.0
    assert factor_of("h", base="deg") == factor_of("hours", base="deg") == 15.0
    assert factor_of("degree", base="deg") == 1.0
    assert factor_of("m", base="deg") is None
    for word in ("frames", "m", "deg"):
        with pytest.raises(ValueError, match=word):
            factor_of(word, base="s")
