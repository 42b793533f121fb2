"""Values of detectors: matched by id, each column for itself; and the HDUs of detectors and segments."""

from __future__ import annotations

import msgspec
import pytest

from armillary.headers.models import Level, Reason
from armillary.headers.recipes.models import (
    SECOND,
    Constant,
    Detectors,
    Fallback,
    Geometry,
    Keyword,
    Pick,
    Reading,
    Type,
    Unit,
    Valid,
)
from armillary.headers.render.models import Header
from tests.unit.headers.render.night import (
    START,
    WINDOW,
    Bus,
    S,
    a_recipe,
    a_template,
    per_detector,
    rendered,
    source,
)

NAMES = ("R00_S00", "R00_S01", "R00_S02")
T = START - SECOND


def column(keyword: Keyword, bus: Bus, detectors: tuple[str, ...] = NAMES) -> Header:
    keyword = msgspec.structs.replace(keyword, hdu=Level.DETECTOR)
    recipe = a_recipe(
        {"KEY": keyword, "OTHER": Keyword(per_detector("plane", "other"), S)}, detectors=detectors
    )
    return rendered(recipe, a_template(["TIMESYS"], detector=["KEY", "OTHER"]), bus)


def values(header: Header, key: str = "KEY") -> list[object]:
    cards = [card for hdu in header.hdus[1:] for card in hdu.cards if card.key == key]
    return [card.value if card.reason is None else card.reason for card in cards]


def plane(**payload: object) -> Bus:
    return Bus().say("camera", "plane", T, **payload)


SERIAL = Keyword(per_detector("plane", "serial"), S)


def test_texts_are_matched_by_id_and_not_by_place() -> None:
    bus = plane(location="R00_S02:R00_S00:R00_S01", serial="c:a:b", other=[3, 1, 2])
    header = column(SERIAL, bus)
    assert values(header) == ["a", "b", "c"]
    assert values(header, "OTHER") == [1, 2, 3]
    card = header.card("KEY", "R00_S01_PRIMARY")
    assert card is not None
    assert (card.raw, card.source, card.topic, card.field, card.seq) == ("b", "camera", "plane", "serial", 1)


def test_items_may_hold_colons() -> None:
    assert values(column(SERIAL, plane(location=":".join(NAMES), serial=r"a\:1:b:c"))) == ["a:1", "b", "c"]


@pytest.mark.parametrize("serial", ["a:b", "a:b:c:d", ["a"], []])
def test_a_column_of_another_length_fails_alone(serial: object) -> None:
    header = column(SERIAL, plane(location=":".join(NAMES), serial=serial, other=[1, 2, 3]))
    assert values(header) == [Reason.LENGTH_MISMATCH] * 3
    assert values(header, "OTHER") == [1, 2, 3]
    assert [(one.rule, one.keyword, one.severity) for one in header.findings] == [
        ("detectors", "KEY", "error")
    ]
    card = header.card("KEY", "R00_S00_PRIMARY")
    assert card is not None
    assert card.raw == serial


def test_a_scalar_is_the_value_of_the_only_detector() -> None:
    header = column(SERIAL, plane(location="R00_S00", serial=17, other=[1]), ("R00_S00",))
    assert values(header) == [17]
    assert [one.rule for one in header.findings] == ["shape"]


def test_one_bad_item_costs_its_detector_alone() -> None:
    bus = plane(location=":".join(NAMES), gain=[1.5, float("nan"), 900.0])
    gain = Keyword(per_detector("plane", "gain"), S, unit=Unit("adu", "adu"), valid=Valid(low=0, high=10))
    header = column(gain, bus)
    assert values(header) == [1.5, Reason.INVALID, Reason.RANGE]
    card = header.card("KEY", "R00_S01_PRIMARY")
    assert card is not None
    assert card.raw == "NaN"


def test_only_what_a_detector_lacks_comes_from_a_fallback() -> None:
    bus = plane(location=":".join(NAMES), gain=[1.5, None, 2.5])
    keyword = Keyword(per_detector("plane", "gain"), S, fallback=(Fallback(constant=9.0),))
    header = column(keyword, bus)
    assert values(header) == [1.5, 9.0, 2.5]
    cards = [card for hdu in header.hdus[1:] for card in hdu.cards if card.key == "KEY"]
    assert [card.fallback for card in cards] == [None, 0, None]
    assert [card.source for card in cards] == ["camera", "constant", "camera"]


