from __future__ import annotations

import io

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from armillary.errors import ArmillaryError
from armillary.fits.cards import body_of, format_card, split_cards
from armillary.fits.draft import LARGE, STEP
from armillary.fits.edit import edit_header
from armillary.fits.errors import (
    HeaderWithoutEnd,
    InvalidKeyword,
    InvalidValue,
    KeywordProtected,
    KeywordsMissing,
)
from armillary.fits.header import Header
from armillary.fits.models import CARD, CardChange, HeaderEdit, Value
from armillary.fits.plan import apply_plan, plan_headers
from armillary.fits.values import same_value
from tests.support.headers import a_card, a_file, a_header, a_layout, a_primary, keywords, values


def edit(
    header: bytes, *changes: tuple[str, Value], bytes_after: int = 0, reject_new: bool = False
) -> HeaderEdit:
    wanted = [CardChange(*change) for change in changes]
    return edit_header(header, wanted, bytes_after=bytes_after, reject_new=reject_new)


def lines(header: bytes) -> list[str]:
    """Return the cards behind the mandatory ones."""
    return Header(header).text().split("\n")[3:]


def test_replaced_card_keeps_place_and_comment() -> None:
    result = edit(a_primary("A       = 'x' / why", "B       = 2"), ("A", 5))
    assert lines(result.header) == ["A       =                    5 / why", "B       = 2"]
    (effect,) = result.effects
    assert (effect.keyword, effect.old, effect.new, effect.created) == ("A", "x", 5, False)
    assert effect.old_raw == a_card("A       = 'x' / why")
    assert effect.new_raw == a_card("A       =                    5 / why")


def test_comment_that_no_longer_fits_is_cut_and_recorded() -> None:
    result = edit(a_primary("A       = 'x' / " + "c" * 64), ("A", "y" * 60))
    assert lines(result.header) == ["A       = '" + "y" * 60 + "' /cccccc"]
    assert result.effects[0].comment_cut == "c" * 58


def test_first_of_duplicated_keywords_is_edited() -> None:
    assert lines(edit(a_primary("A       = 1", "A       = 2"), ("A", 3)).header)[1:] == ["A       = 2"]


@pytest.mark.parametrize(
    ("card", "value"),
    [
        ("A       = 'x       ' / c", "x"),
        ("A       = 'x'", "x  "),
        ("A       =                 1.D5", 1e5),
        ("A       = 5", 5),
        ("A       = T", True),
        ("A       =", None),
    ],
)
def test_same_value_and_type_is_no_edit(card: str, value: Value) -> None:
    header = a_primary(card)
    result = edit(header, ("A", value))
    assert result.header is header
    assert result.effects == ()


@pytest.mark.parametrize(
    ("card", "value"), [("A       = 5", 5.0), ("A       = 1", True), ("A       = '5'", 5)]
)
def test_same_value_of_another_type_is_an_edit(card: str, value: Value) -> None:
    assert Header(edit(a_primary(card), ("A", value)).header).get("A") is not None
    assert edit(a_primary(card), ("A", value)).effects


def test_illegal_card_becomes_undefined_when_asked() -> None:
    assert lines(edit(a_primary("A       = 1_0"), ("A", None)).header)[0].startswith("A       =")
    assert edit(a_primary("A       = 1_0"), ("A", None)).effects


@pytest.mark.parametrize(
    ("card", "edited"),
    [
        ("AIRMASS =                  NaN / airmass", "AIRMASS =                  1.2 / airmass"),
        ("AIRMASS =                  INF", "AIRMASS =                  1.2"),
        ("AIRMASS = 'no closing quote", "AIRMASS =                  1.2"),
        ("AIRMASS =                1,234 / [adu]", "AIRMASS =                  1.2 / [adu]"),
        ("AIRMASS =1.5 / no blank", "AIRMASS =                  1.2 / no blank"),
        ("AIRMASS = 2019-11-19T19:41:48/UTC / time", "AIRMASS =                  1.2 / time"),
    ],
)
def test_text_of_a_value_that_cannot_be_read_is_no_comment(card: str, edited: str) -> None:
    result = edit(a_primary(card), ("AIRMASS", 1.2))
    assert lines(result.header) == [edited]
    assert result.effects[0].old_raw == card.encode().ljust(80)


