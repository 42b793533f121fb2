"""Claiming stays cheap when statistics were taken of an empty queue, as they mostly are."""

from __future__ import annotations

import pytest

from armillary.base.database import Database
from armillary.base.work import statements
from armillary.base.work.ledger import PLANNER

REPORTS = ", ".join(
    f"'{{}}'::{kind}[]"
    for kind in ("bigint", "bigint", "text", "text", "text", "float8", "boolean", "text", "text")
)
CLAIM = f"{REPORTS}, 1.0, '{{count}}'::text[], 10, 'x', 60.0"
DONE = """
INSERT INTO work_order (kind, args, state, finished)
SELECT 'count', '{}', 'Completed', now() FROM generate_series(1, 5000)
"""


@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        (statements.EXCHANGE, CLAIM),
        (statements.EXCHANGE_FOLDING, f"{CLAIM}, '{{count}}'::text[], '{{5}}'::integer[]"),
    ],
)
async def test_only_the_search_for_due_orders_reads_the_queue(
    owner: Database, worker_db: Database, statement: str, arguments: str
) -> None:
    async with owner.begin() as connection:
        await connection.exec_driver_sql(DONE)
        await connection.exec_driver_sql("ANALYZE work_order")
    fresh = await worker_db.dedicated(**PLANNER)
    try:
        await fresh.execute(f"PREPARE claim AS {statement}")
        plan = "\n".join(row[0] for row in await fresh.fetch(f"EXPLAIN EXECUTE claim({arguments})"))
    finally:
        await fresh.close()
    assert plan.count("work_order_claim") == 1, plan
    assert "Seq Scan on work_order" not in plan
