"""Check the headers of archived frames, and put on record what is found."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.archive.findings.models import NewFinding
from armillary.archive.findings.service import record_findings
from armillary.archive.query.models import Term
from armillary.archive.query.service import members_of, page_of
from armillary.context import Context
from armillary.headers.rules.service import (
    Finding,
    Place,
    Report,
    Sheet,
    check,
    check_set,
    finding_to_json,
    raw_sheet,
    report_on,
    slim,
)

PORTION = 200
"""Files of one transaction."""


async def check_frames(
    context: Context,
    terms: Sequence[Term],
    *,
    site: Place | None = None,
    tolerances: Mapping[str, float] | None = None,
    portion: int = PORTION,
) -> Report:
    """Check the present version of every file that fits, a portion at a time; findings of before are replaced.

    Headers that are past retention, and files of media without headers, are left out. What only many headers show
    depends on which were chosen, and is recorded with the others.
    """
    members = members_of(terms, today=context.clock.now().date())
    kept: list[Sheet] = []
    versions: dict[str, int] = {}
    found: list[Finding] = []
    after = 0
    while True:
        async with context.database.begin() as connection:
            rows = await page_of(connection, members, after=after, count=portion)
            versions_there = await catalog.present_of_files(connection, [row.file_id for row in rows])
        if not rows:
            break
        after = rows[-1].file_id
        judged = await asyncio.to_thread(_judge, versions_there, set(versions), site, tolerances)
        for sheet, version_id, theirs in judged:
            versions[sheet.file] = version_id
            kept.append(slim(sheet))
            found += theirs
        await _record(context, {version_id: theirs for _, version_id, theirs in judged})
    together = await asyncio.to_thread(check_set, kept, tolerances)
    await _record_together(context, found, together, versions)
    found += together
    return report_on(found, len(kept))


async def check_file(context: Context, file: int) -> list[Finding]:
    """Check the present version of one file by itself; findings of before are replaced."""
    async with context.database.begin() as connection:
        portion = await catalog.present_of_files(connection, [file])
    judged = await asyncio.to_thread(_judge, portion, frozenset(), None, None)
    await _record(context, {version_id: theirs for _, version_id, theirs in judged})
    return [one for _, _, theirs in judged for one in theirs]


def _judge(
    portion: Iterable[Version], taken: Set[str], site: Place | None, tolerances: Mapping[str, float] | None
) -> list[tuple[Sheet, int, list[Finding]]]:
    """Return the sheet of each version, its id and what is found; of equal places, only one lacks the id."""
    judged = []
    names_taken = set(taken)
    for version in portion:
        if version.canonical and version.is_fits and version.is_whole:
            names = [hdu.name for hdu in version.hdus]
            called = version.place if version.place not in names_taken else f"{version.place} ({version.id})"
            names_taken.add(called)
            sheet = raw_sheet(version.headers(), names, called, site)
            judged.append((sheet, version.id, check(sheet, tolerances=tolerances)))
    return judged


async def _record_together(
    context: Context, alone: Iterable[Finding], together: Sequence[Finding], versions: Mapping[str, int]
) -> None:
    """Record anew the versions of which many headers show something, with what was found in each alone."""
    concerned = {one.file for one in together}
    theirs: dict[int, list[Finding]] = defaultdict(list)
    for one in (*alone, *together):
        if one.file in concerned:
            theirs[versions[one.file]].append(one)
    await _record(context, theirs)


async def _record(context: Context, found: Mapping[int, Sequence[Finding]]) -> None:
    if not found:
        return
    rows = {version_id: [_row(one) for one in theirs] for version_id, theirs in found.items()}
    async with context.database.begin() as connection:
        await record_findings(connection, rows, checked=context.clock.now())


def _row(one: Finding) -> NewFinding:
    told = finding_to_json(one)
    return NewFinding(
        rule=one.rule,
        rule_group=one.group,
        severity=one.severity,
        keyword=told["keyword"],
        expected=told["expected"],
        actual=told["actual"],
        residual=told["residual"],
        unit=one.unit,
        hypothesis=told["hypothesis"],
        message=told["text"],
        proposal=told["proposal"],
    )
