"""What other nouns and the dialects may ask of findings: put them on record, list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.errors import BadCursor
from armillary.archive.findings import store
from armillary.archive.findings.models import FindingPage, NewFinding, StoredFinding
from armillary.archive.models import MAX_PAGE
from armillary.archive.query.models import Term
from armillary.base.database import AnyRow


async def record_findings(
    connection: AsyncConnection, found: Mapping[int, Sequence[NewFinding]], *, checked: datetime
) -> None:
    """Record that versions were checked and what was found in each, instead of what was found before."""
    await store.replace(connection, found, checked=checked)


async def list_findings(
    connection: AsyncConnection,
    words: Mapping[str, str],
    terms: Sequence[Term],
    viewer: Principal,
    *,
    today: date,
    limit: int = 100,
    cursor: str | None = None,
) -> FindingPage:
    """Return one page of findings, newest first.

    Parameters
    ----------
    words
        What ``rule``, ``group`` and ``severity`` have to be, as far as they are asked for.
    terms
        What has to hold of the frames.

    Raises
    ------
    BadCursor
        If the cursor is none.
    """
    limit = max(1, min(limit, MAX_PAGE))
    before = _read(cursor)
    rows = await store.page(connection, words, terms, viewer, today=today, before=before, count=limit + 1)
    more = str(rows[limit - 1].id) if len(rows) > limit else None
    return FindingPage([_told(row) for row in rows[:limit]], more)


def _read(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and 0 < int(cursor[:20]) < 1 << 63 and len(cursor) < 20):
        raise BadCursor
    return int(cursor)


def _told(row: AnyRow) -> StoredFinding:
    return StoredFinding(
        id=row.id,
        file=row.file,
        path=row.path,
        version=row.version,
        checked=row.checked.astimezone(UTC),
        rule=row.rule,
        group=row.rule_group,
        severity=row.severity,
        keyword=row.keyword,
        expected=row.expected,
        actual=row.actual,
        residual=row.residual,
        unit=row.unit,
        hypothesis=row.hypothesis,
        text=row.message,
        proposal=row.proposal,
    )
