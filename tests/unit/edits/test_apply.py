"""Requests applied to headers in memory: which HDU is meant, what changes, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.archive.catalog.content import content_of
from armillary.edits.apply import (
    HduEffect,
    apply_request,
    find_extension,
    missing_keywords,
    refuse_new_keywords,
    states_of,
)
from armillary.edits.errors import CardsChanged, ExtensionNotFound, ItemRefused
from armillary.edits.models import PRIMARY, CardState, EditRequest, Extension
from armillary.errors import ArmillaryError
from armillary.fits.header import Header
from armillary.fits.models import BLOCK, CardEffect, Layout
from armillary.fits.scan import scan
from armillary.fits.values import same_value
from tests.support.headers import a_card, a_header, a_layout, a_primary
from tests.support.requests import TARGET, a_request, changes, requests

DATA = bytes(range(256)) * 10
TARGET_CARD = "OBJECT  = 'M 1     '           / target"
GAIN = "GAIN    =                  2.5"


def an_extension(*cards: str, size: int = 0) -> bytes:
    """Return an extension with so many bytes of data."""
    structure = ["XTENSION= 'IMAGE   '", "BITPIX  =                    8", f"NAXIS   = {int(size > 0):>20}"]
    structure += [f"NAXIS1  = {size:>20}"] * (size > 0)
    structure += ["PCOUNT  =                    0", "GCOUNT  =                    1"]
    return a_header(*structure, *cards) + (DATA * -(-size // len(DATA)))[:size].ljust(
        -(-size // BLOCK) * BLOCK
    )


FILE = b"".join(
    [
        a_primary("EXTNAME = 'MAIN    '", TARGET_CARD, "EXPTIME =                 12.5"),
        an_extension("EXTNAME = 'SCI     '", "EXTVER  =                    1", GAIN, size=100),
        an_extension("EXTNAME = ' sci    '", "EXTVER  =                    2", size=BLOCK),
        an_extension("EXTNAME = 'DQ      '", size=5),
        an_extension(),
    ]
)
LAYOUT = a_layout(FILE)
HAS = "it has 0: MAIN, 1: SCI, 2:  sci, 3: DQ, 4: (no name)"


def bytes_of(layout: Layout) -> bytes:
    """Return the file with the headers of a layout."""
    content = content_of(LAYOUT, layout.headers, lambda at, size: FILE[at : at + size])
    return b"".join(content.chunks())


@pytest.mark.parametrize(
    ("extension", "index"),
    [
        (PRIMARY, 0),
        (1, 1),
        (4, 4),
        ("dq", 3),
        (" DQ ", 3),
        (("SCI", 1), 1),
        (("Sci", 2), 2),
        # EXTVER is 1 where a header does not say (FITS 4.0, section 4.4.2.6).
        (("DQ", 1), 3),
    ],
)
def test_an_hdu_is_found_by_index_name_and_version(extension: Extension, index: int) -> None:
    assert find_extension(LAYOUT, extension) == index


@pytest.mark.parametrize(
    ("extension", "reason"),
    [
        (5, f"The file has no extension 5; {HAS}"),
        (10**30, f"The file has no extension {10**30}; {HAS}"),
        ("VAR", f"The file has no extension 'VAR'; {HAS}"),
        ("MAIN", f"The file has no extension 'MAIN'; {HAS}"),
        ("SCI", f"The file has 2 extension 'SCI'; {HAS}"),
        (("DQ", 2), f"The file has no extension ('DQ', 2); {HAS}"),
    ],
)
def test_an_hdu_that_is_not_there_or_not_the_only_one_is_refused(extension: Extension, reason: str) -> None:
    with pytest.raises(ExtensionNotFound) as caught:
        find_extension(LAYOUT, extension)
    assert caught.value.message == reason
    with pytest.raises(ExtensionNotFound):
        apply_request(LAYOUT, a_request(("A", 1), extension=extension))


def test_no_more_than_twenty_hdus_are_named() -> None:
    many = a_layout(a_primary() + b"".join(an_extension(f"EXTNAME = 'E{at:<7}'") for at in range(1, 30)))
    with pytest.raises(ExtensionNotFound) as caught:
        find_extension(many, 99)
    assert caught.value.message.endswith("18: E18, 19: E19")


def test_the_primary_header_of_a_compressed_file_is_in_its_first_extension() -> None:
    compressed = a_layout(a_primary() + an_extension("ZSIMPLE =                    T", "OBJECT  = 'M 1'"))
    assert find_extension(compressed, PRIMARY) == 1
    _, effects = apply_request(compressed, EditRequest(target=TARGET, primary=changes(("OBJECT", "M 2"))))
    assert [(one.extension, one.effect.old, one.effect.created) for one in effects] == [(1, "M 1", False)]


def test_cards_change_and_the_effects_say_how() -> None:
    request = a_request(("GAIN", 3.5), ("NEW", 1), primary=changes(("OBJECT", "M 2")), extension=("SCI", 1))
    layout, effects = apply_request(LAYOUT, request)
    assert effects == [
        HduEffect(
            0,
            CardEffect(
                "OBJECT", "M 1", "M 2", False,
                a_card(TARGET_CARD), a_card(TARGET_CARD.replace("1", "2")),
            ),
        ),
        HduEffect(
            1,
            CardEffect(
                "GAIN", 2.5, 3.5, False,
                a_card(GAIN), a_card("GAIN    =                  3.5"),
            ),
        ),
        HduEffect(1, CardEffect("NEW", None, 1, True, b"", a_card("NEW     =                    1"))),
    ]  # fmt: skip
    assert layout.headers[2:] == LAYOUT.headers[2:]
    assert (layout.hdus, layout.size) == (LAYOUT.hdus, LAYOUT.size)
    assert a_layout(bytes_of(layout)) == layout


def test_cards_of_the_words_and_others_meet_in_the_primary_header() -> None:
    request = EditRequest(
        target=TARGET,
        primary=changes(("OBJECT", "M 2"), ("A", 1)),
        cards=changes(("OBJECT", "M 3"), ("A", 1)),
    )
    _, effects = apply_request(LAYOUT, request)
    assert [(one.extension, one.effect.keyword, one.effect.new) for one in effects] == [
        (0, "OBJECT", "M 3"),
        (0, "A", 1),
    ]


def test_the_last_setting_counts_but_all_comments_stay() -> None:
    request = a_request(("A", 1), ("COMMENT", "x"), ("A", 2), ("COMMENT", "x"))
    layout, effects = apply_request(LAYOUT, request)
    assert [(one.effect.keyword, one.effect.new) for one in effects] == [
        ("A", 2),
        ("COMMENT", "x"),
        ("COMMENT", "x"),
    ]
    assert layout.headers[0].count(a_card("COMMENT x")) == 2


def test_what_the_cards_say_already_changes_nothing() -> None:
    for request in (
        a_request(),
        a_request(("OBJECT", "M 1"), ("EXPTIME", 12.5), ("EXPTIME", "12.5")),
        a_request(("GAIN", 2.5), extension=1),
    ):
        layout, effects = apply_request(LAYOUT, request)
        assert layout is LAYOUT
        assert effects == []


def test_a_text_means_what_the_card_of_its_own_hdu_holds() -> None:
    request = a_request(("GAIN", "7"), ("EXPTIME", "7"), primary=changes(("EXPTIME", "7")), extension=1)
    _, effects = apply_request(LAYOUT, request)
    assert [(one.extension, one.effect.keyword, repr(one.effect.new)) for one in effects] == [
        (0, "EXPTIME", "7.0"),
        (1, "GAIN", "7.0"),
        (1, "EXPTIME", "'7'"),
    ]


def test_what_follows_moves_when_a_header_grows() -> None:
    request = a_request(*((f"NEW{n}", n) for n in range(40)), extension=1)
    layout, effects = apply_request(LAYOUT, request)
    assert len(effects) == 40
    assert len(layout.headers[1]) == len(LAYOUT.headers[1]) + BLOCK
    offsets = [(hdu.header_offset, hdu.data_offset) for hdu in layout.hdus]
    was = [(hdu.header_offset, hdu.data_offset) for hdu in LAYOUT.hdus]
    assert offsets[0] == was[0]
    assert offsets[1] == (was[1][0], was[1][1] + BLOCK)
    assert offsets[2:] == [(header + BLOCK, data + BLOCK) for header, data in was[2:]]
    assert layout.size == LAYOUT.size + BLOCK
    assert a_layout(bytes_of(layout)) == layout


def test_all_cards_land_or_none() -> None:
    before = LAYOUT.headers
    for request, kind in (
        (a_request(("OBJECT", "M 2"), ("COMMENT", None)), ArmillaryError),
        (a_request(("GAIN", 1.0), primary=changes(("OBJECT", "M 2")), extension="VAR"), ExtensionNotFound),
        (a_request(("OBJECT", "M 2"), ("NEW", 1), reject_new=True), ItemRefused),
    ):
        with pytest.raises(kind):
            apply_request(LAYOUT, request)
    assert LAYOUT.headers == before
    assert a_layout(FILE) == LAYOUT


def test_new_keywords_are_refused_in_every_hdu_at_once() -> None:
    request = a_request(
        ("GAIN", 1.0),
        ("B", 1),
        ("A", 1),
        primary=changes(("C", 1), ("OBJECT", "x")),
        extension=1,
        reject_new=True,
    )
    assert missing_keywords(LAYOUT, request) == ["C", "B", "A"]
    with pytest.raises(ItemRefused) as caught:
        apply_request(LAYOUT, request)
    assert caught.value.message == "Some of the keywords don't exist in the file: C, B, A"
    refuse_new_keywords(LAYOUT, request, {0: {"C"}, 1: {"A", "B"}})


def test_keywords_that_earlier_edits_create_count_in_their_own_hdu() -> None:
    request = a_request(("A", 1), primary=changes(("A", 1)), extension=1)
    assert missing_keywords(LAYOUT, request) == ["A", "A"]
    assert missing_keywords(LAYOUT, request, {0: ["A"]}) == ["A"]
    assert missing_keywords(LAYOUT, request, {1: ["A"], 0: ("A",)}) == []
    assert missing_keywords(LAYOUT, request, {2: ["A"]}) == ["A", "A"]


def test_data_are_summed_only_where_the_checksums_of_that_hdu_contradict_each_other() -> None:
    stated = ["CHECKSUM= 'AAAAAAAAAAAAAAAA'", "DATASUM = '5       '", "OBJECT  = 'M 1     '"]
    layout = a_layout(
        a_primary("OBJECT  = 'M 1     '") + an_extension(*stated, size=5) + an_extension(*stated, size=5)
    )
    asked: list[int] = []

    def data_sum(index: int) -> int:
        asked.append(index)
        return 5

    for extension in (0, 2):
        apply_request(layout, a_request(("OBJECT", "M 2"), extension=extension), data_sum)
    assert asked == [2]
    apply_request(layout, a_request(("OBJECT", "M 1"), extension=1), data_sum)
    assert asked == [2]


@given(requests(), st.sampled_from([PRIMARY, 1, 2, 4, "DQ", ("SCI", 2)]))
def test_the_outcome_is_the_layout_of_the_bytes_with_the_new_headers(
    request: EditRequest, extension: Extension
) -> None:
    request = replace(request, extension=extension, reject_new=False)
    layout, effects = apply_request(LAYOUT, request)
    whole = bytes_of(layout)
    assert scan(lambda at, size: whole[at : at + size], len(whole)) == layout
    said = {(one.extension, one.effect.keyword): one.effect.new for one in effects}
    for (index, keyword), value in said.items():
        if keyword not in ("COMMENT", "HISTORY"):
            assert same_value(Header(layout.headers[index]).get(keyword), value)
    set_only = tuple(one for one in request.cards if one.keyword not in ("COMMENT", "HISTORY"))
    assert apply_request(layout, replace(request, cards=set_only)) == (layout, [])


def test_cards_are_set_if_they_are_as_they_were() -> None:
    now = states_of(Header(LAYOUT.headers[1]), ["GAIN", "EXTVER", "NEW"])
    assert now == (CardState("GAIN", 2.5), CardState("EXTVER", 1), CardState("NEW", None, there=False))
    request = a_request(("GAIN", 3.5), extension=1, if_cards=now)
    layout, effects = apply_request(LAYOUT, request)
    assert [one.effect.new for one in effects] == [3.5]
    # Of the outcome it is not true any more.
    with pytest.raises(CardsChanged, match=r"GAIN$"):
        apply_request(layout, request)


@pytest.mark.parametrize(
    "state",
    [
        CardState("GAIN", 2),
        CardState("GAIN", 2.6),
        CardState("GAIN", "2.5"),
        CardState("GAIN", None),
        CardState("GAIN", None, there=False),
        CardState("NEW", None),
        CardState("NEW", 2.5),
    ],
)
def test_cards_that_are_others_by_now_refuse_the_whole(state: CardState) -> None:
    request = a_request(("EXTVER", 7), extension=1, if_cards=(CardState("EXTVER", 1), state))
    with pytest.raises(CardsChanged, match=rf": {state.keyword}$"):
        apply_request(LAYOUT, request)
