"""Comments of cards that profiles ask for: quickly read behind numbers, and the same as by reading the card."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.archive.intake.profiles.lookup import lookup_of
from armillary.fits.cards import parse_card

NUMBERS = st.one_of(
    st.integers(-(10**12), 10**12).map(str), st.floats(allow_nan=False, allow_infinity=False).map(repr)
)
TEXTS = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


def comment_on(field: str) -> str:
    """Return what a lookup says of the card EXPTIME with this text behind the value indicator."""
    return lookup_of([{}], "x.fits", [f"{'EXPTIME = ' + field:<80}"[:80].encode()]).comment("EXPTIME")


@given(NUMBERS, st.sampled_from([" / ", "/ ", " /", "  ", " // ", " / / "]), TEXTS)
def test_the_comment_behind_a_number_is_that_of_the_card(number: str, between: str, text: str) -> None:
    field = f"{number:>20}{between}{text}"
    card = parse_card(f"{'EXPTIME = ' + field:<80}"[:80].encode())
    assert comment_on(field) == ("" if card.value is None else card.comment)


@pytest.mark.parametrize(
    ("field", "comment"),
    [
        ("                33.0 / [min] exposure", "[min] exposure"),
        ("                  33 / a / b", "a / b"),
        ("'a / b'              / what", "what"),
        ("               1.2.3 / no number, so no card with a value", ""),
        ("                     / no value", ""),
        ("                  33 minutes", "minutes"),
    ],
)
def test_comments_are_those_of_cards_with_a_value(field: str, comment: str) -> None:
    assert comment_on(field) == comment
