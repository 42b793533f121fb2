"""How pages say values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from armillary.console import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_600, "1 MB"),
        (8_405_760, "8.41 MB"),
        (10**18, "1e+03 PB"),
    ],
)
def test_sizes(value: int | None, text: str) -> None:
    assert words.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.25, "0.25 s"),
        (59.5, "59.5 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (12_000, "3 h 20 min"),
        (90_000, "1 d 1 h"),
        (timedelta(days=2), "2 d"),
    ],
)
def test_spans(value: float | None, text: str) -> None:
    assert words.span(value) == text


@pytest.mark.parametrize(
    ("ra", "dec", "texts"),
    [
        (0.0, 0.0, ("00:00:00.00", "+00:00:00.0")),
        (359.99999999, -0.0001, ("00:00:00.00", "-00:00:00.4")),
        (187.5, -89.99999, ("12:30:00.00", "-90:00:00.0")),
        (-15.0, 45.5125, ("23:00:00.00", "+45:30:45.0")),
    ],
)
def test_angles(ra: float, dec: float, texts: tuple[str, str]) -> None:
    assert (words.hours(ra), words.degrees(dec)) == texts


def test_what_is_not_known_is_a_dash() -> None:
    assert {
        words.hours(None),
        words.degrees(None),
        words.instant(None),
        words.count(None),
        words.number(None),
    } == {"–"}


def test_moments_and_counts() -> None:
    moment = datetime(2026, 1, 1, 5, tzinfo=UTC)
    assert words.instant(moment) == "2026-01-01 05:00:00"
    assert words.count(1_234_567) == "1\u202f234\u202f567"


def test_texts_are_harmless() -> None:
    assert words.harmless("plain\n\ttext é") == "plain\n\ttext é"
    assert words.harmless("a\x1b[0m\u202eb\x00\u200f") == "a⟨001B⟩[0m⟨202E⟩b⟨0000⟩⟨200F⟩"


def test_addresses_keep_their_directories() -> None:
    assert words.address({"path": "20260101", "name": "a b.fits"}) == "20260101/a b.fits"
    assert words.address({"path": "", "name": "x.fits"}) == "x.fits"
    assert words.path("20260101/a b#?.fits") == "20260101/a%20b%23%3F.fits"
