"""Expressions of `when` and `derive`: a tiny language of keywords, literals, comparisons and named functions.

Nothing is evaluated as code: a text becomes a tree once, and functions are those that the caller gives. Undefined
values (None) are unknown, as in SQL: a comparison with one is None, `and` and `or` follow Kleene.

Names are keywords (``DATE-BEG``; one with spaces stands in backquotes), functions are lower case. A hyphen
therefore belongs to a name, and there is no arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

MOST_CHARACTERS = 1000
DEEPEST = 20


class Literal(Struct, frozen=True):
    """A text, a number, a truth value, or a list of them."""

    value: str | int | float | bool | tuple[str | int | float | bool, ...]


class Name(Struct, frozen=True):
    """The value of a keyword."""

    key: str


class Call(Struct, frozen=True):
    """A named function of some values."""

    function: str
    arguments: tuple[Expression, ...]


class Comparison(Struct, frozen=True):
    """Two values compared: ``== != < <= > >= in``."""

    operator: str
    left: Expression
    right: Expression


class Not(Struct, frozen=True):
    """The contrary of a condition."""

    condition: Expression


class Junction(Struct, frozen=True):
    """Conditions of which all (`and`) or any (`or`) hold."""

    operator: str
    conditions: tuple[Expression, ...]


Expression = Literal | Name | Call | Comparison | Not | Junction
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
      | (?P<text>'[^']*'|"[^"]*")
      | (?P<quoted>`[^`]+`)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*)
      | (?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
    )""",
    re.VERBOSE,
)
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">", "in", "not")


