"""Counts of the frames of nights: triggers add rows for what comes and goes, and these are folded by and by."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

NIGHTS = 100
"""Nights whose counts one transaction folds."""

# Rows that cancel each other, as those of edits do, leave none. Who folds at the same time takes what the other
# one left: of one key there may then be two folded rows, whose sum is as true.
FOLD = """
WITH nights AS (SELECT DISTINCT night FROM night_count WHERE NOT folded ORDER BY night LIMIT $1),
taken AS (
    DELETE FROM night_count WHERE NOT folded AND night IN (SELECT night FROM nights)
    RETURNING night, site, instrument, observation_type, known_from, frames
), news AS (
    SELECT night, site, instrument, observation_type, known_from, sum(frames) AS frames FROM taken
    GROUP BY night, site, instrument, observation_type, known_from HAVING sum(frames) <> 0
), known AS (
    DELETE FROM night_count AS c USING news AS n WHERE c.folded AND c.night = n.night
        AND c.known_from = n.known_from
        AND (c.site, c.instrument, c.observation_type)
            IS NOT DISTINCT FROM (n.site, n.instrument, n.observation_type)
    RETURNING c.night, c.site, c.instrument, c.observation_type, c.known_from, c.frames
), folded AS (
    INSERT INTO night_count (night, site, instrument, observation_type, known_from, frames, folded)
    SELECT night, site, instrument, observation_type, known_from, sum(frames), true
    FROM (SELECT * FROM news UNION ALL SELECT * FROM known) AS every
    GROUP BY night, site, instrument, observation_type, known_from HAVING sum(frames) <> 0
)
SELECT count(*) AS nights FROM nights
"""


async def fold_counts(connection: AsyncConnection, *, nights: int = NIGHTS) -> int:
    """Fold what was added to the counts of up to so many nights; return of how many there was something."""
    return int((await connection.exec_driver_sql(FOLD, (nights,))).scalar() or 0)
