"""`next()` of something that may be empty has a default.

Without one it raises StopIteration, which no coroutine may raise: the message is then `coroutine raised
StopIteration`, whatever was looked for. In a generator it would pass for the end of that.
"""

from __future__ import annotations

from tests.support.sources import parts_of, sources


def test_next_has_a_default() -> None:
    assert {path: one.bare_next for path, one in sources().items() if one.bare_next} == {}


def test_a_bare_one_is_noticed() -> None:
    assert parts_of("a = next(b, None)\nc = next(d)").bare_next == [2]
