"""Why a card has no value: each reason, and what an incomplete header says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from armillary.headers.models import Reason, Required
from armillary.headers.recipes.models import (
    SECOND,
    Constant,
    Derived,
    Fallback,
    Keyword,
    Pick,
    Source,
    Type,
    Valid,
)
from armillary.headers.render.models import Header
from armillary.headers.render.rendering import questions, render
from tests.unit.headers.render.night import (
    IMAGE,
    READOUT,
    START,
    WINDOW,
    Bus,
    R,
    S,
    a_recipe,
    a_template,
    card_of,
    exposure,
    per_detector,
    rendered,
    source,
    whole,
)

AIR = source("air")


def air(value: Any, *, age_s: float = 1.0, **options: Any) -> Bus:
    return Bus().say("weather:301", "air", START - round(age_s * SECOND), value=value, **options)


def test_never_seen() -> None:
    card = card_of(Keyword(AIR, S))
    assert (card.value, card.status, card.reason, card.raw) == (None, "undefined", Reason.NEVER_SEEN, None)
    assert (card.source, card.topic, card.field, card.at) == (
        "weather:301",
        "air",
        "value",
        "integration_start",
    )


def test_stale_values_are_kept_raw_with_their_age() -> None:
    card = card_of(Keyword(AIR, S, max_age=2 * SECOND), air(11.5, age_s=3))
    assert (card.value, card.reason, card.raw, card.age_s) == (None, Reason.STALE, 11.5, 3.0)
    assert card_of(Keyword(AIR, S, max_age=3 * SECOND), air(11.5, age_s=3)).value == 11.5


def test_expired_at_the_moment_and_not_before() -> None:
    assert card_of(Keyword(AIR, S), air(1.5, expires=START)).reason == Reason.EXPIRED
    assert card_of(Keyword(AIR, S), air(1.5, expires=START + 1)).value == 1.5


def test_late() -> None:
    keyword = Keyword(Source("cam", "end_of_telemetry", "dark"), R)
    assert card_of(keyword, of=exposure(payloads={"end": {"dark": 30.5}})).value == 30.5
    assert card_of(keyword, of=exposure(without=["end"])).reason == Reason.LATE
    # Nothing can be looked up at a moment that nobody knows.
    assert card_of(Keyword(AIR, R), air(1.5), exposure(without=["readout_start"])).reason == Reason.LATE


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (-float("inf"), "-Infinity"),
        (5e-324, 5e-324),
        (None, None),
        ("x" * 5000, "x" * 1000 + "..."),
        ("\x00", "\x00"),
    ],
)
def test_invalid(value: Any, shown: Any) -> None:
    card = card_of(Keyword(AIR, S), air(value))
    assert (card.value, card.reason, card.raw) == (None, Reason.INVALID, shown)


def test_range() -> None:
    card = card_of(Keyword(AIR, S, valid=Valid(low=0, high=1)), air(1.5))
    assert (card.value, card.reason, card.raw) == (None, Reason.RANGE, 1.5)
    assert card_of(Keyword(AIR, S), air(1 << 63)).reason == Reason.RANGE


def test_type() -> None:
    assert card_of(Keyword(AIR, S, type=Type.FLOAT), air("much")).reason == Reason.TYPE
    card = card_of(Keyword(AIR, S), air({"a": [float("nan")]}))
    assert (card.reason, card.raw) == (Reason.TYPE, {"a": ["NaN"]})


def test_extraction_error() -> None:
    assert card_of(Keyword(source("air", "elsewhere"), S), air(1.5)).reason == Reason.EXTRACTION_ERROR


def test_image_mismatch() -> None:
    keyword = Keyword(source("set", origin="cam", match="image"), R)
    bus = Bus().say("camera", "set", START, image="another", value=1)
    assert card_of(keyword, bus).reason == Reason.IMAGE_MISMATCH
    assert card_of(keyword).reason == Reason.NEVER_SEEN
    # The latest of all is not it, and neither is when it came.
    bus.say("camera", "set", READOUT + 2 * SECOND, image=IMAGE, value=2)
    bus.say("camera", "set", READOUT + 3 * SECOND, image="another", value=3)
    assert card_of(keyword, bus).value == 2


def test_the_event_of_a_moment_is_that_of_the_image() -> None:
    keyword = Keyword(Source("cam", "start_integration", "x"), S)
    bus = Bus().say("camera", "start_integration", START, image_id="next", x=2)
    card = card_of(keyword, bus, exposure(payloads={"integration_start": {"x": 1}}))
    assert (card.value, card.source, card.topic, card.sample_time, card.age_s) == (
        1,
        "camera",
        "start_integration",
        START,
        0.0,
    )


def test_derive_failed() -> None:
    assert card_of(Keyword(AIR, WINDOW, Pick.STD), air(1.0)).reason == Reason.DERIVE_FAILED


def test_source_error() -> None:
    recipe = a_recipe({"KEY": Keyword(AIR, S), "OTHER": Keyword(source("other"), S)})
    template = whole(recipe)
    bus = air(1.5)
    answers = [
        None if one.topic == "other" else bus.answer(one) for one in questions(recipe, template, exposure())
    ]
    header = render(recipe, template, exposure(), answers, created=0)
    assert [card.reason for card in header.hdus[0].cards] == [None, Reason.SOURCE_ERROR]


def test_a_card_that_nothing_supplies() -> None:
    card = rendered(a_recipe(), a_template(["NOWHERE"])).card("NOWHERE")
    assert card is not None
    assert (card.value, card.reason) == (None, Reason.NEVER_SEEN)


REQUIRED = {
    "A": Keyword(AIR, S, required=Required.INGEST),
    "B": Keyword(source("other"), S, required=Required.INGEST),
    "C": Keyword(source("third"), S, required=Required.SCIENCE),
    "D": Keyword(AIR, S, required=Required.SCIENCE, when="MODE == 'ON'"),
    "E": Keyword(source("fourth"), S),
}


def completed(*topics: str) -> Header:
    bus = Bus()
    for topic in topics:
        bus.say("weather:301", topic, START - SECOND, value=1.5)
    return rendered(a_recipe(REQUIRED, constants={"MODE": Constant("OFF")}), bus=bus)


def test_completeness_counts_what_applies() -> None:
    header = completed("air", "other", "third")
    assert (header.complete, header.science_complete, header.missing) == (True, True, [])
    header = completed("air", "third")
    assert (header.complete, header.science_complete) == (False, True)
    assert [(one.key, one.reason) for one in header.missing] == [("B", "never_seen")]
    assert header.completeness == {"ingest": 0.5, "science": 1.0}
    header = completed("air", "other")
    assert (header.complete, header.science_complete) == (True, False)


def test_one_detector_without_a_value_makes_a_header_incomplete() -> None:
    serial = Keyword(per_detector("plane", "serial"), S, required=Required.INGEST, hdu="detector")  # type: ignore[arg-type]
    bus = Bus().say("camera", "plane", START, location="A:B", serial="1:")
    recipe = a_recipe({"SERIAL": serial}, detectors=["A", "B", "C"])
    header = rendered(recipe, a_template(detector=["SERIAL"]), bus)
    assert [card.value for hdu in header.hdus[1:] for card in hdu.cards] == ["1", "", None]
    assert not header.complete
    assert [(one.key, one.reason) for one in header.missing] == [("SERIAL", "extraction_error")]


@pytest.mark.parametrize(("flag", "simulated"), [(True, True), (False, False)])
def test_a_true_flag_of_simulation_marks_the_image(flag: bool, simulated: bool) -> None:
    recipe = a_recipe({"SIMULATE CAMERA": Keyword(AIR, S, type=Type.BOOL)})
    assert rendered(recipe, bus=air(flag)).simulated is simulated


def test_the_deadline_is_a_finding_and_changes_no_value() -> None:
    recipe = a_recipe({"KEY": Keyword(AIR, S)})
    usual, late = rendered(recipe, bus=air(1.5)), rendered(recipe, bus=air(1.5), deadline=True)
    assert usual.content_hash == late.content_hash
    assert usual.inputs_hash == late.inputs_hash
    assert [one.rule for one in late.findings] == ["deadline"]


def test_hashes_tell_values_and_inputs_apart() -> None:
    recipe = a_recipe({"KEY": Keyword(AIR, S, fallback=(Fallback(constant=2.5),))})
    first = rendered(recipe, bus=air(1.5))
    assert rendered(recipe, bus=air(1.5), created=7).content_hash == first.content_hash
    assert rendered(recipe, bus=air(1.75)).content_hash != first.content_hash
    # The same value of another sample.
    other = air(0.5).say("weather:301", "air", START, value=1.5)
    assert rendered(recipe, bus=other).content_hash == first.content_hash
    assert rendered(recipe, bus=other).inputs_hash != first.inputs_hash


def test_an_integer_is_another_value_than_a_float() -> None:
    recipe = a_recipe({"KEY": Keyword(AIR, S)})
    assert rendered(recipe, bus=air(1)).content_hash != rendered(recipe, bus=air(1.0)).content_hash


def test_volatile_cards_are_not_hashed() -> None:
    recipe = a_recipe({"KEY": Keyword(AIR, S)})
    template = a_template(["DATE", "FILENAME", "TIMESYS", "HEADVER", "KEY"])
    first, second = (rendered(recipe, template, air(1.5), created=one * SECOND) for one in (10, 20))
    assert first.content_hash == second.content_hash
    cards = {card.key: card.value for card in second.hdus[0].cards}
    assert cards["DATE"] == "1970-01-01T00:00:20.000"
    assert (cards["FILENAME"], cards["TIMESYS"]) == (f"{IMAGE}.fits", "TAI")


def test_day_and_number_are_those_of_the_image_id() -> None:
    header = rendered(a_recipe())
    assert (header.day_obs, header.seq_num) == (20240624, 169)
    derive = {"ID": Derived("exposure_id(DAYOBS, SEQNUM)")}
    constants = {"DAYOBS": Constant(20240101), "SEQNUM": Constant(7)}
    other = rendered(a_recipe(constants=constants, derive=derive), of=exposure(image_id="odd name"))
    assert (other.day_obs, other.seq_num) == (20240101, 7)
    assert rendered(a_recipe(), of=exposure(image_id="odd name")).day_obs == 20240624
