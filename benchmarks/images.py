"""Benchmark 4e: questions about images among a million, by the statements that the program sends.

The rows are made by the database, with the spread of a year of twenty sites: what is measured is the search.
"""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from armillary.access.models import ANYBODY
from armillary.archive.images import service as images
from armillary.archive.images.service import Asker, ImageCriteria
from armillary.base.database import Role
from armillary.context import Context, open_context
from armillary.settings import DatabaseSettings, Settings
from benchmarks.frames import ACCOUNT, LIMIT, LIMIT_S, Overheard, Statement, execution_s
from benchmarks.scratch import scratch
from benchmarks.table import Row, finish

IMAGES, SITES, QUESTIONS = 1_000_000, 20, 60
FILTERS = ("w", "gp", "rp", "ip", "V", "B", "HA", "O3")
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
FILL = f"""
INSERT INTO image (directory, base_filename, site, data_type, arrived, sort_date, capture_date, filter_used,
    exposure_time, user_id, username, stack, stack_number, jpg_medium_key, jpg_medium_rank, shown, header)
SELECT 'data', s.site || '-sq003ms-20260101-' || lpad(n::text, 8, '0'), s.site, 'EX', s.at, s.at, s.at,
    (ARRAY{list(FILTERS)})[1 + n % {len(FILTERS)}], (n % 300)::float, 'user' || n % 500, 'user' || n % 500,
    CASE WHEN n % 10 < 3 THEN n / 10 END, CASE WHEN n % 10 < 3 THEN n % 10 END,
    'data/' || s.site || '-sq003ms-20260101-' || lpad(n::text, 8, '0') || '-EX10.jpg', 0,
    '{{"fits_filename": ""}}', '{{"FILTER": "w", "EXPTIME": 30.0}}'
FROM generate_series(1, {IMAGES}) AS n CROSS JOIN LATERAL (
    SELECT 's' || lpad((n % {SITES})::text, 2, '0') AS site,
        TIMESTAMPTZ '2026-01-01' + n * INTERVAL '31.5 seconds' AS at
) AS s
"""


def _asker() -> Asker:
    return Asker(ANYBODY, BEGINNING + timedelta(days=366))


async def _heard(context: Context) -> dict[str, list[Statement]]:
    """Return what the program sends for each kind of question."""
    dice, asker = random.Random(8), _asker()
    sites = [f"s{number:02d}" for number in range(SITES)]
    found: dict[str, list[Statement]] = {}
    async with context.database.begin() as connection:

        async def hear(title: str, ask: Any) -> None:
            heard: Any = Overheard(connection)
            await ask(heard)
            found.setdefault(title, []).append(Statement.of(heard.queries[0]))

        for _ in range(QUESTIONS):
            site, start = dice.choice(sites), BEGINNING + timedelta(days=dice.uniform(0, 350))
            criteria = ImageCriteria(
                site=site,
                filter_used=dice.choice(FILTERS),
                exposure_min_s=100.0,
                start=start,
                end=start + timedelta(days=1),
            )
            await hear(
                "the latest 100 of a site",
                lambda heard, site=site: images.latest(heard, asker, site, 100, user_id=None),
            )
            await hear(
                "a site in one filter, of more than 100 s, of a night",
                lambda heard, asked=criteria: images.filtered(heard, asker, asked, limit=100, cursor=None),
            )
            await hear(
                "the latest of each of 20 sites", lambda heard: images.latest_of_each(heard, asker, sites)
            )
    return found


async def _measure(folder: Path) -> list[Row]:
    settings = Settings(data=folder, database=DatabaseSettings(account=ACCOUNT))
    async with open_context(settings, Role.WORKER) as context:
        session = await context.database.dedicated()
        try:
            await session.execute(FILL)
            await context.database.refresh("image")
            rows = []
            for number, (title, asked) in enumerate((await _heard(context)).items(), 1):
                seconds = await execution_s(session, asked)
                rows.append(
                    Row(f"4e.{number}", f"1 M images: {title}", seconds, {LIMIT: LIMIT_S}, {LIMIT: 1.0})
                )
        finally:
            await session.close()
    return rows


def rows() -> list[Row]:
    """Measure and return the rows of benchmark 4e."""
    with scratch() as folder:
        return asyncio.run(_measure(folder / "data"))


if __name__ == "__main__":
    finish(rows())