def test_last_change_of_a_keyword_counts() -> None:
    result = edit(a_primary("A       = 1"), ("A", 2), ("N", 1), ("a", 3), ("N", 4))
    assert lines(result.header) == ["A       =                    3", "N       =                    4"]
    assert len(result.effects) == 2


def test_new_card_follows_the_last_keyword_and_uses_up_a_blank() -> None:
    header = a_primary("A       = 1", "COMMENT c", "HISTORY h", "", "", "        text")
    result = edit(header, ("N", True))
    assert lines(result.header) == [
        *("A       = 1", "N       =                    T", "COMMENT c", "HISTORY h", "", "        text"),
    ]


def test_comment_inside_the_header_does_not_attract_new_cards() -> None:
    assert lines(edit(a_primary("COMMENT c", "A       = 1"), ("N", 1)).header)[1] == "A       = 1"


def test_history_is_appended_behind_the_last_text_and_wrapped() -> None:
    result = edit(a_primary("HISTORY h", "COMMENT c", "", "", ""), ("HISTORY", "x" * 100), ("HISTORY", "y"))
    assert lines(result.header) == [
        "HISTORY h",
        "COMMENT c",
        "HISTORY " + "x" * 72,
        "HISTORY " + "x" * 28,
        "HISTORY y",
    ]
    assert [effect.created for effect in result.effects] == [True, True]


def test_keywords_that_do_not_exist_refuse_the_edit() -> None:
    header = a_primary("A       = 1")
    with pytest.raises(KeywordsMissing) as raised:
        edit(header, ("A", 2), ("K1", 1), ("HISTORY", "h"), ("k2", 2), reject_new=True)
    assert raised.value.message == "Some of the keywords don't exist in the file: K1, HISTORY, K2"
    assert edit(header, ("A", 2), reject_new=True).effects


def test_continue_cards_go_when_the_value_gets_short() -> None:
    header = a_primary("A       = 'one&' / c", "CONTINUE  'two'", "B       = 1")
    result = edit(header, ("A", "x"))
    assert lines(result.header) == ["A       = 'x       '           / c", "B       = 1"]
    assert len(result.effects[0].old_raw) == 160


def test_header_never_loses_blocks() -> None:
    long = format_card("A", "x" * 3000)
    header = a_header("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0", long)
    result = edit(header, ("A", "x"))
    assert len(result.header) == len(header) == 2 * 2880
    assert a_layout(result.header).headers == (result.header,)


def test_small_file_grows_by_the_blocks_needed() -> None:
    header = a_primary(*["COMMENT full"] * 32)
    assert len(header) == 2880
    result = edit(header, ("N", 1), bytes_after=LARGE - 1)
    assert len(result.header) == 2 * 2880
    assert a_layout(result.header).headers == (result.header,)


def test_large_file_grows_by_a_multiple_of_64_blocks_of_blank_cards() -> None:
    header = a_primary(*["COMMENT full"] * 32)
    result = edit(header, ("N", 1), bytes_after=LARGE)
    assert len(result.header) == 2880 + STEP
    assert STEP % 4096 == STEP % 2880 == 0
    assert result.header.endswith(a_card("END"))
    again = edit(result.header, *[(f"M{i}", i) for i in range(2000)], bytes_after=LARGE)
    assert len(again.header) == len(result.header)
    assert Header(again.header).get("M1999") == 1999


def test_bytes_behind_end_stay() -> None:
    header = a_primary("A       = 1")[:-40] + b"junk".ljust(40, b"\0")
    for change in (("A", 2), ("N", 2)):
        assert edit(header, change).header[-40:] == header[-40:]


