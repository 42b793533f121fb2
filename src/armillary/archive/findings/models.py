"""Findings as the catalog keeps them and as answers show them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from armillary.base.clock import Instant


class NewFinding(Struct, frozen=True, kw_only=True):
    """What a rule says of the headers of a version; ``expected`` and ``actual`` are values of JSON."""

    rule: str
    rule_group: str
    severity: str
    keyword: str
    expected: Any
    actual: Any
    residual: float | None
    unit: str
    hypothesis: str | None
    message: str
    proposal: str | None


class ToldFinding(Struct, forbid_unknown_fields=True):
    """What a rule says of one header."""

    file: str
    rule: str
    group: str
    severity: str
    keyword: str
    expected: bool | float | str | list[Any] | None
    actual: bool | float | str | list[Any] | None
    residual: float | None
    unit: str
    hypothesis: str | None
    text: str
    proposal: str | None


class StoredFinding(ToldFinding, kw_only=True):
    """A finding on record, with the version that it is of."""

    id: int
    path: str
    version: int
    checked: Instant


class FindingPage(Struct, forbid_unknown_fields=True):
    """Some findings, newest first, and what leads to the next ones; null on the last page."""

    findings: list[StoredFinding]
    cursor: str | None
