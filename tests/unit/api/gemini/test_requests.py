"""Both forms of a header update request become values, item by item, and answers become elements."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.api.gemini.requests import element_of, parse_request, read_items
from armillary.edits.errors import ExtensionNotFound, ItemRefused, MalformedRequest
from armillary.edits.models import Accepted, EditRequest, Refused, Target
from armillary.edits.words import request_of_words
from armillary.errors import RequestTooLarge
from tests.support.requests import MD5, RULES, changes, requests

NAME = "N20260101S0001.fits"
TARGET = Target(NAME)
UTF_8 = "'utf-8' codec can't decode byte 0xff in position 1: invalid start byte"
LIST = "the request should be a list of items or an object with a list named request"


def parsed(content: Any, *, max_items: int = 10, max_cards: int = 10) -> list[dict[str, Any]]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return parse_request(body, max_items=max_items, max_cards=max_cards)


def read(item: dict[str, Any]) -> EditRequest | Refused:
    (found,) = read_items([item], RULES)
    return found


def refusal(item: dict[str, Any]) -> tuple[Target | None, str]:
    found = read(item)
    assert isinstance(found, Refused)
    assert isinstance(found.error, ItemRefused)
    return found.target, found.error.message


def test_both_forms_give_the_same_items() -> None:
    items = [{"filename": NAME, "values": {"qa_state": "pass"}}, {"data_label": "GN-1", "values": 5}, {}]
    assert parsed(items) == parsed({"request": items}) == parsed({"request": items, "batch": True}) == items
    assert parsed([]) == parsed({"request": []}) == []


def test_numbers_come_as_json_spells_them() -> None:
    ((one,), (other,)) = (
        parsed(b'[{"values": {"generic": {"A": 1e5, "B": 100000, "C": -0.0}}}]'),
        parsed([{"values": {"generic": {"A": 1e5, "B": 100000, "C": -0.0}}}]),
    )
    for item in (one, other):
        assert [repr(value) for value in item["values"]["generic"].values()] == ["100000.0", "100000", "-0.0"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\r\n\t ", "the request has no body; send JSON"),
        (b"[\xff]", f"the body is not UTF-8: {UTF_8}"),
        (b"[1,]", "the body is not valid JSON: Expecting value: line 1 column 4 (char 3)"),
        (b"[" * 100_000, "the JSON is nested too deeply"),
        (b"null", LIST),
        (b'"request"', LIST),
        (b'{"requests": []}', "the object has no list named request"),
        (b'{"request": {"filename": "x"}}', "request should be a list of items"),
        (b'[{}, "x"]', "item 1 is not an object"),
        (b'[{}, {"filename": 5}]', "filename of item 1 is not a string"),
        (b'{"request": [{"data_label": null}]}', "data_label of item 0 is not a string"),
    ],
)
def test_a_malformed_request_is_refused_as_a_whole(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        parsed(body)
    assert caught.value.message == reason


def test_too_many_items_are_refused_before_they_are_looked_at() -> None:
    assert len(parsed([{}] * 3, max_items=3)) == 3
    with pytest.raises(RequestTooLarge) as caught:
        parsed([5] * 4, max_items=3)
    assert caught.value.message == "4 items are more than 3; split the request"


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"generic": {"A": 1, "B": 2, "C": 3}}, 3),
        ({"generic": [["A", 1], ["A", 2]]}, 2),
        ({"generic": [5, 5, 5]}, 3),
        ({"generic": "x"}, 1),
        ({"raw_site": "iq20"}, 1),
        ({"raw_site": ["iq20", "nonsense"]}, 2),
        ({"qa_state": "nonsense"}, 2),
        ({"release": None}, 1),
        ({"qa_state": "pass", "raw_site": ["iq20", "cc50"], "release": "x", "generic": {"A": 1}}, 6),
    ],
)
def test_cards_are_counted_whether_they_are_right_or_not(values: dict[str, Any], count: int) -> None:
    items = [{"values": {}}, {"values": values}]
    assert parsed(items, max_cards=count) == items
    with pytest.raises(RequestTooLarge) as caught:
        parsed(items, max_cards=count - 1)
    assert caught.value.message == f"item 1 has {count} cards, more than {count - 1}; split it"


@pytest.mark.parametrize("values", [{"zzz": [1] * 99}, {}, [1] * 99, "x" * 99, None])
def test_what_asks_for_no_card_counts_as_none(values: Any) -> None:
    assert parsed([{"values": values}], max_cards=0) == [{"values": values}]


def test_an_item_becomes_a_request() -> None:
    item = {
        "filename": NAME,
        "values": {"qa_state": "Pass", "release": "2027-1-2", "generic": [["a", 1e5], ["COMMENT", "x"]]},
        "reject_new": False,
        "extension": ["SCI", 2],
        "if_data_md5": MD5,
        "expect_data_md5": None,
    }
    assert read(item) == EditRequest(
        target=TARGET,
        primary=changes(("RAWGEMQA", "USABLE"), ("RAWPIREQ", "YES"), ("RELEASE", "2027-01-02")),
        extension=("SCI", 2),
        cards=changes(("A", 1e5), ("COMMENT", "x")),
        if_data_md5=MD5,
    )
    label = {"data_label": "GN-1", "values": {}, "reject_new": True}
    assert read(label) == EditRequest(target=Target(None, "GN-1"), reject_new=True)


@pytest.mark.parametrize(
    ("item", "target", "reason"),
    [
        ({}, None, "This looks like a malformed request. values should be a dictionary"),
        (
            {"filename": NAME, "values": [], "x": 1},
            None,
            "This looks like a malformed request. values should be a dictionary",
        ),
        ({"values": {"zzz": 1}, "x": 1}, None, "No filename or data_label given"),
        (
            {"filename": "", "data_label": "", "values": {"zzz": 1}},
            None,
            "filename and data_label both given -this is an invalid request",
        ),
        (
            {"filename": NAME, "values": {"zzz": 1}, "rejectnew": True},
            TARGET,
            "Unknown item key: rejectnew (did you mean 'reject_new'?)",
        ),
        ({"data_label": "", "values": {}, "": 1}, Target(None, ""), "Unknown item key: "),
        (
            {"filename": NAME, "values": {"qa_stat": 1}},
            TARGET,
            "Unknown action: qa_stat (did you mean 'qa_state'?)",
        ),
        ({"filename": NAME, "values": {"generic": {"NAXIS": 1}}}, TARGET, "Protected keyword: NAXIS"),
    ],
)
def test_an_item_is_refused_with_its_reason_and_target(
    item: dict[str, Any], target: Target | None, reason: str
) -> None:
    assert refusal(item) == (target, reason)


@pytest.mark.parametrize("key", ["qa_state", "raw_site", "release", "generic"])
def test_a_deeply_nested_value_is_refused(key: str) -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    item = {"filename": NAME, "values": {key: deep}}
    assert refusal(item) == (TARGET, "Illegal value: it is nested too deeply")


def test_what_no_card_can_hold_concerns_its_item_alone() -> None:
    good = f'{{"filename": "{NAME}", "values": {{"generic": {{"A": 1}}}}}}'
    for number in ("9" * 1001, f"-{'9' * 5000}", "NaN", "-Infinity", "1e999"):
        items = parsed(f"[{good.replace('1}', number + '}')}, {good}]".encode())
        one, other = read_items(items, RULES)
        assert isinstance(one, Refused)
        assert one.error.message == "Invalid value for keyword A"
        assert other == request_of_words(TARGET, {"generic": {"A": 1}}, RULES)


def test_a_long_integer_is_read_in_whole_up_to_a_thousand_digits() -> None:
    ((item,), nines) = parsed(f'[{{"values": {"9" * 1000}}}]'.encode()), 10**1000 - 1
    assert item == {"values": nines}


@given(requests())
def test_generic_cards_of_a_request_come_through_json_as_they_are(request: EditRequest) -> None:
    item = {
        "filename": NAME,
        "values": {"generic": [[one.keyword, one.value] for one in request.cards]},
        "extension": request.extension,
        "reject_new": request.reject_new,
        "if_data_md5": request.if_data_md5,
        "expect_data_md5": request.expect_data_md5,
    }
    (found,) = read_items(parsed({"request": [item]}), RULES)
    assert isinstance(found, EditRequest)
    assert (repr(found.cards), found.extension) == (repr(request.cards), request.extension)
    assert (found.if_data_md5, found.expect_data_md5) == (request.if_data_md5, request.expect_data_md5)
    assert found.reject_new is request.reject_new


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    try:
        items = parsed(body)
    except (MalformedRequest, RequestTooLarge):
        return
    assert len(read_items(items, RULES)) == len(items)


@pytest.mark.parametrize(
    ("answer", "element"),
    [
        (Accepted(TARGET, NAME, 5), {"result": True, "id": NAME}),
        (Accepted(Target(None, "GN-1"), NAME, 5), {"result": True, "id": "GN-1"}),
        (Accepted(Target(""), NAME, 5), {"result": True, "id": ""}),
        (Refused(None, ItemRefused("why")), {"result": False, "error": "why"}),
        (Refused(TARGET, ItemRefused("why"), NAME), {"result": False, "error": "why", "id": NAME}),
        (
            Refused(Target(None, "GN-1"), ExtensionNotFound()),
            {"result": False, "error": "The file has no such extension, or several.", "id": "GN-1"},
        ),
    ],
)
def test_an_answer_becomes_an_element_with_its_keys_in_order(
    answer: Accepted | Refused, element: dict[str, Any]
) -> None:
    found = element_of(answer)
    assert (found, list(found)) == (element, list(element))
