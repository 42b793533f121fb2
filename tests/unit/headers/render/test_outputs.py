"""The forms of a header: what they say is the same, and independent readers accept it."""

from __future__ import annotations

import io
import json
import math
import re
from typing import Any

import msgspec
import pytest
import yaml
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from armillary.fits.header import Header as CardsOf
from armillary.headers.models import Level
from armillary.headers.recipes.models import SECOND, HduTemplate, Section, Slot
from armillary.headers.recipes.service import load, reference_directory
from armillary.headers.render.fitsfile import fits_bytes
from armillary.headers.render.models import Card, Hdu, Header
from armillary.headers.render.rendering import render
from armillary.headers.render.sidecar import read_sidecar, sidecar
from armillary.headers.render.specimen import Specimen
from armillary.headers.render.yamlfile import correction, yaml_bytes
from tests.unit.headers.render.night import a_recipe, a_template, rendered

LOADED = load(reference_directory())
INSTRUMENTS = ("spec1", "cam9")


def reference(instrument: str, number: int = 1) -> Header:
    recipe, template = LOADED.recipes[instrument], LOADED.templates[instrument, "raw"]
    one = Specimen(recipe, template, number=number)
    return render(recipe, template, one.exposure, one.answers(), created=one.start)


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200).map(
    lambda text: text.rstrip(" ")
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False).map(lambda value: value + 0.0),
    TEXT,
)
KEYS = st.one_of(
    st.from_regex(r"[A-Z][A-Z0-9_-]{0,7}", fullmatch=True),
    st.from_regex(r"[A-Z]{3,9} [A-Z0-9]{2,12}", fullmatch=True),
).filter(lambda key: key not in {"END", "COMMENT", "HISTORY", "CONTINUE", "CHECKSUM", "DATASUM"})
COMMENTS = st.sampled_from(["", "What it is", "It isn't short: " + "x" * 40])
CARDS = st.lists(st.tuples(KEYS, VALUES, COMMENTS), max_size=12, unique_by=lambda one: one[0])


def made(cards: list[tuple[str, Any, str]]) -> Header:
    hdus = [
        Hdu("PRIMARY", [Card("PRIMARY", key, value, None, comment) for key, value, comment in cards]),
        Hdu("A_PRIMARY", [Card("A_PRIMARY", *cards[0][:2])] if cards else [], Level.DETECTOR, "A"),
    ]
    return msgspec.structs.replace(rendered(a_recipe()), hdus=hdus)