@lru_cache(maxsize=4096)
def parse(text: str, *, calls: bool = True) -> Expression:
    """Return the tree of an expression; with `calls` false no function may stand in it.

    Raises
    ------
    ValueError
        If it is none; the message says at which character.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"The expression has more than {MOST_CHARACTERS} characters.")
    parser = _Parser(text, calls=calls)
    tree = parser.disjunction(0)
    if parser.kind != "end":
        raise parser.unexpected()
    return tree


def names(tree: Expression) -> frozenset[str]:
    """Return the keywords that an expression uses."""
    return frozenset(one.key for one in _walk(tree) if isinstance(one, Name))


def calls(tree: Expression) -> list[Call]:
    """Return the functions that an expression calls."""
    return [one for one in _walk(tree) if isinstance(one, Call)]


def _walk(tree: Expression) -> Iterator[Expression]:
    yield tree
    match tree:
        case Call(arguments=below) | Junction(conditions=below):
            pass
        case Comparison(left=left, right=right):
            below = (left, right)
        case Not(condition=condition):
            below = (condition,)
        case _:
            return
    for one in below:
        yield from _walk(one)


def evaluate(
    tree: Expression,
    lookup: Callable[[str], Any],
    functions: Mapping[str, Callable[..., Any]],
) -> Any:
    """Return the value of an expression: `lookup` gives that of a keyword, None if it is undefined."""
    match tree:
        case Literal(value=value):
            return value
        case Name(key=key):
            return lookup(key)
        case Call(function=function, arguments=arguments):
            return functions[function](*(evaluate(one, lookup, functions) for one in arguments))
        case Not(condition=condition):
            value = evaluate(condition, lookup, functions)
            return None if value is None else not value
        case Comparison(operator=operator, left=left, right=right):
            return _compare(operator, evaluate(left, lookup, functions), evaluate(right, lookup, functions))
        case Junction(operator=operator, conditions=conditions):
            return _join(operator, (evaluate(one, lookup, functions) for one in conditions))


def _join(operator: str, values: Iterator[Any]) -> bool | None:
    """Return whether all or any hold; what is unknown counts only if it would decide."""
    decisive, unknown = operator == "or", False
    for value in values:
        if value is None:
            unknown = True
        elif bool(value) is decisive:
            return decisive
    return None if unknown else not decisive


def _compare(operator: str, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    try:
        match operator:
            case "==":
                return bool(left == right)
            case "!=":
                return bool(left != right)
            case "<":
                return bool(left < right)
            case "<=":
                return bool(left <= right)
            case ">":
                return bool(left > right)
            case ">=":
                return bool(left >= right)
            case _:
                return left in right
    except TypeError:
        # A text is not less than a number; what such a comparison says is unknown.
        return None


class _Parser:
    """Recursive descent over the tokens of a text."""

    def __init__(self, text: str, *, calls: bool) -> None:
        self._text, self._calls = text, calls
        self._end = 0
        self._start = 0
        self.kind = self.token = ""
        self._next()

    def unexpected(self) -> ValueError:
        """Return what to say of the token here."""
        what = f"'{self.token}'" if self.kind != "end" else "the end"
        return ValueError(f"Unexpected {what} at character {self._start + 1} of '{self._text}'.")

    def _next(self) -> str:
        """Go to the next token and return the one before."""
        before = self.token
        found = _TOKEN.match(self._text, self._end)
        if found:
            self.kind, self.token = str(found.lastgroup), found[str(found.lastgroup)]
            self._start, self._end = found.start(self.kind), found.end()
        elif not self._text[self._end :].strip():
            self.kind, self.token, self._start = "end", "", len(self._text)
        else:
            self._start = self._end
            self.kind, self.token = "bad", self._text[self._end :].strip()[:1]
            raise self.unexpected()
        return before

    def _take(self, token: str) -> bool:
        if self.kind in ("word", "sign") and self.token == token:
            self._next()
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise self.unexpected()

    def disjunction(self, depth: int) -> Expression:
        """Read conditions with `or` between them."""
        if depth > DEEPEST:
            raise ValueError(f"The expression is nested too deeply: '{self._text}'.")
        found = [self._conjunction(depth)]
        while self._take("or"):
            found.append(self._conjunction(depth))
        return found[0] if len(found) == 1 else Junction("or", tuple(found))

    def _conjunction(self, depth: int) -> Expression:
        found = [self._negation(depth)]
        while self._take("and"):
            found.append(self._negation(depth))
        return found[0] if len(found) == 1 else Junction("and", tuple(found))

    def _negation(self, depth: int) -> Expression:
        if self._take("not"):
            if depth > DEEPEST:
                raise self.unexpected()
            return Not(self._negation(depth + 1))
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Expression:
        left = self._operand(depth)
        if self.kind not in ("word", "sign") or self.token not in _COMPARISONS:
            return left
        operator = self._next()
        if operator == "not":
            self._expect("in")
            return Not(Comparison("in", left, self._operand(depth)))
        return Comparison(operator, left, self._operand(depth))

    def _operand(self, depth: int) -> Expression:
        if self.kind in ("number", "text") or self.token in ("true", "false"):
            return Literal(self._literal())
        if self.kind == "quoted":
            return Name(self._next()[1:-1].strip())
        if self._take("["):
            return Literal(self._list("]"))
        if self._take("("):
            inner = self.disjunction(depth + 1)
            if isinstance(inner, Literal) and self._take(","):
                # A list in round brackets, as ('RADEC', 'AZEL').
                rest = () if self._take(")") else self._list(")")
                return Literal((inner.value, *rest))  # type: ignore[arg-type]
            self._expect(")")
            return inner
        if self.kind != "word" or self.token in ("and", "or", "in", "not"):
            raise self.unexpected()
        if not self._calls or self._text[self._end :].lstrip()[:1] != "(":
            return Name(self._next())
        function = self._next()
        self._next()
        return Call(function, tuple(self._arguments(depth)))

    def _arguments(self, depth: int) -> Iterator[Expression]:
        if self._take(")"):
            return
        yield self.disjunction(depth + 1)
        while not self._take(")"):
            self._expect(",")
            yield self.disjunction(depth + 1)

    def _list(self, end: str) -> tuple[str | int | float | bool, ...]:
        found = [self._literal()]
        while not self._take(end):
            self._expect(",")
            if self._take(end):
                break
            found.append(self._literal())
        return tuple(found)

    def _literal(self) -> str | int | float | bool:
        if self.kind == "text":
            return self._next()[1:-1]
        if self.token in ("true", "false"):
            return self._next() == "true"
        if self.kind != "number":
            raise self.unexpected()
        token = self._next()
        return int(token) if token.lstrip("-").isdigit() else float(token)
