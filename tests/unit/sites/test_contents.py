"""JSON objects are kept as they were sent, or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.sites.contents import MAX_DEPTH, content_of, read_object
from armillary.sites.errors import BadConfig

TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda below: st.lists(below, max_size=5) | st.dictionaries(TEXTS, below, max_size=5),
    max_leaves=20,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=8)


def same(one: Any, other: Any) -> bool:
    """Compare with the types of numbers, the signs of zeros and the order of keys."""
    return json.dumps(one) == json.dumps(other)


@given(OBJECTS, st.booleans())
def test_any_object_comes_back_as_it_was(value: dict[str, Any], ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    content = content_of(read_object(body))
    assert same(json.loads(content.text), value)
    assert content.text.isascii()
    assert "\x00" not in content.text


@given(OBJECTS)
def test_the_digest_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert content_of(turned).sha256 == content_of(value).sha256


@given(OBJECTS, OBJECTS)
def test_equal_digests_mean_equal_values(one: dict[str, Any], other: dict[str, Any]) -> None:
    equal = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (content_of(one).sha256 == content_of(other).sha256) == equal


@given(st.integers(1000, 4300))
def test_integers_of_up_to_4300_digits_are_kept(digits: int) -> None:
    body = b'{"a": ' + b"7" * digits + b"}"
    assert content_of(read_object(body)).text == body.decode().replace(" ", "")


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_or_an_object(body: bytes) -> None:
    try:
        value = read_object(body)
    except BadConfig:
        return
    content_of(value)


def nested(levels: int) -> dict[str, Any]:
    """Return an object of so many levels."""
    value: Any = 1
    for _ in range(levels - 1):
        value = [value]
    return {"a": value}


def test_levels_are_counted() -> None:
    assert content_of(nested(MAX_DEPTH)).value == nested(MAX_DEPTH)
    with pytest.raises(BadConfig, match="100 levels"):
        content_of(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no body"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": Infinity}', "Infinity is no number"),
        (b'{"a": 1e400}', "1e400 is out of range"),
        (b"[]", "no object"),
        (b"true", "no object"),
        (b'{"a": ' + b"1" * 4301 + b"}", "4300 digits"),
        (b'{"\\udc00": 1}', "surrogate"),
        (b'{"a":' * 100_000, "levels"),
    ],
)
def test_refusals_say_what_is_wrong(body: bytes, said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        content_of(read_object(body))
