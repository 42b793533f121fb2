"""The JSON of the catalog: what PostgreSQL can hold, and nothing lost of it."""

from __future__ import annotations

import json
from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.archive.catalog.keywords import to_json

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
)


@given(st.dictionaries(st.text("ABC_-09", min_size=1), VALUES))
def test_values_come_back_as_they_were(values: dict[str, object]) -> None:
    def held(value: object) -> object:
        text = isinstance(value, str) and not value.isprintable()
        return "".join(c for c in str(value) if c != "\0") if text else value

    assert json.loads(to_json(values)) == {key: held(value) for key, value in values.items()}


@pytest.mark.parametrize("text", ["a\0b", "\ud800ab", "a\udfffb", "\0ab\udc80"])
def test_what_postgresql_cannot_hold_is_left_out(text: str) -> None:
    assert to_json({"A": text, "B": 1}) == '{"A":"ab","B":1}'


def test_what_json_does_not_know_becomes_text() -> None:
    found = json.loads(to_json({"A": 1 + 2j, "B": date(2026, 1, 2), "C": time(3, 4, 5)}))
    assert found == {"A": "(1+2j)", "B": "2026-01-02", "C": "03:04:05"}
