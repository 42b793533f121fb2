"""What words of the command line mean."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
import typer

from armillary.archive.query.cones import Cone
from armillary.archive.query.criteria import terms_of
from armillary.archive.query.models import Among, Between, Compared, InCone, Like
from armillary.commands.words import parse_setting
from armillary.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("K=7", 7),
        ("K=-7", -7),
        ("K=+7", 7),
        ("K=0", 0),
        ("K=0.5", 0.5),
        ("K=-0.5e3", -500.0),
        ("K=.5", 0.5),
        ("K=1e3", 1000.0),
        ("K=007", "007"),
        ("K=-007", "-007"),
        ("K=00", "00"),
        ("K=00.5", "00.5"),
        ("K=01e3", "01e3"),
        ("K=1-2", "1-2"),
        ("K=e", "e"),
        ("K='7'", "'7'"),
        ('K="7"', "'7'"),
        ("K='T'", "'T'"),
        ("K='seven'", "seven"),
        ("K=''", ""),
        ("K=T", True),
        ("K=", None),
    ],
)
def test_a_value_is_a_number_only_if_that_loses_nothing(text, value):
    key, found = parse_setting(text)
    assert (key, found, type(found)) == ("K", value, type(value))


def test_a_word_without_an_equals_sign_is_refused():
    with pytest.raises(BadRequest, match="write KEY=VALUE"):
        parse_setting("K")


def test_a_value_that_is_no_text_is_refused():
    with pytest.raises(typer.BadParameter, match="not UTF-8"):
        parse_setting("K=\udcff")


def test_criteria_are_read_in_one_way_for_all():
    since = datetime(2026, 1, 1)
    found = terms_of(qa_state="pass", since=since, cone="10,20,1", keywords=["EXPTIME>30"])
    assert found == (
        Between("started_at", since.replace(tzinfo=UTC), None),
        Among("qa_state", ("Pass",)),
        InCone(Cone(10.0, 20.0, 1.0)),
        Compared("EXPTIME", ">", "30"),
    )
    assert terms_of(night=date(2026, 1, 1)) == (Between("night", date(2026, 1, 1), date(2026, 1, 1), "[]"),)
    assert terms_of(name="a_b*.fits?") == (Like("name", r"a\_b%.fits_"),)
    assert terms_of(name="a.fits.bz2") == (Among("name", ("a.fits",)),)
    assert terms_of(site=None) == ()


@pytest.mark.parametrize(
    "given",
    [
        {"qa_state": "god"},
        {"name": "a\x00"},
        {"site": "a\x00"},
        {"keywords": ["A=\udcff"]},
        {"keywords": ["A"]},
        {"cone": "1,2"},
        {"since": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))},
    ],
)
def test_words_that_cannot_be_understood_are_refused(given):
    with pytest.raises(BadRequest):
        terms_of(**given)
