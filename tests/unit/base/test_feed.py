"""Cursors of a feed are kept by clients as tokens, and sorted as the feed is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.base.feed.errors import BadFeedCursor, FeedCursorGone
from armillary.base.feed.models import BEGINNING, Cursor, Topic

cursors = st.builds(
    Cursor, st.integers(0, (1 << 31) - 1), st.integers(0, (1 << 63) - 1), st.integers(0, (1 << 63) - 1)
)


@given(cursors)
def test_a_token_is_read_back(cursor: Cursor) -> None:
    assert Cursor.parse(cursor.token) == cursor


@given(cursors, cursors)
def test_cursors_are_sorted_by_their_three_numbers(one: Cursor, other: Cursor) -> None:
    assert (one < other) == (one.position < other.position)
    assert one >= BEGINNING


def test_tokens_that_clients_kept_before_there_were_topics_are_read() -> None:
    assert Cursor.parse("MS43NTEuMTI") == Cursor(generation=1, number=751, id=12)


@given(st.text(max_size=30))
def test_whatever_else_is_refused(token: str) -> None:
    try:
        cursor = Cursor.parse(token)
    except BadFeedCursor:
        return
    assert cursor.token == token


@pytest.mark.parametrize("plain", [Cursor(1 << 31), Cursor(1, 1 << 63), Cursor(1, 1, 1 << 63), Cursor(1, -1)])
def test_numbers_that_the_database_cannot_hold_are_refused(plain: Cursor) -> None:
    with pytest.raises(BadFeedCursor):
        Cursor.parse(plain.token)


def test_a_topic_says_what_to_do_behind_its_horizon() -> None:
    assert Topic("nights", gone="Ask anew.").refusal().message == "Ask anew."
    assert Topic("nights").refusal().message == FeedCursorGone().message
