"""Which keys are in work is told exactly, however many are asked for and however much is in work."""

from __future__ import annotations

import pytest

from armillary.base.database import Database
from armillary.base.work.busy import MANY, busy_keys

# Two orders of every key but the last, so that more rows are found than keys.
FILL = """
INSERT INTO work_order (kind, key, args, state, finished)
SELECT CASE WHEN n % 10 = 0 THEN 'preview' ELSE 'edit' END, 'file ' || n / 2, '{}',
    CASE WHEN n % 6 < 2 THEN 'Completed' ELSE 'Queued' END, CASE WHEN n % 6 < 2 THEN now() END
FROM generate_series(2, $1::integer) AS n
"""


@pytest.mark.parametrize("asked", [10, MANY + 500])
@pytest.mark.parametrize("orders", [0, 50, MANY // 2, 2 * MANY, 4 * MANY])
async def test_busy_keys_are_those_with_an_unfinished_order(
    owner: Database, worker_db: Database, orders: int, asked: int
) -> None:
    async with owner.begin() as connection:
        await connection.exec_driver_sql(FILL, (orders,))
    numbers = range(2, orders + 1)
    busy = {n // 2 for n in numbers if n % 6 >= 2 and n % 10}
    async with worker_db.begin() as connection:
        keys = [f"file {number}" for number in range(asked)]
        found = await busy_keys(connection, keys, besides=("preview",))
    assert found == {f"file {number}" for number in busy if number < asked}
