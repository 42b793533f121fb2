"""What a database is asked: the statements and commits that run in a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from armillary.base.database import Database


@dataclass(slots=True)
class Asked:
    """Texts of statements in their order, and how many commits there were."""

    statements: list[str] = field(default_factory=list)
    commits: int = 0


@contextmanager
def asked_of(database: Database) -> Iterator[Asked]:
    """Collect what is asked through the engine in the block."""
    seen, engine = Asked(), database.engine.sync_engine

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.statements.append(statement)

    def count(_c: Any) -> None:
        seen.commits += 1

    sa.event.listen(engine, "before_cursor_execute", note)
    sa.event.listen(engine, "commit", count)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
        sa.event.remove(engine, "commit", count)
