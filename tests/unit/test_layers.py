"""Rules of the layers that imports do not tell: who speaks SQL, and of which tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.support.sources import PACKAGE, sources

STATEMENT = re.compile(
    r"\s*(WITH\s+\w+\s+AS\b|SELECT\b|INSERT\s+INTO\b|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\b|CREATE\s|LOCK\s|EXPLAIN\s)"
)
ORDERS = re.compile(r"\bwork_order(_merge)?\b")
KEPT = re.compile(
    r"\bseries_id\b|\b(frame\.c\.keywords|version\.c\.headers|series\.c)\b|\b(FROM|JOIN) series\b"
)
FEED = re.compile(r"\bfeed_(entry|topic|consumer|generation|number|append|draw|settled)\b")


def modules(*but: str) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of all modules of the package but those below some directories."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(but):
            yield name, path.read_text()


def test_only_the_engine_of_work_knows_the_table_of_orders() -> None:
    found = [name for name, source in modules("base/work/", "migrations/") if ORDERS.search(source)]
    assert found == []


def test_only_the_feed_knows_its_tables() -> None:
    found = [name for name, source in modules("base/feed/", "migrations/") if FEED.search(source)]
    assert found == []


def test_only_the_catalog_knows_how_headers_and_keywords_are_kept() -> None:
    found = [name for name, source in modules("archive/catalog/", "migrations/") if KEPT.search(source)]
    # Retention takes old headers away, whatever they are kept as.
    assert found == ["operations/store.py"]


def test_commands_and_dialects_contain_no_sql() -> None:
    found = [
        (name, text)
        for name, module in sources().items()
        if name.startswith(("commands/", "api/", "app.py", "cli.py"))
        for text in module.texts
        if STATEMENT.match(text)
    ]
    assert found == []


def test_statements_are_recognised() -> None:
    said = [
        "SELECT 1",
        "\n  WITH a AS (SELECT 1) SELECT",
        "UPDATE version SET present = false",
        "DELETE FROM edit",
    ]
    assert all(STATEMENT.match(one) for one in said)
    assert not any(
        STATEMENT.match(one) for one in ["Select files.", "Update the rules.", "With care.", "Delete it."]
    )
    assert ORDERS.search("FROM work_order AS w")
    assert not ORDERS.search("armillary_work_orders_finished")
