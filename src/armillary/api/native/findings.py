"""Checks of headers: of those in a request, and what was found in archived ones."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from msgspec import Meta

from armillary.api.http.answers import Answer, answered, answers
from armillary.api.http.body import read_body
from armillary.api.http.calls import Ctx
from armillary.api.native.frames import asked_terms
from armillary.api.native.routing import SELECTION_REFUSALS, Word, anybody, failures, storable_words
from armillary.archive.errors import BadCursor
from armillary.archive.findings.models import FindingPage, ToldFinding
from armillary.archive.findings.service import list_findings
from armillary.archive.models import MAX_PAGE
from armillary.archive.query.models import Term
from armillary.errors import BadRequest, RequestTooLarge
from armillary.headers.rules.service import (
    Place,
    Report,
    RuleReport,
    Unreadable,
    check,
    check_set,
    parse_site,
    report_on,
    report_to_json,
    sheets_of,
)

router = APIRouter()
MOST = 1000
"""Headers of one request: what takes a second."""
_FINDING: dict[str, Any] = {
    "rule": "hour-angle",
    "group": "hour angle",
    "severity": "error",
    "keyword": "HASTART",
    "expected": -11.642717,
    "actual": -11.48812,
    "residual": 37.1,
    "unit": "s",
    "hypothesis": "RA of date (as it stands); TAI used as UTC: TAI-UTC lost (37 s)",
    "text": "HASTART is 37.1 s ahead of sidereal time less right ascension; expected and actual in degrees.",
    "proposal": None,
}
_STORED = {
    "id": 7,
    "file": "CC_O_20260101_000042.fits",
    "path": "20260101",
    "version": 12,
    "checked": "2026-01-02T05:00:00Z",
    **_FINDING,
}
_RULE = {
    "rule": "hour-angle",
    "group": "hour angle",
    "severity": "error",
    "files": 1,
    "findings": 1,
    "median": 37.1,
    "spread": 0.0,
    "unit": "s",
    "cause": "RA of date (as it stands); TAI used as UTC: TAI-UTC lost (37 s)",
}
_HEADER = {
    "OBSID": "CC_O_20260101_000042",
    "TIMESYS": "TAI",
    "DATE-BEG": "2026-01-02T04:10:05.250",
    "AMSTART": 1.1,
}


class QaReport(Answer):
    """How many headers were checked, all findings, and what those of each rule have in common."""

    files: Annotated[int, Meta(description="Headers in the request.")]
    findings: list[ToldFinding]
    rules: list[RuleReport]


@router.post(
    "/v1/qa",
    dependencies=anybody,
    responses=answers(QaReport, {"files": 1, "findings": [{"file": "body", **_FINDING}], "rules": [_RULE]})
    | failures(Unreadable, BadRequest, RequestTooLarge),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"type": ["object", "array"]}, "example": [_HEADER]},
                "application/fits": {"schema": {"type": "string", "format": "binary"}},
                "text/plain": {"schema": {"type": "string"}},
            },
        }
    },
)
async def qa(
    request: Request,
    ctx: Ctx,
    site: Annotated[
        str | None, Query(max_length=200, description="LAT,LON,HEIGHT in degrees and metres.")
    ] = None,
) -> JSONResponse:
    """Check the headers in the body: JSON of one or of a list, a side-car, FITS, or a text of cards.

    Nothing is stored. Headers of a list may have their name as `{"file": ..., "header": {...}}`.
    """
    place = parse_site(site) if site is not None else None
    body = await read_body(request, ctx.context.settings.edits.max_body)
    report = await asyncio.to_thread(_report, body, place)
    return answered(report_to_json(report))


def _report(body: bytes, site: Place | None) -> Report:
    sheets = sheets_of(body, "body", site, yaml=False)
    if len(sheets) > MOST:
        raise RequestTooLarge(f"There are {len(sheets)} headers in the body; send at most {MOST} at once.")
    found = [one for sheet in sheets for one in check(sheet)]
    return report_on([*found, *check_set(sheets)], len(sheets))


@router.get(
    "/v1/findings",
    dependencies=anybody,
    responses=answers(FindingPage, {"findings": [_STORED], "cursor": None})
    | failures(BadRequest, BadCursor, *SELECTION_REFUSALS),
)
async def findings(
    ctx: Ctx,
    terms: Annotated[tuple[Term, ...], Depends(asked_terms)],
    rule: Word = None,
    group: Word = None,
    severity: Annotated[Literal["error", "warning", "note"] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    cursor: Word = None,
) -> JSONResponse:
    """List what `armillary check --where` found in headers, newest first, of frames that fit all criteria.

    Findings are of the version that a frame is of now; of headers that the caller may not read, none is told.
    """
    storable_words(rule, group)
    words = {
        name: word
        for name, word in (("rule", rule), ("group", group), ("severity", severity))
        if word is not None
    }
    async with ctx.context.database.begin() as connection:
        page = await list_findings(
            connection, words, terms, ctx.principal, today=ctx.today, limit=limit, cursor=cursor
        )
    return answered(page)
