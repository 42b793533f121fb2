"""Addresses are compared without regard to case, and no trick of Unicode makes one another's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.access.errors import InvalidGrantee
from armillary.access.grantees import MOST, email_of, emails_of, group_of, groups_of
from armillary.access.grants import grantee_of
from armillary.access.models import Grantee, Holder
from armillary.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Ann@Sun.Example", "ann@sun.example"),
        ("  ann@sun.example\n", "ann@sun.example"),
        ("ann+sst@localhost", "ann+sst@localhost"),
        ("o'neil@a-b.example", "o'neil@a-b.example"),
        ("ÅSA@sun.example", "åsa@sun.example"),
        ("åsa@sun.example", "åsa@sun.example"),
    ],
)
def test_an_address_has_one_form(text: str, address: str) -> None:
    assert email_of(text) == address
    assert email_of(address) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "ann", "@sun.example", "ann@", "a@b@c", "ann@sun..example", "ann@.example", "ann@sun.", "a b@c.d",
        "ann,bob@c.d", "Ann <ann@sun.example>", "ann@sun.example;bob@c.d", "ann@sun\x00.example", "a\u200bb@c.d",
        "a\ud800@c.d", "x" * 65 + "@c.d", "a@" + "x" * 253, "ann@[127.0.0.1]", '"ann"@c.d', "a\n@c.d",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidGrantee, match="is no e-mail address"):
        email_of(text)


@pytest.mark.parametrize("letter", ["\u212a", "\u017f", "ß", "\ufb01", "\u0130", "\u2126"])
def test_no_letter_of_another_script_becomes_one_of_ascii(letter: str) -> None:
    # Whoever owns the address with the sign of kelvin was granted nothing that mike was.
    folded = email_of(f"mi{letter}e@sun.example")
    assert not folded.isascii()


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Cf", "Z"], exclude_characters='@,;:<>()[]"\\'),
        min_size=1,
        max_size=20,
    )
)
def test_the_form_of_an_address_is_stable(local: str) -> None:
    try:
        found = email_of(f"{local}@sun.example")
    except InvalidGrantee:
        return
    assert email_of(found) == found


def test_lists_name_each_once_and_keep_their_order() -> None:
    assert emails_of(["B@c.d", "a@c.d", "b@C.D", "A@c.d"]) == ("b@c.d", "a@c.d")
    assert emails_of([]) == ()
    assert groups_of([" swedish ", "Swedish", "swedish"]) == ("swedish", "Swedish")


def test_lists_are_not_endless() -> None:
    assert len(emails_of(f"a{number}@c.d" for number in range(MOST))) == MOST
    with pytest.raises(InvalidGrantee, match="of at most 1000"):
        emails_of(f"a{number}@c.d" for number in range(MOST + 1))


@pytest.mark.parametrize("text", ["", " ", "a\nb", "x" * 129, "\u202eab"])
def test_what_is_no_group_is_refused(text: str) -> None:
    with pytest.raises(InvalidGrantee, match="is no name of a group"):
        group_of(text)


def test_something_is_granted_to_one_of_three() -> None:
    assert grantee_of(name="ann") == Grantee(Holder.TOKEN, "ann")
    assert grantee_of(email="A@b.c") == Grantee(Holder.EMAIL, "a@b.c")
    assert grantee_of(group="swedish") == Grantee(Holder.GROUP, "swedish")
    for several in ({}, {"name": "ann", "email": "a@b.c"}, {"email": "a@b.c", "group": "g"}):
        with pytest.raises(BadRequest, match="Name one of these"):
            grantee_of(**several)