def test_checksum_of_the_compressed_original_is_removed() -> None:
    header = a_primary("ZIMAGE  = T", "ZHECKSUM= 'abcdefghabcdefgh'", "ZDATASUM= '5'", "A       = 1")
    assert lines(edit(header, ("A", 2)).header) == [
        *("ZIMAGE  = T", "ZDATASUM= '5'", "A       =                    2"),
    ]


def test_checksum_is_right_afterwards_and_keeps_its_comment() -> None:
    data = a_file(cards=[("A", 1, "a")])
    layout = a_layout(data)
    result = edit(layout.headers[0], ("A", 2), ("B", "new"))
    edited = apply_plan(data, plan_headers(layout, {0: result.header}))
    with fits.open(io.BytesIO(edited), checksum=True) as hdus:
        assert hdus[0].header["A"] == 2
        assert (
            hdus[0].header.comments["CHECKSUM"] == fits.open(io.BytesIO(data))[0].header.comments["CHECKSUM"]
        )
        assert hdus[0].data is not None


def test_checksum_is_not_added() -> None:
    assert "CHECKSUM" not in Header(edit(a_primary("A       = 1"), ("A", 2)).header).keywords()


@pytest.mark.parametrize("header", [b"", b" " * 2880, a_primary()[:-80], a_primary() + b" " * 2880])
def test_header_without_proper_end_is_refused(header: bytes) -> None:
    with pytest.raises(HeaderWithoutEnd):
        edit(header, ("A", 1))


def test_ampersand_before_a_stray_continue_card_is_refused() -> None:
    with pytest.raises(InvalidValue):
        edit(a_primary("A       = 'x'", "CONTINUE  'stray'"), ("A", "R&"))


@pytest.mark.parametrize("keyword", ["END", "continue", "HIERARCH", "HIERARCH A", "A*B C", "X" * 45])
def test_keyword_that_makes_no_card_of_its_own_is_refused(keyword: str) -> None:
    with pytest.raises((InvalidKeyword, KeywordProtected)):
        edit(a_primary(), (keyword, 1))


def test_hierarch_cards_are_those_of_their_whole_keyword() -> None:
    header = a_primary("HIERARCH A B = 1")
    assert lines(edit(header, ("A", 2)).header)[:2] == ["HIERARCH A B = 1", f"A       = {2:>20}"]
    # A short word behind HIERARCH is no card of that keyword.
    short = a_primary("HIERARCH A = 1")
    assert lines(edit(short, ("A", 2)).header)[:2] == ["HIERARCH A = 1", f"A       = {2:>20}"]


@pytest.mark.parametrize(
    "keyword", ["SIMULATE CAMERA", "hierarch  Simulate  camera", "HIERARCH SIMULATE CAMERA"]
)
@pytest.mark.parametrize(
    ("value", "card"),
    [
        (True, "HIERARCH SIMULATE CAMERA =   T / of the camera"),
        ("it's", "HIERARCH SIMULATE CAMERA = 'it''s   ' / of the camera"),
        (None, "HIERARCH SIMULATE CAMERA =    / of the camera"),
    ],
)
def test_hierarch_cards_are_replaced_in_their_place(keyword: str, value: Value, card: str) -> None:
    header = a_primary("BEFORE  = 1", "HIERARCH Simulate Camera = F / of the camera", "AFTER   = 1")
    result = edit(header, (keyword, value))
    assert lines(result.header)[1] == card
    assert [effect.keyword for effect in result.effects] == ["SIMULATE CAMERA"]
    assert edit(result.header, (keyword, value)).header is result.header


