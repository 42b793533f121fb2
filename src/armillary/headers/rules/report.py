"""What many findings have in common: per rule the median, the spread, and the likely cause."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from msgspec import Struct, structs

from armillary.headers.rules.engine import RULES
from armillary.headers.rules.models import Finding, Rule, SetRule, Severity
from armillary.headers.rules.sets import SET_RULES

_MAD_TO_SIGMA = 1.4826
_CAUSES: dict[str, tuple[tuple[float, float, str], ...]] = {
    "s": (
        (37.1, 0.3, "TAI-UTC lost (37 s)"),
        (36.1, 0.3, "TAI-UTC lost (36 s, before 2017)"),
        (35.1, 0.3, "TAI-UTC lost (35 s, before July 2015)"),
        (69.2, 0.4, "TT used as UTC (69 s)"),
        (32.184, 0.1, "TT used as TAI (32.184 s)"),
        (18.05, 0.3, "GPS time used as UTC (18 s)"),
        (3600.0, 12.0, "an hour of a time zone"),
        (14400.0, 42.0, "a time zone of four hours"),
        (10800.0, 32.0, "a time zone of three hours"),
        (43200.0, 2.0, "half a turn, or half a day"),
        (86400.0, 2.0, "a day"),
        (1200.0, 120.0, "precession from J2000 to date not applied"),
    ),
    "deg": (
        (0.1546, 0.003, "TAI-UTC lost (37 s)"),
        (90.0, 0.1, "a quarter turn"),
        (180.0, 0.1, "half a turn"),
        (360.0, 0.1, "a whole turn"),
        (0.34, 0.02, "precession from J2000 to date not applied"),
    ),
    "d": ((1.0, 0.01, "a day"), (0.5, 0.01, "half a day: MJD and JD")),
}
"""Amounts of known mistakes: in the unit of a rule, with the tolerance within which they are believed."""


class RuleReport(Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule found in many headers; the spread is 1.48 times the median deviation from the median."""

    rule: str
    group: str
    severity: str
    files: int
    findings: int
    median: float | None
    spread: float | None
    unit: str
    cause: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found in some headers."""

    files: int
    findings: list[Finding]
    rules: list[RuleReport]

    @property
    def clean(self) -> bool:
        """Whether nothing needs a look: notes do not count."""
        return all(one.severity is Severity.NOTE for one in self.findings)


def report_on(findings: Sequence[Finding], files: int) -> Report:
    """Return the findings with what they have in common, in the order of the rules."""
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for one in findings:
        by_rule[one.rule].append(one)
    order = {rule.id: n for n, rule in enumerate(rules_told())}
    ids = sorted(by_rule, key=lambda rule: order.get(rule, len(order)))
    return Report(files, list(findings), [_summary(by_rule[rule]) for rule in ids])


def rules_told() -> tuple[Rule | SetRule, ...]:
    """Return all rules, those of single headers first."""
    return (*RULES, *SET_RULES)


def _summary(found: list[Finding]) -> RuleReport:
    residuals = [one.residual for one in found if one.residual is not None and math.isfinite(one.residual)]
    median = statistics.median(residuals) if residuals else None
    spread = None
    if median is not None:
        spread = _MAD_TO_SIGMA * statistics.median(abs(one - median) for one in residuals)
    worst = min((one.severity for one in found), key=list(Severity).index)
    return RuleReport(
        rule=found[0].rule,
        group=found[0].group,
        severity=worst,
        files=len({one.file for one in found}),
        findings=len(found),
        median=median,
        spread=spread,
        unit=found[0].unit,
        cause=_cause(found, median, spread),
    )


def _cause(found: Sequence[Finding], median: float | None, spread: float | None) -> str | None:
    """Return what explains most of the findings: the hypothesis that fitted, else a known amount."""
    hypotheses = Counter(one.hypothesis for one in found if one.hypothesis)
    if hypotheses:
        # Hypotheses are alternatives joined by semicolons; what most have in common is the cause.
        parts = Counter(part.strip() for one in found if one.hypothesis for part in one.hypothesis.split(";"))
        common = [part for part, count in parts.items() if count >= 0.5 * len(found)]
        if common:
            return "; ".join(common)
    if median is None or spread is None:
        return hypotheses.most_common(1)[0][0] if hypotheses else None
    for amount, width, name in _CAUSES.get(found[0].unit, ()):
        if abs(abs(median) - amount) <= width and spread <= width:
            return name
    return hypotheses.most_common(1)[0][0] if hypotheses else None


def finding_to_json(one: Finding) -> dict[str, Any]:
    """Return a finding whose values any JSON holds: what is not finite becomes text, a complex number a pair."""
    told = {key: _plain(value) for key, value in asdict(one).items()}
    return told | {
        "residual": one.residual if one.residual is not None and math.isfinite(one.residual) else None
    }


def report_to_json(report: Report) -> dict[str, Any]:
    """Return a report: how many headers, all findings, and per rule what they have in common."""
    return {
        "files": report.files,
        "findings": [finding_to_json(one) for one in report.findings],
        "rules": [{key: _plain(value) for key, value in structs.asdict(one).items()} for one in report.rules],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, complex):
        return [_plain(value.real), _plain(value.imag)]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        # Halves of characters, which JSON can escape and nobody can send.
        return value.encode("utf-8", "replace").decode()
    return [_plain(one) for one in value] if isinstance(value, Sequence) else value
