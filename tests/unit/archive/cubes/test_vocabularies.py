"""What is seen in a cube, in the words of vocabularies."""

from __future__ import annotations

import pytest

from armillary.archive.cubes.words.vocabularies import Vocabulary, assess, digest_of, terms_of
from armillary.fits.models import Value
from armillary.settings import SstSettings

FEATURES = Vocabulary.of_terms("FEATURES", ["Sunspot", "Light Bridge", "Flare"])
EVENTS = Vocabulary.of_terms("EVENTS", ["Flare", "Surge"])
BOTH = {"FEATURES": FEATURES, "EVENTS": EVENTS}


def test_words_are_trimmed_and_get_the_spelling_of_the_vocabulary() -> None:
    found = assess({"FEATURES": " SUNSPOT ,light bridge,, Sunspot", "EVENTS": "surge"}, BOTH)
    assert found.tags == (("FEATURES", "Sunspot"), ("FEATURES", "Light Bridge"), ("EVENTS", "Surge"))
    assert (found.features, found.events, found.warnings) == (True, True, ())


def test_one_word_may_be_a_feature_and_an_event() -> None:
    found = assess({"FEATURES": "Flare", "EVENTS": "flare"}, BOTH)
    assert found.tags == (("FEATURES", "Flare"), ("EVENTS", "Flare"))


def test_unknown_words_are_kept_as_warnings() -> None:
    found = assess({"FEATURES": f"Sunspot, Sun spot, {'x' * 100}"}, BOTH)
    assert found.tags == (("FEATURES", "Sunspot"),)
    assert found.features
    assert found.warnings == (
        "FEATURES: 'Sun spot' is not in the vocabulary",
        f"FEATURES: '{'x' * 57}...' is not in the vocabulary",
    )


@pytest.mark.parametrize(
    "values", [{}, {"FEATURES": "MISSING"}, {"FEATURES": " MISSING  "}, {"FEATURES": None}]
)
def test_what_is_missing_was_not_assessed(values: dict[str, Value]) -> None:
    found = assess(values, BOTH)
    assert (found.tags, found.features, found.events, found.warnings) == ((), False, False, ())


@pytest.mark.parametrize(("value", "warnings"), [("", 0), (" , ", 0), ("Missing", 1), (7, 1)])
def test_what_says_anything_was_assessed(value: Value, warnings: int) -> None:
    found = assess({"EVENTS": value}, BOTH)
    assert (found.events, found.features, len(found.warnings)) == (True, False, warnings)


def test_a_vocabulary_that_is_not_there_leaves_everything_open() -> None:
    found = assess({"FEATURES": "Sunspot", "EVENTS": "Flare"}, {"FEATURES": FEATURES, "EVENTS": None})
    assert found.tags == (("FEATURES", "Sunspot"),)
    assert (found.features, found.events, found.digest, found.warnings) == (True, False, None, ())


def test_a_vocabulary_that_is_not_configured_knows_no_word() -> None:
    found = assess({"FEATURES": "Sunspot", "EVENTS": "MISSING"}, {})
    assert (found.tags, found.features, found.events, found.digest) == ((), True, False, "")
    assert found.warnings == ("FEATURES: 'Sunspot' is no tag, as sst.vocabularies has none",)


def test_the_digest_is_that_of_names_and_terms() -> None:
    same = Vocabulary.of_terms("FEATURES", ["Sunspot", "Light Bridge", "Flare"])
    assert digest_of({"EVENTS": EVENTS, "FEATURES": same}) == digest_of(BOTH)
    assert digest_of({"FEATURES": EVENTS, "EVENTS": FEATURES}) != digest_of(BOTH)
    assert digest_of({"FEATURES": FEATURES}) != digest_of(BOTH)
    assert (
        Vocabulary.of_terms("FEATURES", ["sunspot"]).digest
        != Vocabulary.of_terms("FEATURES", ["Sunspot"]).digest
    )


def test_of_terms_that_differ_in_case_the_first_one_counts() -> None:
    assert Vocabulary.of_terms("X", ["Flare", "Surge", "flare"]).terms == ("Flare", "Surge")


def test_terms_stand_in_lines() -> None:
    assert terms_of("\ufeffSunspot\r\n\n  Light bridge \nÉruption".encode()) == [
        "Sunspot",
        "Light bridge",
        "Éruption",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no terms"),
        (b" \n\n", "no terms"),
        (b"Sun\xff", r"no text in UTF-8 \(byte 3\)"),
        (b"<!DOCTYPE html>\n<p>Sunspot", "'<!DOCTYPE html>' is no term"),
        (b"Sun\0spot", "is no term"),
        (b"x" * 201, "is no term; there should be one in each line"),
    ],
)
def test_what_is_no_list_of_terms_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        terms_of(content)


@pytest.mark.parametrize("source", ["ftp://a.example/x", "https://me:word@a.example/x", "https://", " "])
def test_a_source_is_an_address_or_a_file(source: str) -> None:
    with pytest.raises(ValueError, match=r"is no address|name an address"):
        SstSettings(vocabularies={"FEATURES": source})


def test_other_keywords_have_no_vocabulary() -> None:
    with pytest.raises(ValueError, match="'FEATURES' or 'EVENTS'"):
        SstSettings.model_validate({"vocabularies": {"OBJECT": "/a"}})
