"""Write down, for many orders at once, what is about to happen: the last look at the fence before it does.

An order with an intent is in doubt: what it meant to do may have happened.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.work.claim import Claim
from armillary.base.work.errors import LostLease
from armillary.base.work.models import JsonObject
from armillary.base.work.store import decoded, dump

RECORD = """
UPDATE work_order AS w SET intent = i.intent::jsonb
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS i (id, fence, intent)
WHERE w.id = i.id AND w.fence = i.fence AND w.state = 'Started'
RETURNING w.id
"""


UNFINISHED = """
SELECT intent FROM work_order
WHERE key = $1 AND state IN ('Queued', 'Started') AND intent IS NOT NULL ORDER BY id
"""

FORGET = """
UPDATE work_order AS w SET intent = NULL
FROM unnest($1::bigint[], $2::bigint[]) AS i (id, fence)
WHERE w.id = i.id AND w.fence = i.fence AND w.state = 'Started'
"""


async def record_intents(pairs: Sequence[tuple[Claim, JsonObject]]) -> None:
    """Store the intents of several claims in one transaction.

    Raises
    ------
    LostLease
        If some of the claims are not ours any more; they are marked so, and no intent is stored.
    """
    if not pairs:
        return
    columns = (
        [claim.order.id for claim, _ in pairs],
        [claim.order.fence for claim, _ in pairs],
        [dump(intent) for _, intent in pairs],
    )
    # All or none: the files are changed together, under one sync, so no part of them may be without its intent.
    async with pairs[0][0].database.begin() as connection:
        stored = {row.id for row in (await connection.exec_driver_sql(RECORD, columns)).all()}
        lost = [claim for claim, _ in pairs if claim.order.id not in stored]
        for claim in lost:
            claim.lost = True
        if lost:
            ids = ", ".join(str(claim.order.id) for claim in lost)
            raise LostLease(f"Work orders {ids} belong to another worker now; this run is void.")
    # After the commit. What a handler believes to be in doubt must be so in the database, too.
    for claim, intent in pairs:
        claim.order = dataclasses.replace(claim.order, intent=intent)


async def forget_intents(claims: Sequence[Claim]) -> None:
    """Record that nothing of what was intended has happened: the orders are in doubt no more."""
    if not claims:
        return
    # Whoever has the order now has looked at the file since, and knows better: the fence leaves his intent alone.
    columns = ([claim.order.id for claim in claims], [claim.order.fence for claim in claims])
    async with claims[0].database.begin() as connection:
        await connection.exec_driver_sql(FORGET, columns)
    for claim in claims:
        claim.order = dataclasses.replace(claim.order, intent=None)


async def unfinished_intents(connection: AsyncConnection, key: str) -> list[JsonObject]:
    """Return what unfinished orders of a key meant to do, and may have done."""
    return [decoded(row.intent) for row in (await connection.exec_driver_sql(UNFINISHED, (key,))).all()]
