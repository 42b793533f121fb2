"""Requests on their way through orders: nothing is lost, orders of before are read, garbage is refused."""

from __future__ import annotations

import bz2
import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.archive.catalog.models import Location
from armillary.edits.errors import ItemRefused
from armillary.edits.kinds import UPDATE_HEADERS
from armillary.edits.models import CardState, EditRequest, Origin, Target
from armillary.edits.orders import of_text, order_of, request_of, to_text
from armillary.edits.validation import Rules, checked
from armillary.edits.words import request_of_words
from tests.support.headers import a_primary
from tests.support.requests import MD5, RULES, TARGET, a_request, changes, requests
from tests.support.versions import a_version

WHOLE = EditRequest(
    target=Target("a.fits"),
    primary=changes(("RELEASE", "2027-01-02")),
    extension=("SCI", 2),
    cards=changes(("A", 1e5), ("COMMENT", "x"), ("COMMENT", "x"), ("B", None), ("C", True)),
    reject_new=False,
    if_data_md5=MD5,
    if_cards=(CardState("A", 1e5), CardState("B", None), CardState("NEW", there=False), CardState("C", True)),
)


def types(request: EditRequest) -> list[type]:
    return [type(one.value) for one in (*request.primary, *request.cards)]


@given(requests())
def test_a_request_comes_back_from_its_text(request: EditRequest) -> None:
    text = to_text(request)
    found = of_text(text)
    assert found == request
    # Equal values may differ in type (1, 1.0 and True) and in sign (0.0 and -0.0).
    assert repr(found) == repr(request)
    assert repr(request_of({"edit": text}, RULES)) == repr(request)
    # PostgreSQL refuses NUL and lone surrogates, and would give numbers other forms.
    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize("number", [1e5, 1e22, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 3.0])
def test_a_float_stays_one(number: float) -> None:
    (card,) = of_text(to_text(a_request(("A", number)))).cards
    assert (repr(card.value), type(card.value)) == (repr(number), float)


@pytest.mark.parametrize("number", [0, 1, 100000, (1 << 63) - 1, -(1 << 63)])
def test_an_integer_stays_one(number: int) -> None:
    (card,) = of_text(to_text(a_request(("A", number)))).cards
    assert (card.value, type(card.value)) == (number, int)


def test_the_text_is_what_releases_to_come_will_read() -> None:
    assert json.loads(to_text(WHOLE)) == {
        "filename": "a.fits",
        "primary": [["RELEASE", "2027-01-02"]],
        "extension": ["SCI", 2],
        "cards": [["A", 1e5], ["COMMENT", "x"], ["COMMENT", "x"], ["B", None], ["C", True]],
        "reject_new": False,
        "if_data_md5": MD5,
        "if_cards": [["A", 1e5, True], ["B", None, True], ["NEW", None, False], ["C", True, True]],
    }
    bare = '{"data_label": "GN-1", "extension": 0, "reject_new": true}'
    request = EditRequest(target=Target(None, "GN-1"), reject_new=True)
    assert (to_text(request), of_text(bare)) == (bare, request)


def test_an_order_says_which_file_it_is_about_and_who_asks_why() -> None:
    stored = bz2.compress(a_primary())
    version = a_version(stored, file_id=3, name="a.fits", location=Location(2, "2026/01", "a.fits.bz2"))
    origin = Origin("observer", address="192.0.2.1", why="focus", batch="night")
    request_id = UUID(int=7)
    order = order_of(WHOLE, version, origin, request_id, 4)
    assert dict(order.args) == {
        "file_key": "2:2026/01/a.fits.bz2",
        "file_id": 3,
        "name": "a.fits",
        "edit": to_text(WHOLE),
        "address": "192.0.2.1",
        "why": "focus",
        "batch": "night",
    }
    assert (order.kind, order.key) == (UPDATE_HEADERS, "2:2026/01/a.fits.bz2")
    assert (order.request_id, order.item_index) == (request_id, 4)
    assert (order.actor, order.batch, order.response_required) == ("observer", "night", True)
    assert request_of(order.args, RULES) == WHOLE


BEFORE: list[dict[str, Any]] = [
    {},
    {"qa_state": "Pass"},
    {"raw_site": "iq20"},
    {"raw_site": ["iq20", "CC50"], "release": "2027-1-2"},
    {"generic": [["a", 1e5], ["A", 100000], ["history", "x"], ["B", None], ["C", False], ["D", "33"]]},
    {"generic": {"A": -0.0, "RELEASE": "2027-1-2"}, "extension": 3},
    {"qa_state": "usable", "generic": [["A", "x"]], "extension": "SCI", "reject_new": True},
    {"generic": [["A", "x"]], "extension": ["SCI", 2], "if_data_md5": MD5, "expect_data_md5": MD5[::-1]},
    {"generic": [], "reject_new": False, "extension": 0},
]
OPTIONS = ("reject_new", "extension", "if_data_md5", "expect_data_md5")


