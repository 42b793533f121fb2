"""Released migrations are frozen: a database that one of them made is never found to have another schema.

After adding a migration run ``python scripts/schema.py``. It adds the digest of the migration to
``tests/data/migrations.sha256`` and writes down what the schema is now. Rows that the migration makes possible go
into ``tests/data/filled``. Never change a migration that is listed; write a new one.
"""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "schema.py"


def test_no_released_migration_was_changed() -> None:
    script = runpy.run_path(str(SCRIPT))
    now, frozen = script["files"](), script["frozen"]()
    assert {name: now.get(name) for name in frozen} == frozen, "write a new migration instead"
    assert sorted(now) == sorted(frozen), "run python scripts/schema.py"
    assert len(frozen) >= 11
