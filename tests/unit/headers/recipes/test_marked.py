"""YAML keeps its lines, says what it says, and names no types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.headers.recipes.marked import Marked, Problem, read_marked, scalar


def read(text: str) -> tuple[Marked, list[Problem]]:
    document, problems = read_marked(text.encode(), "one.yaml")
    assert document is not None
    return document, problems


def test_every_value_knows_its_line() -> None:
    document, problems = read("a:\n  b: 1\n  c:\n    - x\n    - {y: 2}\n")
    assert problems == []
    assert document.plain() == {"a": {"b": 1, "c": ["x", {"y": 2}]}}
    assert [document.at(*path).line for path in (("a",), ("a", "b"), ("a", "c", 1), ("a", "c", 1, "y"))] == [
        1,
        2,
        5,
        5,
    ]
    assert document.at("a", "none").line == document.at("a").line


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[
            ("NO", "NO"),
            ("on", "on"),
            ("18:43:55", "18:43:55"),
            ("2026-01-01", "2026-01-01"),
            ("0x10", "0x10"),
        ],
        *[
            ("true", True),
            ("False", False),
            ("null", None),
            ("~", None),
            ("-7", -7),
            ("1e3", 1000.0),
            (".5", 0.5),
        ],
        *[("1_000", "1_000"), ("007", 7), (".inf", ".inf"), ("nan", "nan"), ("9" * 30, "9" * 30)],
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_what_stands_in_quotes_is_a_text() -> None:
    assert read("a: '1'\nb: \"true\"\n")[0].plain() == {"a": "1", "b": "true"}


def test_keys_are_texts_whatever_they_look_like() -> None:
    assert read("{NO: 1, 2: two, true: yes}")[0].plain() == {"NO": 1, "2": "two", "true": "yes"}


def test_a_key_that_stands_twice_is_told_and_the_first_counts() -> None:
    document, [problem] = read("a: {b: 1}\nc: 3\na: 2\n")
    assert (problem.place.line, problem.path, problem.code) == (3, ("a",), "C14")
    assert document.plain() == {"a": {"b": 1}, "c": 3}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: !!python/object/apply:os.system ['true']\n", 2),
        ("a: !local 1\n", 1),
        ("a: {\n", 2),
        ("a: 1\n\tb: 2\n", 2),
        ("", 1),
        ("a: 1\n--- \nb: 2\n", 3),
        ("a: &a [*a]\n", 1),
        ("? [1, 2]\n: x\n", 1),
        ("\x00", 1),
        ("[" * 100_000 + "]" * 100_000, 1),
        ("a: {" * 100_000, 1),
    ],
)
def test_what_is_no_configuration_is_told_by_its_line(text: str, line: int) -> None:
    _, problems = read_marked(text.encode(), "one.yaml")
    assert problems
    assert problems[0].place.line == line


def test_aliases_that_make_too_much_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    document, [problem] = read_marked("\n".join(lines).encode(), "one.yaml")
    assert document is None
    assert "aliases" in problem.message


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    document, problems = read_marked(content, "one.yaml")
    assert document is not None or problems