def test_new_hierarch_cards_follow_the_last_keyword() -> None:
    result = edit(
        a_primary("A       = 1", "COMMENT x"), ("CALIB LASER POWER", 2.5), ("LONGKEYWORD", "y" * 100)
    )
    read = Header(result.header).values()
    assert (read["CALIB LASER POWER"], read["LONGKEYWORD"]) == (2.5, "y" * 100)
    assert fits.Header.fromstring(result.header)["CALIB LASER POWER"] == 2.5
    assert fits.Header.fromstring(result.header)["LONGKEYWORD"] == "y" * 100


def test_a_hierarch_keyword_has_to_leave_room() -> None:
    keyword = "A B C D E F G H I J K L M N O P Q R S T U VW"
    assert Header(edit(a_primary(), (keyword, -1.7976931348623157e308)).header).values()[keyword]
    with pytest.raises(KeywordsMissing, match="A B"):
        edit(a_primary("HIERARCH B A = 1"), ("A B", 1), reject_new=True)


@given(st.dictionaries(keywords, values, min_size=1, max_size=6), st.sampled_from([0, LARGE]))
def test_edit_reads_back_and_leaves_all_other_cards(changes: dict[str, Value], bytes_after: int) -> None:
    header = a_primary(
        "AX      = 1 / c", "BX      = 'a&'", "CONTINUE  'b'", b"\xff" * 80, "lower   = 2", "COMMENT x"
    )
    result = edit(header, *changes.items(), bytes_after=bytes_after)
    read = Header(result.header).values()
    for keyword, value in changes.items():
        assert same_value(read[keyword], value)
    touched = {effect.keyword for effect in result.effects}
    before = [card.raw for card in Header(header).cards if card.keyword not in touched]
    after = [c.raw for c in Header(result.header).cards if c.keyword not in touched and c.raw.strip()]
    assert after == before


@given(st.dictionaries(keywords, values, min_size=1, max_size=6))
def test_second_time_the_same_edit_does_nothing(changes: dict[str, Value]) -> None:
    first = edit(a_primary("AX      = 1 / c"), *changes.items())
    second = edit(first.header, *changes.items())
    assert second.header is first.header


@given(st.data())
def test_edit_of_a_corrupted_header_loses_no_card(data: st.DataObject) -> None:
    whole = bytearray(
        a_primary("A       = 1 / c", "B       = 'x&'", "CONTINUE  'y'", "COMMENT z", "CHECKSUM= '0'")
    )
    for _ in range(data.draw(st.integers(1, 12))):
        whole[data.draw(st.integers(0, 799))] = data.draw(
            st.one_of(st.integers(0, 255), st.sampled_from(b"&' =/END"))
        )
    header = bytes(whole)
    try:
        result = edit(header, ("A", 2), ("NEW", "n"))
    except ArmillaryError:
        return
    replaced = {raw for effect in result.effects for raw in split_cards(effect.old_raw)}
    kept = [
        c for c in split_cards(body_of(header)) if c not in replaced and c.strip() and c[:8] != b"CHECKSUM"
    ]
    left = split_cards(body_of(result.header))
    assert all(left.count(card) >= kept.count(card) for card in kept)
    assert len(result.header) % CARD == 0


def test_a_change_may_say_the_comment() -> None:
    header = a_primary("A       = 1 / old", "B       = 2 / b")
    result = edit_header(
        header,
        [CardChange("A", 1, "new"), CardChange("B", 3), CardChange("C D", 4, "of both")],
        bytes_after=0,
    )
    assert lines(result.header)[:3] == [
        f"A       = {1:>20} / new",
        f"B       = {3:>20} / b",
        f"HIERARCH C D = {4:>15} / of both",
    ]
    again = [CardChange("A", 1, "new"), CardChange("C D", 4, "of both")]
    assert edit_header(result.header, again, bytes_after=0).header is result.header
    long = [CardChange("A", 1, "x" * 90)]
    cut = edit_header(header, long, bytes_after=0)
    assert cut.effects[0].comment_cut
    assert edit_header(cut.header, long, bytes_after=0).header is cut.header
