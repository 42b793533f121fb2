"""The source of the program, parsed once for all tests that look at it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import armillary

PACKAGE = Path(armillary.__file__).parent


@dataclass(frozen=True)
class Parts:
    """What tests ask of a module; its tree is not kept, since hundreds would slow the collection of garbage."""

    imports: list[ast.Import | ast.ImportFrom] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """Pieces of formatted ones included."""
    bare_next: list[int] = field(default_factory=list)
    """Lines in which `next` is called without a default."""


def parts_of(source: str) -> Parts:
    """Return what there is in a module, wherever it stands."""
    found = Parts()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import() | ast.ImportFrom():
                found.imports.append(node)
            case ast.Constant(value=str(text)):
                found.texts.append(text)
            case ast.Call(func=ast.Name(id="next"), args=[_]):
                found.bare_next.append(node.lineno)
    return found


def sources(top: Path = PACKAGE) -> Mapping[str, Parts]:
    """Return the parts of all modules below a directory, by path."""
    return _read(top)


@functools.cache
def _read(top: Path) -> Mapping[str, Parts]:
    return {
        path.relative_to(top).as_posix(): parts_of(path.read_text()) for path in sorted(top.rglob("*.py"))
    }
