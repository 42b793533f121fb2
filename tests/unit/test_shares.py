"""In which order, and in which shares, processes take the tests."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import LONG, TOGETHER, share_of

TESTS = Path(__file__).parents[1]


def test_what_is_long_or_taken_together_is_there() -> None:
    assert [name for name in (*LONG, *TOGETHER) if not (TESTS / name).exists()] == []


def test_modules_are_shares_but_for_those_that_are_taken_together() -> None:
    assert {share_of(f"tests/browser/test_{one}.py::test_x[a::b]") for one in "ab"} == {"tests/browser"}
    assert share_of("tests/api/test_a.py::test_x[tests/browser/test_b.py]") == "tests/api/test_a.py"