@pytest.mark.parametrize(
    ("items", "kind", "expected"),
    [
        ("1:2:3", Type.INT, [1, 2, 3]),
        ("1:x:3", Type.INT, [1, Reason.TYPE, 3]),
        ([0.0, -0.0, 1.0], None, [0.0, 0.0, 1.0]),
        ([1, 2.5, "x"], None, [1, 2.5, "x"]),
        (["a  ", "µ", "b"], None, ["a", "u", "b"]),
        ([5e-324, 1.0, 2.0], None, [Reason.INVALID, 1.0, 2.0]),
        ([1e308, 1e308, 1e308], None, [1e308, 1e308, 1e308]),
    ],
)
def test_columns_and_single_values_are_converted_alike(
    items: object, kind: Type | None, expected: list[object]
) -> None:
    found = values(
        column(Keyword(per_detector("plane", "x"), S, type=kind), plane(location=":".join(NAMES), x=items))
    )
    assert found == expected
    assert [str(one) for one in found] == [str(one) for one in expected]


def test_statistics_of_each_detector() -> None:
    bus = plane(location=":".join(NAMES), temp=[1.0, 2.0, 3.0])
    bus.say("camera", "plane", START + SECOND, location=":".join(NAMES), temp=[3.0, 4.0, None])
    assert values(column(Keyword(per_detector("plane", "temp"), WINDOW, Pick.MEAN), bus)) == [2.0, 3.0, 3.0]
    assert values(column(Keyword(per_detector("plane", "temp"), WINDOW, Pick.MAX), bus)) == [3.0, 4.0, 3.0]


def test_a_silent_source_leaves_all_detectors_without_a_value() -> None:
    assert values(column(SERIAL, Bus())) == [Reason.NEVER_SEEN] * 3
    keyword = Keyword(per_detector("plane", "serial"), S, max_age=SECOND // 2)
    assert values(column(keyword, plane(location=":".join(NAMES), serial="a:b:c"))) == [Reason.STALE] * 3


def test_one_value_stands_on_all_detectors() -> None:
    bus = Bus().say("weather:301", "air", T, value=1.5)
    assert values(column(Keyword(source("air"), S), bus)) == [1.5] * 3


def test_detectors_are_those_that_the_camera_names() -> None:
    detectors = Detectors("cam", "plane", "location", fallback=("X",))
    recipe = a_recipe({"KEY": SERIAL})
    recipe = msgspec.structs.replace(recipe, detectors=detectors)
    template = a_template(["TIMESYS"], detector=["KEY"])
    bus = plane(location="B:A", serial="b:a")
    header = rendered(recipe, template, bus)
    assert [hdu.name for hdu in header.hdus] == ["PRIMARY", "B_PRIMARY", "A_PRIMARY"]
    for odd in (Bus(), plane(serial="x"), plane(location="A:A", serial="b:a"), plane(location="", serial="")):
        header = rendered(recipe, template, odd)
        assert [hdu.name for hdu in header.hdus] == ["PRIMARY", "X_PRIMARY"]
        assert "detectors" in [one.rule for one in header.findings]


def test_segments_stand_behind_their_detector_with_their_geometry() -> None:
    location = ":".join(NAMES[:2])
    geometry = Geometry(
        vendor=Reading(per_detector("plane", "vendor"), S),
        cols=Reading(per_detector("plane", "cols"), S),
        prescan=Reading(constant=3),
    )
    recipe = a_recipe({}, constants={"GAIN": Constant(1.5)}, detectors=NAMES[:2], geometry=geometry)
    template = a_template(["TIMESYS"], detector=["DETSIZE"], segment=["DETSEC", "DTV1", "DTM1_2", "GAIN"])
    header = rendered(recipe, template, plane(location=location, vendor="E2V:ITL", cols=[512, None]))
    assert [hdu.name for hdu in header.hdus] == [
        "PRIMARY",
        *("R00_S00_PRIMARY", "R00_S00_Segment10", "R00_S00_Segment00"),
        *("R00_S01_PRIMARY", "R00_S01_Segment10", "R00_S01_Segment00"),
    ]
    first = {card.key: card.value for card in header.hdus[3].cards}
    assert first == {"DETSEC": "[1:512,4004:2003]", "DTV1": -3, "DTM1_2": 0, "GAIN": 1.5}
    second = {card.key: card.value for card in header.hdus[6].cards}
    assert second == {"DETSEC": "[509:1,4000:2001]", "DTV1": 513, "DTM1_2": 0, "GAIN": 1.5}
    assert header.hdus[4].cards[0].value == "[1:4072,1:4000]"
    assert all(hdu.inherit for hdu in header.hdus if hdu.level is Level.SEGMENT)


def test_the_geometry_of_an_unknown_vendor_is_undefined() -> None:
    recipe = a_recipe({}, geometry=Geometry(vendor=Reading(constant="ACME")))
    header = rendered(recipe, a_template(["TIMESYS"], detector=["DETSIZE"], segment=["DETSEC"]))
    assert {card.reason for hdu in header.hdus[1:] for card in hdu.cards} == {Reason.DERIVE_FAILED}
