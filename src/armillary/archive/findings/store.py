"""Statements about findings: of the version that a frame is of, and only of those whose headers may be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog.tables import few, file, finding, frame, header_check, version
from armillary.archive.findings.models import NewFinding
from armillary.archive.query.conditions import conditions
from armillary.archive.query.models import Term
from armillary.archive.query.visibility import coordinates_visible
from armillary.base.database import AnyRow

_WORDS = {"rule": "rule", "group": "rule_group", "severity": "severity"}


async def replace(
    connection: AsyncConnection, found: Mapping[int, Sequence[NewFinding]], *, checked: datetime
) -> None:
    """Put on record what was found in versions, instead of what was found in them before.

    Versions that are gone since they were read are left out.
    """
    ids = sa.cast(sorted(found), sa.ARRAY(sa.BigInteger))
    # Shared until the end, so that none of them goes away between the check and its findings.
    there = (
        sa.select(version.c.id).where(version.c.id == sa.any_(ids)).with_for_update(key_share=True, read=True)
    )
    left = set((await connection.scalars(there)).all())
    await connection.execute(sa.delete(header_check).where(header_check.c.version_id == sa.any_(ids)))
    if not left:
        return
    await connection.execute(
        sa.insert(header_check), [{"version_id": one, "checked": checked} for one in sorted(left)]
    )
    rows = [
        {"version_id": one, **{name: getattr(what, name) for name in NewFinding.__struct_fields__}}
        for one in sorted(left)
        for what in found[one]
    ]
    if rows:
        await connection.execute(sa.insert(finding), rows)


async def page(
    connection: AsyncConnection,
    words: Mapping[str, str],
    terms: Sequence[Term],
    viewer: Principal,
    *,
    today: date,
    before: int | None,
    count: int,
) -> list[AnyRow]:
    """Return some findings, newest first, of frames of which all terms hold and whose headers may be read."""
    columns: list[sa.ColumnElement[Any]] = [
        finding.c.id,
        file.c.name.label("file"),
        version.c.path,
        version.c.id.label("version"),
        header_check.c.checked,
        *(finding.c[name] for name in NewFinding.__struct_fields__),
    ]
    tables = (
        finding.join(header_check, header_check.c.version_id == finding.c.version_id)
        .join(version, version.c.id == finding.c.version_id)
        .join(frame, sa.and_(frame.c.file_id == version.c.file_id, frame.c.version_id == version.c.id))
        .join(file, file.c.id == version.c.file_id)
    )
    # What was found tells what headers say, positions included.
    wanted = [*conditions(terms, viewer, today), coordinates_visible(viewer, today)]
    wanted += [finding.c[_WORDS[key]] == word for key, word in words.items()]
    wanted += [] if before is None else [finding.c.id < before]
    query = sa.select(*columns).select_from(tables).where(*wanted)
    return list((await connection.execute(query.order_by(finding.c.id.desc()).limit(few(count)))).all())
