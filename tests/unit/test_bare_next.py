"""`next()` of something that may be empty has a default.

Without one it raises StopIteration, which no coroutine may raise: the message is then `coroutine raised
StopIteration`, whatever was looked for. In a generator it would pass for the end of that.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import armillary

PACKAGE = Path(armillary.__file__).parent


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_next_has_a_default(path: Path) -> None:
    bare = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "next"
        and len(node.args) < 2
    ]
    assert bare == []
