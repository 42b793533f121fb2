"""What words of the command line mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import typer

from armillary.archive.search import Criteria, criteria_of
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
    given = Criteria(qa_state="pass", since=datetime(2026, 1, 1))
    found = criteria_of(given, cone="10,20,1", keywords=["EXPTIME>30"])
    assert found.qa_state == "Pass"
    assert found.since == datetime(2026, 1, 1, tzinfo=UTC)
    assert found.cone is not None
    assert [one.keyword for one in found.keywords] == ["EXPTIME"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Criteria(qa_state="god"), {}),
        (Criteria(name="a\x00"), {}),
        (Criteria(), {"keywords": ["A=\udcff"]}),
        (Criteria(), {"keywords": ["A"]}),
        (Criteria(), {"cone": "1,2"}),
        (Criteria(since=datetime.max.replace(tzinfo=UTC).astimezone()), {"cone": "x"}),
    ],
)
def test_words_that_cannot_be_understood_are_refused(given, words):
    with pytest.raises(BadRequest):
        criteria_of(given, **words)
