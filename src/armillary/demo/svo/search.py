"""The expressions of ``search=``: FIELD__LOOKUP=VALUE joined by not, and, or, with parentheses and quotes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")
Test = Callable[[T], bool]
_TOKEN = re.compile(
    r"""\s*(?:([()])|([A-Za-z_][\w]*)\s*=\s*("[^"]*"|'[^']*'|[^\s()"']+)|([A-Za-z]+)(?=[\s(]|$))"""
)


class Unparsable(ValueError):
    """A text that is no expression. The real server ignores it, and returns everything."""


def parse(text: str, test: Callable[[str, str], Test[T]]) -> Test[T]:
    """Return what an expression tells of a thing; ``test`` makes the test of one field and value.

    Raises
    ------
    Unparsable
        If it is none.
    """
    tokens = list(_tokens(text))
    tree, rest = _either(tokens, test)
    if rest:
        raise Unparsable(text)
    return tree


def _tokens(text: str) -> Iterator[tuple[str, str, str]]:
    at, text = 0, text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise Unparsable(text)
        at = found.end()
        mark, field, value, word = found.groups()
        if field:
            yield "test", field, value[1:-1] if value[0] in "\"'" else value
        else:
            yield (mark or word.lower()), "", ""


Tokens = list[tuple[str, str, str]]


def _either(tokens: Tokens, test: Callable[[str, str], Test[T]]) -> tuple[Test[T], Tokens]:
    left, rest = _both(tokens, test)
    while rest and rest[0][0] == "or":
        right, rest = _both(rest[1:], test)
        left = _or(left, right)
    return left, rest


def _both(tokens: Tokens, test: Callable[[str, str], Test[T]]) -> tuple[Test[T], Tokens]:
    left, rest = _one(tokens, test)
    while rest and rest[0][0] == "and":
        right, rest = _one(rest[1:], test)
        left = _and(left, right)
    return left, rest


def _one(tokens: Tokens, test: Callable[[str, str], Test[T]]) -> tuple[Test[T], Tokens]:
    if not tokens:
        raise Unparsable
    kind, field, value = tokens[0]
    if kind == "not":
        inner, rest = _one(tokens[1:], test)
        return (lambda thing: not inner(thing)), rest
    if kind == "(":
        inner, rest = _either(tokens[1:], test)
        if not rest or rest[0][0] != ")":
            raise Unparsable
        return inner, rest[1:]
    if kind == "test":
        return test(field, value), tokens[1:]
    raise Unparsable


def _or(left: Test[T], right: Test[T]) -> Test[T]:
    return lambda thing: left(thing) or right(thing)


def _and(left: Test[T], right: Test[T]) -> Test[T]:
    return lambda thing: left(thing) and right(thing)
