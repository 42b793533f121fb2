"""Let the rules of many headers judge them together; each finding names the file that stands out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from armillary.headers.rules import detectors, identity, rotation, stale, units
from armillary.headers.rules.models import Finding, SetRule, finding_of
from armillary.headers.rules.sheet import Sheet
from armillary.headers.rules.shots import SetCheck, shots_of

_CHECKS: tuple[SetCheck, ...] = (
    *identity.SET_CHECKS,
    *rotation.SET_CHECKS,
    *units.SET_CHECKS,
    *stale.SET_CHECKS,
    *detectors.SET_CHECKS,
)
SET_RULES: tuple[SetRule, ...] = (identity.REPEAT, identity.SPELLING, *(rule for rule, _ in _CHECKS))


def check_set(sheets: Sequence[Sheet], tolerances: Mapping[str, float] | None = None) -> list[Finding]:
    """Return what many headers show together: repeats, gaps, overlaps, spellings, frozen values, jumps."""
    wanted = tolerances or {}
    found = [finding_of(identity.REPEAT, file, one) for file, one in identity.repeats(sheets)]
    found += [finding_of(identity.SPELLING, file, one) for file, one in identity.spellings(sheets)]
    shots = shots_of(sheets)
    for rule, judge in _CHECKS:
        limit = wanted.get(rule.id, rule.tolerance)
        found += [finding_of(rule, file, one) for file, one in judge(shots, limit)]
    return found