@pytest.mark.parametrize("item", BEFORE, ids=repr)
def test_an_order_of_before_asks_for_what_it_asked_for_then(item: dict[str, Any]) -> None:
    values = {key: value for key, value in item.items() if key not in OPTIONS}
    options = {key: value for key, value in item.items() if key in OPTIONS}
    new = request_of_words(TARGET, values, RULES, **options)
    whole = {
        "file_key": "1:a",
        "file_id": 1,
        "name": TARGET.filename,
        "address": "",
        "why": "",
        "batch": None,
    }
    args = whole | {key: json.dumps(value) if key == "generic" else value for key, value in item.items()}
    for one in (args, dict.fromkeys(OPTIONS) | {"generic": None} | args):
        found = request_of(one, RULES)
        assert found == new == request_of({"edit": to_text(new)}, RULES)
        assert types(found) == types(new)


def test_the_worker_judges_by_its_own_rules() -> None:
    text, before = to_text(a_request(("TELESCOP", "x"))), {"generic": '{"TELESCOP": "x"}'}
    for args in ({"edit": text}, before):
        assert request_of(args, RULES).cards == changes(("TELESCOP", "x"))
        with pytest.raises(ItemRefused, match=r"^Protected keyword: TELESCOP$"):
            request_of(args, Rules(frozenset(["TELESCOP"])))


EDIT = {"extension": 0, "reject_new": False}


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ({"edit": None}, "The order cannot be read: "),
        ({"edit": {}}, "The order cannot be read: "),
        ({"edit": ""}, "The order cannot be read: "),
        ({"edit": "[]"}, "The order cannot be read: "),
        ({"edit": "5"}, "The order cannot be read: "),
        ({"edit": "{}"}, "The order cannot be read: 'extension'"),
        ({"edit": '{"extension": 0}'}, "The order cannot be read: 'reject_new'"),
        ({"edit": "[" * 100_000}, "The order cannot be read: "),
        ({"edit": json.dumps({**EDIT, "cards": 5})}, "The order cannot be read: "),
        ({"edit": json.dumps({**EDIT, "cards": [["A"]]})}, "The order cannot be read: "),
        ({"edit": json.dumps({**EDIT, "cards": [["NAXIS", 1]]})}, "Protected keyword: NAXIS"),
        ({"edit": json.dumps({**EDIT, "cards": [["A", [1]]]})}, "Invalid value for keyword A"),
        ({"edit": json.dumps({**EDIT, "primary": [[5, 1]]})}, "Invalid keyword: 5"),
        ({"edit": json.dumps({**EDIT, "extension": [1]})}, "Illegal value for extension: "),
        ({"edit": json.dumps({**EDIT, "reject_new": "x"})}, "Illegal value for reject_new: "),
        ({"edit": json.dumps({**EDIT, "if_data_md5": 5})}, "Illegal value for if_data_md5: "),
        ({"edit": json.dumps({**EDIT, "if_cards": [["A", 1, 1]]})}, "Illegal value for if_cards: "),
        ({"edit": json.dumps({**EDIT, "if_cards": [["A", [1]]]})}, "Illegal value for if_cards: "),
        ({"edit": json.dumps({**EDIT, "if_cards": [5]})}, "The order cannot be read: "),
        ({"generic": {}}, "The order cannot be read: "),
        ({"generic": "A"}, "The order cannot be read: "),
        ({"generic": "[" * 100_000}, "The order cannot be read: "),
        ({"generic": "5"}, "Illegal value '5' for action 'generic'"),
        ({"qa_state": 5}, "Illegal value '5' for action 'qa_state'"),
        ({"extension": -1}, "Illegal value for extension: "),
    ],
    ids=lambda one: repr(one)[:60],
)
def test_an_order_that_asks_for_nothing_sensible_is_refused(args: dict[str, Any], reason: str) -> None:
    with pytest.raises(ItemRefused) as caught:
        request_of(args, RULES)
    assert caught.value.message.startswith(reason)


junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
pairs = st.lists(st.tuples(st.sampled_from(("A", "COMMENT", "RELEASE", "NAXIS")) | junk, junk), max_size=3)
texts = st.one_of(
    st.text(max_size=20),
    junk.map(json.dumps),
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("filename", "data_label", "if_cards", *OPTIONS), junk),
            **dict.fromkeys(("primary", "cards"), pairs | junk),
        },
    ).map(lambda fields: json.dumps(EDIT | fields)),
)
before = {
    **dict.fromkeys(("qa_state", "raw_site", "release", "generic", "name", *OPTIONS), junk),
    "generic": texts | junk | pairs.map(json.dumps),
}


@given(st.fixed_dictionaries({}, optional=before) | st.fixed_dictionaries({"edit": texts | junk}))
def test_garbage_is_refused_or_asks_for_something_valid(args: dict[str, Any]) -> None:
    try:
        found = request_of(args, RULES)
    except ItemRefused:
        return
    assert checked(found, RULES) == found


@given(requests(), st.data())
def test_a_text_with_one_damaged_byte_is_refused_or_valid(request: EditRequest, data: st.DataObject) -> None:
    text = to_text(request)
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.characters()) + text[at + data.draw(st.integers(0, 1)) :]
    try:
        found = request_of({"edit": damaged}, RULES)
    except ItemRefused:
        return
    assert checked(found, RULES) == found
