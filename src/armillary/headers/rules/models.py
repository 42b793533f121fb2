"""Rules and what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from armillary.fits.models import Value
from armillary.headers.rules.sheet import Sheet


class Group(StrEnum):
    """What a rule is about."""

    TIME = "time"
    IDENTITY = "identity"
    AIRMASS = "airmass"
    HOUR_ANGLE = "hour angle"
    POINTING = "pointing"
    ROTATION = "rotation"
    UNITS = "units"
    SITE = "site"
    STALE = "stale"
    PLACEHOLDER = "placeholder"
    VOCABULARY = "vocabulary"
    DETECTORS = "detectors"
    FITS = "FITS"


class Severity(StrEnum):
    """How much it matters: what cannot be true, what should be looked at, what is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


Told = Value | list[float]


@dataclass(frozen=True, slots=True)
class Deviation:
    """What a rule found wrong in one place, before it is known in which file.

    ``hypothesis`` says what would explain it, None where nothing that was tried does. ``proposal`` is an edit in
    the form of the command `armillary edit`, for a person to judge.
    """

    keyword: str
    expected: Told = None
    actual: Told = None
    residual: float | None = None
    hypothesis: str | None = None
    text: str | None = None
    proposal: str | None = None
    unit: str | None = None
    severity: Severity | None = None


Judge = Callable[[Sheet, float], Iterator[Deviation]]


@dataclass(frozen=True, slots=True)
class Criterion:
    """What has to hold, and how that is told.

    Parameters
    ----------
    inputs
        Keywords that it looks at, for people; aliases are those of the sheet.
    formula
        What has to hold.
    tolerance
        How far values may be off, in ``unit``; it can be configured.
    hypotheses
        What is tried where a frame, scale or unit is not declared, or nothing fits.
    """

    id: str
    group: Group
    severity: Severity
    inputs: str
    formula: str
    text: str
    tolerance: float = field(default=0.0, kw_only=True)
    unit: str = field(default="", kw_only=True)
    hypotheses: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True, slots=True)
class Rule(Criterion):
    """A check of one header; ``judge`` is the check itself, pure."""

    judge: Judge


@dataclass(frozen=True, slots=True)
class SetRule(Criterion):
    """A check of many headers together; what judges them stands beside it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says of one header."""

    file: str
    rule: str
    group: Group
    severity: Severity
    keyword: str
    expected: Told
    actual: Told
    residual: float | None
    unit: str
    hypothesis: str | None
    text: str
    proposal: str | None = None


def finding_of(rule: Criterion, file: str, one: Deviation) -> Finding:
    """Return the finding that a deviation is."""
    return Finding(
        file=file,
        rule=rule.id,
        group=rule.group,
        severity=one.severity or rule.severity,
        keyword=one.keyword,
        expected=one.expected,
        actual=one.actual,
        residual=one.residual,
        unit=rule.unit if one.unit is None else one.unit,
        hypothesis=one.hypothesis,
        text=one.text or rule.text,
        proposal=one.proposal,
    )


def renamed(one: Finding, file: str) -> Finding:
    """Return the same finding of another file."""
    return replace(one, file=file)
