"""What an edit may ask for: words, cards, options, and the reason of every refusal."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.archive import models as quality
from armillary.edits.errors import ItemRefused
from armillary.edits.models import PRIMARY, EditRequest, Extension
from armillary.edits.validation import Rules, checked
from armillary.edits.words import request_of_words, suggest
from armillary.fits.models import CardChange, Value
from tests.support.requests import MD5, RULES, TARGET, a_request, changes, requests

QUALITY = {
    "undefined": (("RAWGEMQA", "UNKNOWN"), ("RAWPIREQ", "UNKNOWN")),
    "pass": (("RAWGEMQA", "USABLE"), ("RAWPIREQ", "YES")),
    "usable": (("RAWGEMQA", "USABLE"), ("RAWPIREQ", "NO")),
    "fail": (("RAWGEMQA", "BAD"), ("RAWPIREQ", "NO")),
    "check": (("RAWGEMQA", "CHECK"), ("RAWPIREQ", "CHECK")),
}
EXTENSION = "Illegal value for extension: it should be an index, an EXTNAME, or [EXTNAME, EXTVER]"
DIGEST = "it should be an md5 in lower-case hexadecimal digits"
GENERIC = "for action 'generic'; it should be an object {KEY: value} or a list of [KEY, value] pairs"


def asked(values: dict[str, Any], rules: Rules = RULES, **options: Any) -> EditRequest:
    return request_of_words(TARGET, values, rules, **options)


def refusal(values: dict[str, Any], rules: Rules = RULES, **options: Any) -> str:
    with pytest.raises(ItemRefused) as caught:
        asked(values, rules, **options)
    return caught.value.message


def test_nothing_is_asked_by_no_values() -> None:
    assert asked({}) == EditRequest(target=TARGET)
    assert asked({"raw_site": [], "generic": {}}) == asked({"generic": []}) == EditRequest(target=TARGET)


@pytest.mark.parametrize("word", QUALITY)
def test_a_word_of_quality_sets_two_cards_in_any_case(word: str) -> None:
    for spelled in (word, word.upper(), word.title()):
        assert asked({"qa_state": spelled}).primary == changes(*QUALITY[word])


@pytest.mark.parametrize(
    ("words", "cards"),
    [
        ("iq20", [("RAWIQ", "20-percentile")]),
        ("IQany", [("RAWIQ", "Any")]),
        (
            ["cc50", "wv80", "bgany"],
            [("RAWCC", "50-percentile"), ("RAWWV", "80-percentile"), ("RAWBG", "Any")],
        ),
        (["iq70", "iq85"], [("RAWIQ", "70-percentile"), ("RAWIQ", "85-percentile")]),
    ],
)
def test_words_of_conditions_set_one_card_each_in_their_order(words: Any, cards: list[Any]) -> None:
    assert asked({"raw_site": words}).primary == changes(*cards)


def test_words_of_all_kinds_come_in_one_order_and_before_the_generic_cards() -> None:
    found = asked({"generic": {"a": 1}, "release": "2027-1-2", "raw_site": "cc70", "qa_state": "fail"})
    assert found.primary == changes(*QUALITY["fail"], ("RAWCC", "70-percentile"), ("RELEASE", "2027-01-02"))
    assert (found.extension, found.cards) == (PRIMARY, changes(("A", 1)))


@pytest.mark.parametrize("key", ["release", "RELEASE"])
@pytest.mark.parametrize("day", ["2027-01-02", "2027-1-2", "2027-01-2"])
def test_a_release_is_written_in_one_form_whoever_sets_it(key: str, day: str) -> None:
    found = asked({"release": day}) if key == "release" else asked({"generic": {key: day}})
    assert (*found.primary, *found.cards) == changes(("RELEASE", "2027-01-02"))


def test_generic_cards_come_from_an_object_or_from_pairs_in_their_order_and_often() -> None:
    assert asked({"generic": {"b": 1, "A": "x"}}).cards == changes(("B", 1), ("A", "x"))
    pairs = [["a", 1], ["A", 2], ["comment", "one"], ["COMMENT", "two"]]
    cards = changes(("A", 1), ("A", 2), ("COMMENT", "one"), ("COMMENT", "two"))
    assert asked({"generic": pairs}).cards == cards


@pytest.mark.parametrize(
    "value",
    ["", " blank ", "~" * 1000, True, False, 0, (1 << 63) - 1, -(1 << 63), 1e5, -0.0, 5e-324, None],
)
def test_a_value_keeps_itself_and_its_type(value: Value) -> None:
    (card,) = asked({"generic": {"A": value}}).cards
    assert (repr(card.value), type(card.value)) == (repr(value), type(value))


@pytest.mark.parametrize(
    ("given_extension", "kept"),
    [
        (None, PRIMARY),
        (0, 0),
        (7, 7),
        ("SCI", "SCI"),
        (" s c i ", " s c i "),
        (["SCI", 2], ("SCI", 2)),
        (("SCI", -1), ("SCI", -1)),
    ],
)
def test_an_extension_is_an_index_a_name_or_a_name_with_a_version(
    given_extension: Any, kept: Extension
) -> None:
    found = asked({}, extension=given_extension).extension
    assert (found, type(found)) == (kept, type(kept))


def test_options_are_kept() -> None:
    found = asked({}, reject_new=True, if_data_md5=MD5, expect_data_md5=MD5[::-1])
    assert (found.reject_new, found.if_data_md5, found.expect_data_md5) == (True, MD5, MD5[::-1])
    assert asked({}, reject_new=None) == asked({}, reject_new=False) == EditRequest(target=TARGET)


@pytest.mark.parametrize(
    ("values", "options", "reason"),
    [
        ({"qastate": 1}, {}, "Unknown action: qastate (did you mean 'qa_state'?)"),
        ({"zzz": 1}, {}, "Unknown action: zzz"),
        ({"qa_state": "Psas"}, {}, "Illegal value 'Psas' for action 'qa_state' (did you mean 'pass'?)"),
        ({"qa_state": ["pass"]}, {}, "Illegal value '['pass']' for action 'qa_state'"),
        ({"qa_state": "9" * 201}, {}, f"Illegal value '{'9' * 200}...' for action 'qa_state'"),
        ({"qa_state": "9" * 200}, {}, f"Illegal value '{'9' * 200}' for action 'qa_state'"),
        ({"raw_site": "iq75"}, {}, "Illegal value 'iq75' for action 'raw_site' (did you mean 'iq85'?)"),
        ({"raw_site": ["iq20", 5]}, {}, "Illegal value '5' for action 'raw_site'"),
        ({"raw_site": {"iq20": 1}}, {}, "Illegal value '{'iq20': 1}' for action 'raw_site'"),
        ({"release": "2027-02-29"}, {}, "Invalid Release date: 2027-02-29"),
        ({"release": 20270102}, {}, "Invalid Release date: 20270102"),
        ({"generic": {"RELEASE": None}}, {}, "Invalid Release date: None"),
        ({"generic": "A=1"}, {}, f"Illegal value 'A=1' {GENERIC}"),
        ({"generic": [["A", 1, "c"]]}, {}, f"Illegal value '[['A', 1, 'c']]' {GENERIC}"),
        ({"generic": [("A", 1)]}, {}, f"Illegal value '[('A', 1)]' {GENERIC}"),
        ({"generic": "9" * 300}, {}, f"Illegal value '{'9' * 200}...' {GENERIC}"),
        ({"generic": [[5, 1]]}, {}, "Invalid keyword: 5"),
        ({"generic": {"HIERARCH A": 1}}, {}, "Invalid keyword: HIERARCH A"),
        ({"generic": {"A*B C": 1}}, {}, "Invalid keyword: A*B C"),
        ({"generic": {" ": 1}}, {}, "Protected keyword:  "),
        ({"generic": {"hierarch": 1}}, {}, "Protected keyword: hierarch"),
        ({"generic": {"naxis1": 1}}, {}, "Protected keyword: NAXIS1"),
        ({"generic": {"A": ["x"]}}, {}, "Invalid value for keyword A"),
        ({"generic": {"A": "\t"}}, {}, "Invalid value for keyword A"),
        ({"generic": {"A": "~" * 1001}}, {}, "Invalid value for keyword A"),
        ({"generic": {"A": 1 << 63}}, {}, "Invalid value for keyword A"),
        ({"generic": {"A": float("nan")}}, {}, "Invalid value for keyword A"),
        ({"generic": {"A": 1j}}, {}, "Invalid value for keyword A"),
        ({"generic": {"history": 5}}, {}, "Invalid value for keyword HISTORY"),
        (
            {"generic": {"comment": "x"}},
            {"reject_new": True},
            "Some of the keywords don't exist in the file: COMMENT",
        ),
        ({}, {"reject_new": 1}, "Illegal value for reject_new: it should be true or false"),
        ({}, {"reject_new": "true"}, "Illegal value for reject_new: it should be true or false"),
        *(({}, {"extension": value}, EXTENSION) for value in (-1, True, 1.0, "", " ", "\x00", "é", [], {})),
        *(({}, {"extension": value}, EXTENSION) for value in (["A"], ["A", "1"], ["A", True], ["", 1], [1, 1])),
        *(
            ({}, {name: value}, f"Illegal value for {name}: {DIGEST}")
            for name in ("if_data_md5", "expect_data_md5")
            for value in ("", MD5.upper(), MD5[:-1], f"{MD5}\n", 5)
        ),
    ],
    ids=repr,
)  # fmt: skip
def test_whatever_else_is_asked_is_refused_with_its_reason(
    values: dict[str, Any], options: dict[str, Any], reason: str
) -> None:
    assert refusal(values, **options) == reason


def test_every_word_that_is_valid_is_suggested_for_its_misspelling() -> None:
    for word in (*quality.QA_CARDS, *quality.SITE_CARDS):
        assert suggest(f"{word}x".upper(), [word]) == f" (did you mean '{word}'?)"
    assert suggest("nothing like it", quality.QA_CARDS) == ""


def test_cards_are_counted_together_with_those_of_the_words() -> None:
    few, values = Rules(max_cards=3), {"qa_state": "pass", "generic": [["A", 1]]}
    assert len(asked(values, few).cards) == 1
    for more in ({"raw_site": "iq20"}, {"generic": [["A", 1], ["A", 2]]}, {"release": "2027-01-02"}):
        assert refusal(values | more, few) == "More than 3 cards in one item; split it"


def test_a_site_limits_the_length_of_texts() -> None:
    short = Rules(max_string=5)
    assert asked({"generic": {"A": "12345"}}, short).cards == changes(("A", "12345"))
    assert refusal({"generic": {"A": "123456"}}, short) == "Invalid value for keyword A"


@pytest.mark.parametrize("spelled", ["TELESCOP", "telescop", " Telescop "])
def test_a_site_protects_keywords_however_they_are_spelled(spelled: str) -> None:
    rules = Rules(frozenset([spelled]))
    for key in ("TELESCOP", "telescop"):
        assert refusal({"generic": {key: "x"}}, rules) == "Protected keyword: TELESCOP"
    assert asked({"generic": {"TELESCO": "x"}}, rules).cards == changes(("TELESCO", "x"))


@pytest.mark.parametrize("spell", [str.upper, str.lower, str.title])
def test_words_set_what_a_site_protects_from_being_set_otherwise(spell: Any) -> None:
    cards = {*quality.QUALITY_KEYWORDS, "RELEASE"}
    rules = Rules(frozenset(map(spell, cards)))
    values = {"qa_state": "pass", "raw_site": ["iq20", "cc50", "wv20", "bg20"], "release": "2027-01-02"}
    assert {card.keyword for card in asked(values, rules).primary} == cards
    for keyword in cards:
        assert refusal({"generic": {keyword: "2027-01-02"}}, rules) == f"Protected keyword: {keyword}"


def test_what_no_word_sets_is_protected_wherever_a_request_has_it() -> None:
    rules = Rules(frozenset(["TELESCOP"]))
    for keyword in ("TELESCOP", "NAXIS"):
        request = EditRequest(target=TARGET, primary=changes((keyword, "x")))
        with pytest.raises(ItemRefused, match=f"^Protected keyword: {keyword}$"):
            checked(request, rules)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"cards": changes(("naxis", 1))}, "Protected keyword: NAXIS"),
        ({"primary": changes(("RELEASE", "soon"))}, "Invalid Release date: soon"),
        ({"extension": -1}, EXTENSION),
        ({"reject_new": "x"}, "Illegal value for reject_new: it should be true or false"),
        ({"if_data_md5": "x"}, f"Illegal value for if_data_md5: {DIGEST}"),
    ],
)
def test_a_request_that_did_not_come_through_the_words_is_judged_as_well(
    broken: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ItemRefused) as caught:
        checked(dataclasses.replace(a_request(), **broken), RULES)
    assert caught.value.message == reason


def test_of_several_faults_the_cards_are_told_before_the_digests() -> None:
    assert refusal({"generic": {"NAXIS": 1}}, if_data_md5="x") == "Protected keyword: NAXIS"
    assert refusal({"qa_state": 1, "generic": 1}, extension=-1, if_data_md5="x") == EXTENSION


def test_a_request_gets_its_normal_form() -> None:
    loose = a_request(("release", "2027-1-2"), ("a-b", 1), extension=["SCI", 1], reject_new=None)
    normal = a_request(("RELEASE", "2027-01-02"), ("A-B", 1), extension=("SCI", 1))
    assert checked(loose, RULES) == normal


@given(requests())
def test_what_was_judged_is_judged_the_same_again(request: EditRequest) -> None:
    again = checked(request, RULES)
    assert again == request
    assert [type(one.value) for one in again.cards] == [type(one.value) for one in request.cards]


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.just("pass")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner, max_size=3)),
    max_leaves=8,
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(("qa_state", "raw_site", "release", "generic", "x")), anything),
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("reject_new", "extension", "if_data_md5", "expect_data_md5"), anything)
    ),
)
def test_strangers_get_a_request_or_a_reason(values: dict[str, Any], options: dict[str, Any]) -> None:
    try:
        found = asked(values, **options)
    except ItemRefused:
        return
    assert checked(found, RULES) == found
    assert all(isinstance(one, CardChange) for one in (*found.primary, *found.cards))


def test_keywords_of_hierarch_cards_are_for_those_whom_the_rules_let() -> None:
    values = {"generic": {"hierarch Simulate Camera": True, "TOOLONGKEY": 1}}
    found = request_of_words(TARGET, values, RULES)
    assert [change.keyword for change in found.cards] == ["SIMULATE CAMERA", "TOOLONGKEY"]
    assert (
        refusal(values, dataclasses.replace(RULES, hierarch=False))
        == "Invalid keyword: hierarch Simulate Camera"
    )
