"""Values of headers as fields of records, and records in one form to be compared."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.fits.cards import format_card
from armillary.publish.svo.coercion import Uncoercible, coerce, value_of, values_of
from armillary.publish.svo.comparing import normal, place_differences
from armillary.publish.svo.errors import (
    SvoConflict,
    SvoKeyExposed,
    SvoKeyMissing,
    SvoNotConfigured,
    SvoRefused,
)
from armillary.publish.svo.models import KeywordType, Place
from armillary.publish.svo.places import Whereabouts, place_of
from armillary.publish.svo.planning import Limit
from armillary.publish.svo.replies import checked
from armillary.publish.svo.secrets import base_url, credentials
from armillary.publish.svo.transport import Answer
from armillary.settings import SvoSettings
from tests.support.headers import a_primary

TEXT, BOOLEAN, INTEGER, REAL, TIME = KeywordType


@pytest.mark.parametrize(
    ("value", "kind", "sent"),
    [
        (" quiet Sun ", TEXT, "quiet Sun"),
        (True, TEXT, "T"),
        (3, TEXT, "3"),
        (1.5, TEXT, "1.5"),
        ("", TEXT, None),
        (None, INTEGER, None),
        (3, INTEGER, 3),
        (3.0, INTEGER, 3),
        (3, REAL, 3.0),
        (False, BOOLEAN, False),
        ("2026-01-01", TIME, "2026-01-01T00:00:00Z"),
        ("2026-01-01T10:00:00.123456", TIME, "2026-01-01T10:00:00.123456Z"),
        ("2026-01-01T10:00:00+02:00", TIME, "2026-01-01T08:00:00Z"),
    ],
)
def test_a_value_is_sent_as_its_type_holds_it(value: Any, kind: KeywordType, sent: Any) -> None:
    found = coerce(value, kind)
    assert (found, type(found)) == (sent, type(sent))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1.5, INTEGER),
        (True, INTEGER),
        ("1", INTEGER),
        (1 << 64, INTEGER),
        (True, REAL),
        ("NaN", REAL),
        (10**400, REAL),
        (1 + 2j, REAL),
        ("T", BOOLEAN),
        (1, BOOLEAN),
        ("yesterday", TIME),
        ("2026-01-01T10:00:60", TIME),
        (20260101, TIME),
    ],
)
def test_what_a_type_does_not_hold_is_left_out(value: Any, kind: KeywordType) -> None:
    with pytest.raises(Uncoercible):
        coerce(value, kind)


def test_times_of_another_scale_are_left_out() -> None:
    with pytest.raises(Uncoercible, match="TAI"):
        coerce("2026-01-01", TIME, time_system="TAI")


def test_record_valued_keywords_are_found_in_both_forms() -> None:
    header = a_primary(
        format_card("DW3", "AXIS.1: 2.5"),
        format_card("DW3 NAME", "table"),
        format_card("CPDIS1", "note: this is text"),
        "HIERARCH LONG KEYWORD HERE = 7",
    )
    values = values_of(header)
    assert value_of(values, "DW3.AXIS.1") == 2.5
    assert value_of(values, "dw3 axis.1") == 2.5
    assert value_of(values, "DW3 NAME") == "table"
    assert value_of(values, "LONG KEYWORD HERE") == 7
    assert value_of(values, "DW3.AXIS.2") is None


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (TIME, "2026-01-01T10:00:00.123999Z", "2026-01-01T10:00:00.123Z"),
        (TIME, "2026-01-01T12:00:00+02:00", "2026-01-01T10:00:00Z"),
        (TEXT, " a ", "a"),
        (TEXT, "", None),
        (REAL, 3, 3.0),
    ],
)
def test_what_means_the_same_compares_equal(kind: KeywordType, one: Any, other: Any) -> None:
    assert normal(kind, one) == normal(kind, other)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_compare_by_their_exact_values(one: float, other: float) -> None:
    assert (normal(REAL, one) == normal(REAL, other)) == (one == other)


def test_a_path_that_gave_way_is_no_difference() -> None:
    here = Place("https://a.b/c", 1, "d/c.fits", spare_path="d/c_7.fits")
    assert place_differences(here, Place("https://a.b/c", 1, "d/c_7.fits")) == []
    (one,) = place_differences(here, Place("https://a.b/c", 1, "d/c_8.fits"))
    assert (one.field, one.old, one.new) == ("data_location.file_path", "d/c_8.fits", "d/c.fits")


def a_place(name: str, **settings: Any) -> Place:
    known = SvoSettings(public_url="https://archive.example/", **settings)
    one = Whereabouts(7, f"night/{name}", 10, date(2026, 1, 1), "Chromis", "an/oid")
    return place_of(known, one, offline=False)


def test_urls_and_paths_follow_their_templates() -> None:
    plain = a_place("nb_2026-01-01T10:00:00 a.fits")
    assert plain.file_url == "https://archive.example/download/nb_2026-01-01T10%3A00%3A00%20a.fits"
    assert plain.file_path == "2026-01-01/CHROMIS/nb_2026-01-01T100000 a.fits"
    assert plain.spare_path == "2026-01-01/CHROMIS/nb_2026-01-01T100000 a_7.fits"
    other = a_place(
        "a.fits", file_url="{public}/{path}", file_path="{date:%Y}/{path}", thumbnail_url="{public}/{oid}"
    )
    assert (other.file_url, other.file_path) == ("https://archive.example/night/a.fits", "2026/night/a.fits")
    assert other.thumbnail_url == "https://archive.example/an%2Foid"


@pytest.mark.parametrize(
    ("name", "path"),
    [("a?b|c.fits", "a_b_c.fits"), ("con.fits", "_con.fits"), ("CONTENT.fits", "CONTENT.fits")],
)
def test_paths_hold_nothing_that_is_refused_there(name: str, path: str) -> None:
    assert a_place(name, file_path="{name}").file_path == path


def test_a_template_with_another_word_is_refused() -> None:
    with pytest.raises(ValueError, match="is no template"):
        SvoSettings(file_url="{nothing}")


@pytest.mark.parametrize(
    ("text", "records", "most"), [("7", 100, 7), ("10%", 90, 9), ("0", 100, 0), ("100%", 3, 3)]
)
def test_a_limit_is_a_number_or_a_part(text: str, records: int, most: int) -> None:
    assert Limit.of_text(text).of(records) == most


def test_without_a_limit_ten_records_or_a_tenth_may_go() -> None:
    assert [Limit().of(count) for count in (0, 50, 100, 1000)] == [10, 10, 10, 100]


@pytest.mark.parametrize("text", ["", "x", "-1", "10 %", "1e3"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="is no limit"):
        Limit.of_text(text)


def answer(status: int, body: bytes) -> Answer:
    return Answer(status, body, {})


def test_refusals_are_told_apart_by_their_structure() -> None:
    unique = b'{"data_location": {"__all__": ["any words"]}}'
    with pytest.raises(SvoConflict):
        checked(answer(400, unique), 201)  # type: ignore[arg-type]  # an int is a status, too
    with pytest.raises(SvoRefused) as caught:
        checked(answer(400, b'{"metadata_x": {"oid": ["exists"]}}'), 201)  # type: ignore[arg-type]  # an int is a status, too
    assert (caught.value.fields, type(caught.value)) == (frozenset({"oid"}), SvoRefused)
    for body in (b"", b"no json", b"[]", b'{"error": "limit"}'):
        with pytest.raises(SvoRefused):
            checked(answer(400, body), 201)  # type: ignore[arg-type]  # an int is a status, too


def test_a_key_comes_from_the_environment_or_a_file_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name in ("SVO_USERNAME", "SVO_API_KEY", "SVO_API_KEY_FILE", "SVO_API_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SvoKeyMissing):
        credentials(SvoSettings())
    file = tmp_path / "svo.key"
    file.write_text("me:the-key\n")
    file.chmod(0o644)
    known = SvoSettings(key_file=file)
    with pytest.raises(SvoKeyExposed, match="chmod 600"):
        credentials(known)
    file.chmod(0o600)
    found = credentials(known)
    assert found.header == "ApiKey me:the-key"
    assert "the-key" not in repr(found)
    file.write_text("no colon\n")
    with pytest.raises(SvoKeyMissing):
        credentials(known)
    with pytest.raises(SvoKeyMissing, match="cannot be read"):
        credentials(SvoSettings(key_file=tmp_path / "none"))
    monkeypatch.setenv("SVO_USERNAME", "other")
    monkeypatch.setenv("SVO_API_KEY", "their-key")
    assert credentials(known).header == "ApiKey other:their-key"


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "https://user:key@svo.example", "https://svo.example/?api_key=1"]
)
def test_an_address_holds_nothing_else(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SVO_API_URL", url)
    with pytest.raises(SvoNotConfigured) as caught:
        base_url(SvoSettings())
    assert "key@" not in caught.value.message
