"""Moments, windows, interpolation, statistics and blocks: which samples a value is made of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.base.bus.models import AsOf, Range
from armillary.headers.models import Reason
from armillary.headers.recipes.models import SECOND, Instant, Keyword, Pick, Source, SourceEntry, Window
from armillary.headers.render.picking import between, reduced
from armillary.headers.render.rendering import pending, questions
from tests.unit.headers.render.night import (
    CLOSE,
    MOMENTS,
    READOUT,
    START,
    WINDOW,
    Bus,
    R,
    S,
    a_recipe,
    block,
    card_of,
    exposure,
    rendered,
    source,
    whole,
)

TELEMETRY = source("air")


def said(*pairs: tuple[float, Any], topic: str = "air") -> Bus:
    """Return a bus with values at seconds after the start."""
    bus = Bus()
    for seconds, value in pairs:
        bus.say("weather:301", topic, START + round(seconds * SECOND), value=value)
    return bus


def test_the_value_of_a_moment_is_that_of_its_time_and_not_the_latest() -> None:
    bus = said((-10, 1.0), (5, 2.0), (32, 3.0), (100, 4.0))
    assert card_of(Keyword(TELEMETRY, S), bus).value == 1.0
    assert card_of(Keyword(TELEMETRY, R), bus).value == 2.0
    assert card_of(Keyword(TELEMETRY, Instant("readout_start", 2 * SECOND)), bus).value == 3.0
    assert (
        card_of(Keyword(TELEMETRY, Instant("integration_start", -11 * SECOND)), bus).reason
        == Reason.NEVER_SEEN
    )


def test_a_sample_of_the_very_moment_counts() -> None:
    assert card_of(Keyword(TELEMETRY, S), said((-1, 1.0), (0, 2.0))).value == 2.0


def test_provenance_of_a_value() -> None:
    card = card_of(Keyword(TELEMETRY, R), said((-10, 1.0), (5, 2.0)))
    assert (card.source, card.topic, card.field) == ("weather:301", "air", "value")
    assert (card.seq, card.sample_time, card.age_s, card.at, card.pick) == (
        2,
        START + 5 * SECOND,
        26.0,
        "readout_start",
        "asof",
    )
    assert (card.status, card.raw) == ("defined", 2.0)


def test_a_missing_moment_is_stood_in_for() -> None:
    keyword = Keyword(TELEMETRY, Instant("shutter_close"))
    bus = said((0, 1.0), (30.5, 2.0))
    assert card_of(keyword, bus).value == 1.0
    assert card_of(keyword, bus, exposure(without=["shutter_close"])).value == 2.0
    nothing = card_of(keyword, bus, exposure(without=["shutter_close", "readout_start"]))
    assert (nothing.value, nothing.reason) == (None, Reason.LATE)


WINDOWED = [(-5, 7.0), (0.5, 1.0), (10, 4.0), (20, 2.0), (31, 100.0)]


@pytest.mark.parametrize(
    ("pick", "value", "seq"),
    [
        (Pick.MEAN, 3.5, 4),
        (Pick.MEDIAN, 3.0, 4),
        (Pick.STD, 2.6457513110645907, 4),
        (Pick.MIN, 1.0, 2),
        (Pick.MAX, 7.0, 1),
        (Pick.FIRST, 7.0, 1),
        (Pick.LAST, 2.0, 4),
        (Pick.COUNT, 4, 4),
        (Pick.ASOF, 2.0, 4),
    ],
)
def test_a_window_holds_what_was_in_force_when_it_opened_and_nothing_after(
    pick: Pick, value: float, seq: int
) -> None:
    card = card_of(Keyword(TELEMETRY, WINDOW, pick), said(*WINDOWED))
    assert (card.value, card.seq, card.pick) == (value, seq, pick.value)
    assert card.at == "[integration_start, shutter_close]"


def test_a_sample_at_the_opening_replaces_what_was_in_force() -> None:
    card = card_of(Keyword(TELEMETRY, WINDOW, Pick.COUNT), said((-5, 7.0), (0, 1.0), (30, 2.0)))
    assert card.value == 2


def test_a_topic_that_is_silent_before_the_window() -> None:
    assert card_of(Keyword(TELEMETRY, WINDOW, Pick.MAX), said((4, 1.0), (5, 2.0))).value == 2.0
    assert card_of(Keyword(TELEMETRY, WINDOW, Pick.MAX), said((31, 1.0))).reason == Reason.NEVER_SEEN


def test_what_is_too_old_at_the_opening_is_left_out() -> None:
    keyword = Keyword(TELEMETRY, WINDOW, Pick.MAX, max_age=2 * SECOND)
    assert card_of(keyword, said((-5, 7.0), (4, 1.0))).value == 1.0
    assert card_of(keyword, said((-5, 7.0))).reason == Reason.STALE
    expired = Bus().say("weather:301", "air", START - 5 * SECOND, value=7.0, expires=START)
    assert card_of(keyword, expired).reason == Reason.EXPIRED


def test_statistics_leave_out_what_is_no_number() -> None:
    keyword = Keyword(TELEMETRY, WINDOW, Pick.MEAN)
    assert card_of(keyword, said((1, 1.0), (2, float("nan")), (3, 3.0))).value == 2.0
    assert card_of(keyword, said((1, float("nan")), (2, None))).reason == Reason.INVALID
    assert card_of(keyword, said((1, "text"))).reason == Reason.TYPE


def test_the_deviation_of_one_value_is_undefined() -> None:
    assert card_of(Keyword(TELEMETRY, WINDOW, Pick.STD), said((1, 1.0))).reason == Reason.DERIVE_FAILED


def test_enums_compare_by_number_and_print_by_name() -> None:
    enums = {"vignetting": {"UNKNOWN": 0, "NO": 1, "PARTIALLY": 2, "FULLY": 3}}
    bus = said((-5, 1), (3, 2), (8, 1), topic="dome")
    dome = source("dome", enum="vignetting")
    assert card_of(Keyword(dome, WINDOW, Pick.MAX), bus, enums=enums).value == "PARTIALLY"
    assert card_of(Keyword(dome, WINDOW, Pick.MIN), bus, enums=enums).value == "NO"
    # By name, NO would come before UNKNOWN.
    bus = said((1, "UNKNOWN"), (2, "NO"), topic="dome")
    assert card_of(Keyword(dome, WINDOW, Pick.MIN), bus, enums=enums).value == "UNKNOWN"


def test_interpolation_between_two_samples() -> None:
    keyword = Keyword(TELEMETRY, R, Pick.INTERP)
    assert card_of(keyword, said((30, 10.0), (34, 20.0))).value == 12.5
    assert card_of(keyword, said((31, 10.0), (34, 20.0))).value == 10.0
    # As long as nothing follows, the last one stands.
    assert card_of(keyword, said((30, 10.0))).value == 10.0
    assert card_of(keyword, said((32, 10.0))).reason == Reason.NEVER_SEEN
    assert card_of(keyword, said((30, 10.0), (34, float("inf")))).reason == Reason.INVALID


def test_angles_go_the_shorter_way() -> None:
    keyword = Keyword(TELEMETRY, R, Pick.INTERP, 360.0)
    assert card_of(keyword, said((30, 350.0), (32, 20.0))).value == 5.0
    assert card_of(keyword, said((30, 10.0), (32, 330.0))).value == 350.0


@given(st.floats(0, 360, exclude_max=True), st.floats(-179, 179), st.floats(0, 1))
def test_an_interpolated_angle_lies_between_its_ends(first: float, step: float, share: float) -> None:
    found = between(first, (first + step) % 360.0, share, 360.0)
    assert 0 <= found <= 360
    off = (found - first - step * share) % 360.0
    assert min(off, 360 - off) < 1e-9


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_statistics_are_those_of_numpy(values: list[float]) -> None:
    import numpy as np

    assert reduced(Pick.MEAN, values) == pytest.approx(float(np.mean(values)), abs=1e-6)
    assert reduced(Pick.MEDIAN, values) == pytest.approx(float(np.median(values)), abs=1e-6)
    assert reduced(Pick.STD, values) == pytest.approx(float(np.std(values, ddof=1)), rel=1e-6, abs=1e-6)


def blocks(*starts: float, late: float = 0.0) -> Bus:
    """Return blocks of 100 values each, ten milliseconds apart; each value is its second after the start."""
    bus = Bus()
    for start in starts:
        times = [(START + round((start + n / 100) * SECOND)) / SECOND for n in range(100)]
        values = [round(start + n / 100, 2) for n in range(100)]
        t = START + round((start + late) * SECOND)
        bus.say("pointing", "mount", t, times=times, el=values, short=values[1:], one=3.0)
    return bus


@pytest.mark.parametrize("late", [0.0, 0.99, 1.3])
def test_the_item_of_a_block_is_picked_by_its_own_time(late: float) -> None:
    """Whether a block bears the time of its first item, of its last one, or of when it was sent."""
    card = card_of(Keyword(block("el"), R, max_age=SECOND), blocks(29.5, 30.5, 31.5, late=late))
    assert card.value == 31.0
    assert card.age_s == pytest.approx(0.0, abs=1e-6)


def test_an_item_of_a_block_that_is_too_old() -> None:
    card = card_of(Keyword(block("el"), R, max_age=SECOND // 2), blocks(29.0))
    assert (card.reason, card.raw) == (Reason.STALE, 29.99)


def test_windows_and_interpolation_look_into_blocks() -> None:
    bus = blocks(-1, 28.5, 29.5)
    assert card_of(Keyword(block("el"), WINDOW, Pick.MAX), bus).value == 30.0
    assert card_of(Keyword(block("el"), WINDOW, Pick.COUNT), bus).value == 1 + 151
    assert card_of(
        Keyword(block("el"), Instant("shutter_close", SECOND // 200), Pick.INTERP), bus
    ).value == pytest.approx(30.005)


@pytest.mark.parametrize(
    ("field", "times", "reason"),
    [
        ("short", "times", Reason.LENGTH_MISMATCH),
        ("one", "times", Reason.TYPE),
        ("el", "one", Reason.TYPE),
        ("el", "nothing", Reason.EXTRACTION_ERROR),
        ("nothing", "times", Reason.EXTRACTION_ERROR),
    ],
)
def test_blocks_of_another_shape(field: str, times: str, reason: Reason) -> None:
    assert card_of(Keyword(block(field, times=times), R), blocks(30.5)).reason == reason


def test_questions_are_asked_once_and_at_the_times_of_the_exposure() -> None:
    keywords = {
        "A": Keyword(TELEMETRY, S),
        "B": Keyword(source("air", "other"), S),
        "C": Keyword(TELEMETRY, WINDOW, Pick.MAX),
        "D": Keyword(TELEMETRY, R, settle=SECOND),
        "E": Keyword(Source("cam", "start_integration", "x"), S),
    }
    recipe = a_recipe(keywords)
    assert questions(recipe, whole(recipe), exposure()) == [
        AsOf("weather:301", "air", START),
        Range("weather:301", "air", START, CLOSE),
        Range("weather:301", "air", READOUT, READOUT + SECOND, most=2),
    ]


def test_answers_have_to_fit_the_questions() -> None:
    from armillary.headers.render.rendering import render

    recipe = a_recipe({"A": Keyword(TELEMETRY, S)})
    with pytest.raises(ValueError, match="0 answers to 1 questions"):
        render(recipe, whole(recipe), exposure(), [], created=0)


def test_a_settle_is_open_until_a_sample_shows_that_nothing_is_missing() -> None:
    recipe = a_recipe({"D": Keyword(TELEMETRY, R, settle=SECOND), "A": Keyword(TELEMETRY, S)})
    template = whole(recipe)

    def is_open(bus: Bus) -> bool:
        asked = questions(recipe, template, exposure())
        return pending(recipe, template, exposure(), [bus.answer(one) for one in asked])

    assert is_open(said((30, 1.0)))
    assert not is_open(said((30, 1.0), (31.5, 2.0)))
    # A value of behind the moment is no value of the moment.
    assert card_of(Keyword(TELEMETRY, R, settle=SECOND), said((30, 1.0), (31.5, 2.0))).value == 1.0


def test_the_age_of_a_source_counts_where_a_keyword_has_none() -> None:
    sources = {"met": SourceEntry("weather:301", max_age=SECOND), "cam": SourceEntry("camera")}
    bus = said((-2, 1.0))
    assert card_of(Keyword(TELEMETRY, S), bus, sources=sources).reason == Reason.STALE
    assert card_of(Keyword(TELEMETRY, S, max_age=3 * SECOND), bus, sources=sources).value == 1.0


def test_order_of_arrival_makes_no_difference() -> None:
    keywords = {"A": Keyword(TELEMETRY, R), "B": Keyword(TELEMETRY, WINDOW, Pick.MEAN)}
    one = said(*WINDOWED)
    other = Bus()
    other.samples = list(reversed(one.samples))
    recipe = a_recipe(keywords)
    assert rendered(recipe, bus=one) == rendered(recipe, bus=other)
    assert set(MOMENTS) == set(rendered(recipe, bus=one).moments)


def test_window_of_a_window_default() -> None:
    late = Window(S, Instant("end"))
    assert card_of(Keyword(TELEMETRY, late, Pick.MAX), said(*WINDOWED)).value == 100.0
