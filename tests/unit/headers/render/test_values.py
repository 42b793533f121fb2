"""Options of a keyword: where its value is, and what is made of it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from armillary.headers.models import Reason
from armillary.headers.recipes.models import (
    SECOND,
    Constant,
    Derived,
    Fallback,
    Keyed,
    Keyword,
    Source,
    Type,
    Unit,
    Valid,
)
from armillary.headers.render.conversion import factor, transliterated
from armillary.headers.render.extraction import split_delimited
from tests.unit.headers.render.night import (
    READOUT,
    SITE,
    START,
    Bus,
    R,
    S,
    a_recipe,
    card_of,
    exposure,
    rendered,
    source,
)

T = START - SECOND


def value_of(value: Any, **options: Any) -> Any:
    """Return the value of a keyword whose source said something; a reason if it has none."""
    card = card_of(Keyword(source("air"), S, **options), Bus().say("weather:301", "air", T, value=value))
    return card.value if card.reason is None else card.reason


@pytest.mark.parametrize("value", ["text", "", 17, 2.5, True, False, -0.25, 9223372036854775807])
def test_values_are_taken_as_they_are(value: Any) -> None:
    found = value_of(value)
    assert found == value
    assert type(found) is type(value)


def test_zero_has_one_form() -> None:
    assert str(value_of(-0.0)) == "0.0"


def test_a_dotted_path_leads_into_objects() -> None:
    keyword = Keyword(source("air", "inner.deep.value"), S)
    bus = Bus().say("weather:301", "air", T, inner={"deep": {"value": 4.5}})
    assert card_of(keyword, bus).value == 4.5
    assert card_of(keyword, Bus().say("weather:301", "air", T, inner=4)).reason == Reason.EXTRACTION_ERROR


def test_one_item_of_a_list() -> None:
    keyword = Keyword(source("air", index=1), S)
    assert card_of(keyword, Bus().say("weather:301", "air", T, value=[1.5, 2.5])).value == 2.5
    assert card_of(keyword, Bus().say("weather:301", "air", T, value=[1.5])).reason == Reason.EXTRACTION_ERROR


@pytest.mark.parametrize(("index", "value"), [(0, 7.5), (None, [7.5])])
def test_a_scalar_for_a_list_and_the_reverse_are_taken_and_noted(index: int | None, value: Any) -> None:
    recipe = a_recipe({"KEY": Keyword(source("air", index=index), S)})
    header = rendered(recipe, bus=Bus().say("weather:301", "air", T, value=value))
    card = header.card("KEY")
    assert card is not None
    assert card.value == 7.5
    assert [one.rule for one in header.findings] == ["shape"]


def test_a_list_of_two_is_no_scalar() -> None:
    assert value_of([1, 2]) == Reason.TYPE


def test_the_delimited_strings_of_the_specification() -> None:
    keys, values = "imageType:groupId", r"BIAS:2020-06-16T18\:43\:55.039"
    assert split_delimited(values) == ("BIAS", "2020-06-16T18:43:55.039")
    told = exposure(payloads={"integration_start": {"keys": keys, "values": values}})
    for name, expected in (("imageType", "BIAS"), ("groupId", "2020-06-16T18:43:55.039")):
        keyword = Keyword(Source("cam", "start_integration", keyed=Keyed("keys", "values", name)), S)
        assert card_of(keyword, of=told).value == expected


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", ("",)),
        (":", ("", "")),
        ("a::b", ("a", "", "b")),
        (r"a\\:b", ("a\\", "b")),
        (r"a\\\:b", (r"a\:b".replace("\\:", "\\:"),)),
        (r"a\:b:c", ("a:b", "c")),
        ("a\\", ("a\\",)),
    ],
)
def test_delimited_strings_are_read_from_left_to_right(text: str, items: tuple[str, ...]) -> None:
    assert split_delimited(text) == items


@pytest.mark.parametrize(
    ("keys", "values", "reason"),
    [("a:b", "1:2", Reason.EXTRACTION_ERROR), ("a:name", "1", Reason.LENGTH_MISMATCH)],
)
def test_names_that_are_not_there(keys: str, values: str, reason: Reason) -> None:
    told = exposure(payloads={"integration_start": {"keys": keys, "values": values}})
    keyword = Keyword(Source("cam", "start_integration", keyed=Keyed("keys", "values", "name")), S)
    assert card_of(keyword, of=told).reason == reason


def test_radians_become_degrees() -> None:
    assert value_of(0.17453292519943295, unit=Unit("rad", "deg")) == 10.0


@pytest.mark.parametrize(
    ("given", "out", "before", "after"),
    [
        ("um", "mm", 1500.0, 1.5),
        ("K", "deg_C", 283.15, 10.0),
        ("deg_C", "K", 10.0, 283.15),
        ("Pa", "hPa", 77100, 771.0),
        ("1", "1", 1.2, 1.2),
        ("deg", "deg", 12, 12),
    ],
)
def test_units_are_those_of_astropy(given: str, out: str, before: float, after: float) -> None:
    assert value_of(before, unit=Unit(given, out)) == pytest.approx(after, abs=1e-12)


def test_the_unit_stands_on_the_card() -> None:
    keyword = Keyword(source("air"), S, unit=Unit("rad", "deg"))
    assert card_of(keyword, Bus().say("weather:301", "air", T, value=0.1)).unit == "deg"
    with pytest.raises(ValueError, match="not convertible"):
        factor(Unit("m", "s"))


def test_a_text_has_no_unit() -> None:
    assert value_of("12", unit=Unit("m", "mm")) == Reason.TYPE
    assert value_of("12", scale=2.0) == Reason.TYPE


def test_scale_and_offset() -> None:
    assert value_of(4, scale=2.5, offset=1.0) == 11.0
    assert value_of(4, offset=1) == 5
    assert value_of(0.5, scale=100) == 50.0


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (Type.STR, 12, "12"),
        (Type.STR, 1.5, "1.5"),
        (Type.INT, "12", 12),
        (Type.INT, 12.0, 12),
        (Type.INT, 12.5, Reason.TYPE),
        (Type.INT, "twelve", Reason.TYPE),
        (Type.INT, True, Reason.TYPE),
        (Type.FLOAT, "1.5", 1.5),
        (Type.FLOAT, 2, 2.0),
        (Type.FLOAT, "NaN", Reason.INVALID),
        (Type.FLOAT, [], Reason.TYPE),
        (Type.BOOL, 1, True),
        (Type.BOOL, "false", False),
        (Type.BOOL, "maybe", Reason.TYPE),
        (Type.BOOL, None, Reason.INVALID),
        (Type.STR, {}, Reason.TYPE),
    ],
)
def test_types(kind: Type, before: Any, after: Any) -> None:
    found = value_of(before, type=kind)
    assert found == after
    assert type(found) is type(after)


def test_seconds_become_dates_in_the_scale_of_the_instrument() -> None:
    told = exposure(payloads={"end": {"begin": 1590098178.28}})
    keyword = Keyword(Source("cam", "end_of_telemetry", "begin"), R, type=Type.TIME)
    assert card_of(keyword, of=told).value == "2020-05-21T21:56:18.280"
    assert card_of(keyword, of=told, timesys="UTC").value == "2020-05-21T21:55:41.280"
    # The same number on a clock of UTC is 37 s later.
    assert value_of(1590098178.28, type=Type.TIME) == "2020-05-21T21:56:55.280"
    assert value_of("2020-05-21T21:56:18.28", type=Type.TIME) == "2020-05-21T21:56:55.280"
    assert value_of(1e40, type=Type.TIME) == Reason.RANGE
    assert value_of("soon", type=Type.TIME) == Reason.TYPE


@pytest.mark.parametrize(
    ("valid", "value", "fine"),
    [
        (Valid(low=1.0, high=40.0), 1.0, True),
        (Valid(low=1.0, high=40.0), 40.0, True),
        (Valid(low=1.0, high=40.0), 0.999, False),
        (Valid(high=5), -1e300, True),
        (Valid(choices=("A", "B")), "A", True),
        (Valid(choices=("A", "B")), "C", False),
        (Valid(choices=(1, 2)), 2, True),
        (Valid(choices=(1, 2)), True, False),
        (Valid(pattern="[A-Z]{2}"), "AT", True),
        (Valid(pattern="[A-Z]{2}"), "ATX", False),
    ],
)
def test_accepted_values(valid: Valid, value: Any, fine: bool) -> None:
    assert value_of(value, valid=valid) == (value if fine else Reason.RANGE)


def test_a_text_is_in_no_range() -> None:
    assert value_of("12", valid=Valid(low=0, high=20)) == Reason.TYPE


ENUMS = {"vignetting": {"UNKNOWN": 0, "NO": 1, "PARTIALLY": 2, "FULLY": 3}}


@pytest.mark.parametrize(
    ("told", "shown"),
    [(1, "NO"), (3.0, "FULLY"), ("NO", "NO"), ("2", "PARTIALLY"), (7, Reason.RANGE), (None, Reason.INVALID)],
)
def test_enums_are_printed_by_name(told: Any, shown: Any) -> None:
    keyword = Keyword(source("dome", enum="vignetting"), S)
    card = card_of(keyword, Bus().say("weather:301", "dome", T, value=told), enums=ENUMS)
    assert (card.value if card.reason is None else card.reason) == shown
    assert card.raw == told


CONDITION = Keyword(source("air"), S, when="TRACKSYS == 'RADEC'")


@pytest.mark.parametrize(
    ("system", "reason"), [("RADEC", None), ("LOCAL", Reason.NOT_APPLICABLE), (None, None)]
)
def test_a_condition_that_is_false_makes_a_card_not_applicable(
    system: str | None, reason: Reason | None
) -> None:
    bus = Bus().say("weather:301", "air", T, value=1.5)
    if system:
        bus.say("pointing", "control", T, system=system)
    recipe = a_recipe({"KEY": CONDITION, "TRACKSYS": Keyword(Source("ptg", "control", "system"), S)})
    card = rendered(recipe, bus=bus).card("KEY")
    assert card is not None
    # What is unknown leaves nothing out.
    assert card.reason == reason
    assert card.value == (1.5 if reason is None else None)


def test_fallbacks_are_tried_in_order_and_the_one_used_is_recorded() -> None:
    keyword = Keyword(
        source("air"),
        S,
        fallback=(Fallback(source=source("other")), Fallback(derive="airmass(EL)"), Fallback(constant=99.0)),
    )
    recipe = a_recipe({"KEY": keyword}, constants={"EL": Constant(30.0)})
    assert told(recipe, Bus().say("weather:301", "air", T, value=1.5)) == (1.5, None, "weather:301")
    assert told(recipe, Bus().say("weather:301", "other", T, value=2.5)) == (2.5, 0, "weather:301")
    assert told(recipe, Bus()) == (2.0, 1, "derived")
    low = a_recipe({"KEY": keyword}, constants={"EL": Constant(-30.0)})
    assert told(low, Bus()) == (99.0, 2, "constant")


def told(recipe: Any, bus: Bus) -> tuple[Any, Any, Any]:
    card = rendered(recipe, bus=bus).card("KEY")
    assert card is not None
    return card.value, card.fallback, card.source


def test_what_has_no_fallback_left_says_why_the_source_failed() -> None:
    keyword = Keyword(source("air"), S, fallback=(Fallback(source=source("other")),))
    card = card_of(keyword, Bus().say("weather:301", "air", T, value=float("nan")))
    assert (card.reason, card.raw, card.fallback) == (Reason.INVALID, "NaN", None)


def test_a_fallback_has_its_own_moment_and_unit() -> None:
    other = Fallback(source=source("other"), at=R, unit=Unit("um", "mm"))
    keyword = Keyword(source("air"), S, unit=Unit("m", "mm"), fallback=(other,))
    bus = Bus().say("weather:301", "other", READOUT, value=1500.0)
    card = card_of(keyword, bus)
    assert (card.value, card.at, card.unit) == (1.5, "readout_start", "mm")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("µm", "um"),
        ("Ångström", "Angstrom"),
        ("20°", "20deg"),
        ("two\nlines", "two lines"),
        ("trailing  ", "trailing"),
        ("10–20", "10-20"),
        ("星", None),
        ("bell\x07", None),
    ],
)
def test_texts_are_transliterated(before: str, after: str | None) -> None:
    assert transliterated(before) == after


def test_transliterated_texts_are_flagged_and_kept_raw() -> None:
    recipe = a_recipe({"KEY": Keyword(source("air"), S)})
    header = rendered(recipe, bus=Bus().say("weather:301", "air", T, value="σ Ori, Ångström"))
    card = header.card("KEY")
    assert card is not None
    assert card.raw == "σ Ori, Ångström"
    assert card.reason == Reason.INVALID
    header = rendered(recipe, bus=Bus().say("weather:301", "air", T, value="Ångström"))
    card = header.card("KEY")
    assert card is not None
    assert card.value == "Angstrom"
    assert [one.rule for one in header.findings] == ["transliterated"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("mjd(DATE-BEG)", 58990.91410046297),
        ("dayobs(DATE-BEG)", 20200521),
        ("nite(DATE-BEG)", "20200521"),
        ("exposure_id(DAYOBS, SEQNUM)", 2024062400169),
        ("obsgeo_x()", 1819093.5197),
        ("obsgeo_y()", -5208408.0965),
        ("obsgeo_z()", -3195186.4458),
        ("airmass(EL)", 2.0),
        ("airmass(EL, 'pickering')", 1.993),
    ],
)
def test_derived_values(expression: str, value: Any) -> None:
    constants = {"DATE-BEG": "2020-05-21T21:56:18.280", "DAYOBS": 20240624, "SEQNUM": 169, "EL": 30.0}
    derived = {"KEY": Derived(expression)}
    recipe = a_recipe(constants={key: Constant(one) for key, one in constants.items()}, derive=derived)
    card = rendered(recipe).card("KEY")
    assert card is not None
    assert card.value == (pytest.approx(value, abs=1e-3) if isinstance(value, float) else value)
    assert (card.source, card.field) == ("derived", expression)


def test_places_on_the_sphere_are_those_of_sofa() -> None:
    import erfa

    h, d, p = (math.radians(one) for one in (30.0, -30.0, SITE.lat))
    azimuth, altitude = erfa.hd2ae(h, d, p)
    expected = {
        "altitude(HA, DEC)": altitude,
        "azimuth(HA, DEC)": azimuth,
        "parallactic_angle(HA, DEC)": erfa.hd2pa(h, d, p),
    }
    for expression, radians in expected.items():
        # An hour angle in hours is one, too, if its card says so.
        constants = {"HA": Constant(2.0, unit="h"), "DEC": Constant(-30.0)}
        card = rendered(a_recipe(constants=constants, derive={"KEY": Derived(expression)})).card("KEY")
        assert card is not None
        assert card.value == pytest.approx(math.degrees(radians), abs=1e-8)


def test_hour_angles_are_degrees_unless_their_unit_is_hours() -> None:
    from armillary.sky.pointing import hour_angle_deg

    derive = {
        "HA": Derived("hour_angle(RA)", at=S),
        "HAHOURS": Derived("hour_angle(RA)", at=S, unit="h"),
        "EL": Derived("altitude(HAHOURS, DEC)"),
        "EL2": Derived("altitude(HA, DEC)"),
    }
    header = rendered(a_recipe(constants={"RA": Constant(150.0), "DEC": Constant(-20.0)}, derive=derive))
    values = {card.key: card.value for card in header.hdus[0].cards}
    assert values["HA"] == pytest.approx(hour_angle_deg(START, SITE.lon, 150.0), abs=1e-8)
    assert values["HAHOURS"] == pytest.approx(values["HA"] / 15, abs=1e-9)  # type: ignore[operator]
    assert values["EL"] == pytest.approx(values["EL2"], abs=1e-7)


@pytest.mark.parametrize(
    "expression", ["mjd(NOWHERE)", "airmass(LOW)", "mjd(TEXT)", "hour_angle(LOW)", "exposure_id(TEXT, LOW)"]
)
def test_derived_values_of_nothing_fail(expression: str) -> None:
    recipe = a_recipe(
        constants={"LOW": Constant(-5.0), "TEXT": Constant("soon")}, derive={"KEY": Derived(expression)}
    )
    card = rendered(recipe).card("KEY")
    assert card is not None
    assert (card.value, card.reason) == (None, Reason.DERIVE_FAILED)


def test_a_derived_value_out_of_range() -> None:
    recipe = a_recipe(
        constants={"EL": Constant(1.0)}, derive={"KEY": Derived("airmass(EL)", valid=Valid(low=1, high=40))}
    )
    card = rendered(recipe).card("KEY")
    assert card is not None
    assert card.reason == Reason.RANGE


def test_circles_cost_their_own_keywords_alone() -> None:
    recipe = a_recipe(
        constants={"FINE": Constant(1)}, derive={"A": Derived("mjd(B)"), "B": Derived("mjd(A)")}
    )
    header = rendered(recipe)
    assert [card.reason for card in header.hdus[0].cards] == [
        None,
        Reason.DERIVE_FAILED,
        Reason.DERIVE_FAILED,
    ]
