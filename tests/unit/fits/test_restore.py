"""Cards put back one by one: in their place, the right one of several alike, and the header stays FITS."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.fits.cards import split_cards
from armillary.fits.draft import LARGE, STEP
from armillary.fits.edit import edit_header
from armillary.fits.errors import PlanMismatch
from armillary.fits.header import Header
from armillary.fits.models import BLOCK, CardChange, Value
from armillary.fits.restore import restore_cards, same_cards
from tests.support.headers import a_card, a_layout, a_primary, keywords, values

Pairs = list[tuple[bytes, bytes]]


def edit(header: bytes, *changes: tuple[str, Value]) -> tuple[bytes, Pairs]:
    """Return the edited header, and what the record of the edit says of its cards."""
    result = edit_header(header, [CardChange(*one) for one in changes], bytes_after=0)
    return result.header, [(effect.old_raw, effect.new_raw) for effect in result.effects]


def restore(header: bytes, pairs: Pairs) -> bytes:
    return restore_cards(header, pairs, bytes_after=0)


def inverse(pairs: Pairs) -> Pairs:
    """Return what the record of a revert says."""
    return [(new, old) for old, new in reversed(pairs)]


def lines(header: bytes) -> list[str]:
    """Return the cards behind the mandatory ones."""
    return Header(header).text().split("\n")[3:]


def test_a_card_that_comes_back_takes_the_place_of_a_new_one() -> None:
    before = a_primary("A       = 1", "COMMENT c", "", "        text")
    created, pairs = edit(before, ("N", 5))
    gone = restore(created, pairs)
    assert "N" not in Header(gone).keywords()
    back = restore(edit(gone, ("A", 2))[0], inverse(pairs))
    assert lines(back)[1:3] == ["N       =                    5", "COMMENT c"]
    assert split_cards(back)[0].startswith(b"SIMPLE")
    assert a_layout(back).headers == (back,)


def test_a_card_that_is_there_again_is_not_doubled() -> None:
    created, pairs = edit(a_primary("A       = 1"), ("N", 5))
    again, _ = edit(restore(created, pairs), ("N", 6))
    with pytest.raises(PlanMismatch, match="There is a card N in the header again"):
        restore(again, inverse(pairs))


def test_of_words_said_twice_those_go_that_were_added() -> None:
    before = a_primary("HISTORY h", "HISTORY between")
    after, pairs = edit(before, ("HISTORY", "h"))
    assert lines(restore(after, pairs)) == ["HISTORY h", "HISTORY between"]
    assert lines(restore(restore(after, pairs), inverse(pairs)))[-1] == "HISTORY h"


def test_a_card_that_a_later_edit_changed_is_named() -> None:
    after, pairs = edit(a_primary("A       = 1"), ("A", 2))
    with pytest.raises(PlanMismatch, match=r"The card 'A +=  +2' is not in the header any more"):
        restore(edit(after, ("A", 3))[0], pairs)


def test_the_checksum_of_the_compressed_original_goes_here_too() -> None:
    after, pairs = edit(a_primary("A       = 1"), ("A", 2))
    with_sum = after.replace(b"END".ljust(80), a_card("ZHECKSUM= 'abcdefghabcdefgh'") + b"END".ljust(80))
    assert lines(restore(with_sum[:BLOCK], pairs)) == ["A       = 1"]


@pytest.mark.parametrize(("bytes_after", "grown"), [(LARGE - 1, BLOCK), (LARGE, STEP)])
def test_headers_grow_by_the_same_rule_as_in_edits(bytes_after: int, grown: int) -> None:
    full = a_primary("A       = 'x'", *["COMMENT full"] * 31)
    result = edit_header(full, [CardChange("A", "y" * 60)], bytes_after=bytes_after)
    pairs = [
        (a_card("A       = 'long&'") + a_card("CONTINUE  'er'"), effect.new_raw) for effect in result.effects
    ]
    restored = restore_cards(result.header, pairs, bytes_after=bytes_after)
    assert len(restored) == len(full) + grown
    assert Header(restored).get("A") == "longer"


def test_bytes_behind_end_stay() -> None:
    after, pairs = edit(a_primary("A       = 1"), ("A", 2))
    strange = after[:-40] + b"junk".ljust(40, b"\0")
    assert restore(strange, pairs)[-40:] == strange[-40:]


changes = st.one_of(
    st.tuples(keywords, values),
    st.tuples(st.sampled_from(("HISTORY", "COMMENT")), st.sampled_from(("h", "c", "w" * 100))),
    st.tuples(st.sampled_from(("AX", "BX")), values),
)


@given(st.lists(st.lists(changes, min_size=1, max_size=4), min_size=1, max_size=4))
def test_when_all_edits_are_taken_back_the_cards_are_those_of_before(
    edits: list[list[tuple[str, Value]]],
) -> None:
    before = a_primary(
        "AX      = 1 / c", "BX      = 'a&'", "CONTINUE  'b'", "HISTORY h", "", "COMMENT c", "", b"\xff" * 80
    )
    states, records = [before], []
    for one in edits:
        after, pairs = edit(states[-1], *one)
        states.append(after)
        records.append(pairs)
    header = states[-1]
    for pairs, state in zip(reversed(records), states[-2::-1], strict=True):
        header = restore(header, pairs)
        assert same_cards(header, state)
    for pairs, state in zip(records, states[1:], strict=True):
        header = restore(header, inverse(pairs))
        assert Header(header).values() == Header(state).values()


@pytest.mark.parametrize(
    "cards", [("A       = 2",), ("B       = 1", "A       = 1"), ("A       = 1", "A       = 1")]
)
def test_other_cards_are_not_the_same(cards: tuple[str, ...]) -> None:
    one = a_primary("A       = 1", "", "CHECKSUM= 'x'", "        ")
    assert same_cards(one, a_primary("A       = 1", "ZHECKSUM= 'y'", blocks=3))
    assert not same_cards(one, a_primary(*cards))