def read_back(file: bytes) -> list[dict[str, Any]]:
    """Return the values of all HDUs as our own engine reads them."""
    found, at = [], 0
    while at < len(file):
        end = re.compile(rb"END {77}").search(file, at)
        assert end is not None
        stop = -(-end.end() // 2880) * 2880
        found.append(CardsOf(file[at:stop]).values())
        at = stop
    return found


@given(CARDS)
def test_json_fits_json(cards: list[tuple[str, Any, str]]) -> None:
    header = made(cards)
    again = read_sidecar(sidecar(header, revision=1, supersedes=None))
    assert again == header
    file = fits_bytes(header)
    assert fits_bytes(again) == file
    for hdu, values in zip(header.hdus, read_back(file), strict=True):
        for card in hdu.cards:
            found = values[card.key]
            assert found == card.value
            assert type(found) is type(card.value)


@given(CARDS)
def test_astropy_reads_what_was_written(cards: list[tuple[str, Any, str]]) -> None:
    with fits.open(io.BytesIO(fits_bytes(made(cards))), checksum=True) as hdus:
        hdus.verify("exception")
        for key, value, _ in cards:
            found = hdus[0].header[key]
            assert value is None or (found == value and type(found) is type(value))


@pytest.mark.parametrize(
    "value", [1e-5, -2.2250738585072014e-308, 1.7976931348623157e308, 0.1 + 0.2, 1e16, 123456789.0]
)
def test_numbers_have_the_shortest_text_that_reads_back(value: float) -> None:
    file = fits_bytes(made([("KEY", value, "a comment")]))
    at = file.index(b"KEY     = ")
    text = file[at + 10 : at + 80].decode().split("/")[0].strip()
    assert float(text) == value
    assert len(text) <= len(repr(value)) + 2
    assert read_back(file)[0]["KEY"] == value


def test_true_one_and_one_point_zero_are_three_values() -> None:
    cards: list[tuple[str, Any, str]] = [("KEY", value, "") for value in (True, 1, 1.0, False, 0, 0.0, -0.0)]
    texts = []
    for card in cards:
        file = fits_bytes(made([card]))
        at = file.index(b"KEY     = ")
        texts.append(file[at + 10 : at + 30].decode().strip())
    assert texts == ["T", "1", "1.0", "F", "0", "0.0", "0.0"]


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_the_file_of_an_instrument_equals_its_side_car(instrument: str) -> None:
    header = reference(instrument)
    told = json.loads(sidecar(header, revision=2, supersedes=1))
    assert (told["revision"], told["supersedes"], told["image_id"]) == (2, 1, header.image_id)
    assert told["cards"][0].keys() == set(Card.__struct_fields__)
    with fits.open(io.BytesIO(fits_bytes(header)), checksum=True) as hdus:
        hdus.verify("exception")
        assert [one.name for one in hdus] == [one.name for one in header.hdus]
        for card in told["cards"]:
            # Every card has a reason or an origin.
            assert card["reason"] or card["source"]
            found = hdus[card["hdu"]].header[card["key"]]
            if card["value"] is not None:
                assert found == card["value"]
                assert type(found) is type(card["value"])
            if card["unit"] and card["hdu"] == "PRIMARY":
                assert hdus[0].header.comments[card["key"]].startswith(f"[{card['unit']}]")


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_yaml_reads_back_with_the_types_of_all_values(instrument: str) -> None:
    header = reference(instrument)
    told = yaml.safe_load(yaml_bytes(header))
    assert [one["name"] for one in told["hdus"]] == [one.name for one in header.hdus]
    for ours, theirs in zip(header.hdus, told["hdus"], strict=True):
        assert [(card["key"], card["value"]) for card in theirs["cards"]] == [
            (card.key, card.value) for card in ours.cards
        ]
        for card, other in zip(ours.cards, theirs["cards"], strict=True):
            assert type(other["value"]) is type(card.value)


@given(CARDS)
def test_yaml_of_any_values(cards: list[tuple[str, Any, str]]) -> None:
    told = yaml.safe_load(yaml_bytes(made(cards)))
    for (key, value, _), found in zip(cards, told["hdus"][0]["cards"], strict=True):
        assert (found["key"], found["value"]) == (key, value)
        assert type(found["value"]) is type(value)


def test_rendering_a_stored_revision_again_gives_the_same_bytes() -> None:
    first, second = reference("cam9"), reference("cam9")
    assert fits_bytes(first) == fits_bytes(second)
    assert sidecar(first, revision=1, supersedes=None) == sidecar(second, revision=1, supersedes=None)
    assert yaml_bytes(first) == yaml_bytes(second)


def test_a_file_of_one_detector() -> None:
    header = reference("cam9")
    detector = header.hdus[3].detector
    with fits.open(io.BytesIO(fits_bytes(header, detector=detector)), checksum=True) as hdus:
        hdus.verify("exception")
        assert [one.name for one in hdus][:2] == ["PRIMARY", f"{detector}_PRIMARY"]
        assert all(one.name.startswith(str(detector)) for one in hdus[1:])
        assert all(one.header.get("INHERIT") for one in hdus[2:])


def test_sections_are_titles_and_no_cards() -> None:
    recipe = a_recipe()
    template = a_template()
    sections = (Section((Slot("TIMESYS"),), "Time"), Section((Slot("HEADVER"),), "Öther"))
    template = msgspec.structs.replace(template, hdus={Level.PRIMARY: HduTemplate(sections)})
    header = rendered(recipe, template)
    assert header.hdus[0].sections == ((0, "Time"), (1, "Other"))
    text = fits_bytes(header).decode("ascii")
    lines = [text[at : at + 80].strip() for at in range(320, 800, 80)]
    assert lines[0] == ""
    assert lines[1] == "COMMENT ---- Time ----"
    assert lines[4] == "COMMENT ---- Other ----"
    assert read_sidecar(sidecar(header, revision=1, supersedes=None)) == header


def test_a_correction_holds_what_has_changed_since_the_first_revision() -> None:
    def header(**values: Any) -> Header:
        return msgspec.structs.replace(
            rendered(a_recipe(), a_template(), created=SECOND),
            hdus=[
                Hdu("PRIMARY", [Card("PRIMARY", key.replace("_", "-"), one) for key, one in values.items()]),
                Hdu("A_PRIMARY", [Card("A_PRIMARY", "GAIN", values["RA"])], Level.DETECTOR, "A"),
            ],
        )

    first = header(DATE="2024-06-24", RA=1.0, DATE_END=None, OBJECT="M 1", N=1)
    new = header(DATE="2024-06-25", RA=1.5, DATE_END="2024-06-24T01:02:03.000", OBJECT="M 1", N=1.0)
    expected = {"RA": 1.5, "DATE-END": "2024-06-24T01:02:03.000", "N": 1.0}
    assert yaml.safe_load(correction(new, first)) == expected
    assert yaml.safe_load(correction(new, first, detector="A")) == {**expected, "GAIN": 1.5}
    assert yaml.safe_load(correction(first, first)) == {}


def test_hierarch_keywords_stand_without_the_word_in_corrections() -> None:
    def header(value: bool) -> Header:
        return made([("SIMULATE CAMERA", value, "")])

    assert yaml.safe_load(correction(header(True), header(False))) == {"SIMULATE CAMERA": True}


def test_no_text_of_json_holds_a_number_that_is_none() -> None:
    header = reference("spec1")
    told = json.loads(
        sidecar(header, revision=1, supersedes=None),
        parse_constant=lambda word: pytest.fail(f"{word} in JSON"),
    )
    assert all(not isinstance(one["value"], float) or math.isfinite(one["value"]) for one in told["cards"])
