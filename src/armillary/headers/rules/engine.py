"""Let every rule judge a header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from armillary.headers.rules import (
    airmass,
    compliance,
    detectors,
    hour_angle,
    identity,
    placeholder,
    pointing,
    rotation,
    site,
    stale,
    times,
    units,
    vocabulary,
)
from armillary.headers.rules.models import Finding, Rule, finding_of
from armillary.headers.rules.sheet import Sheet

RULES: tuple[Rule, ...] = (
    *times.RULES,
    *identity.RULES,
    *airmass.RULES,
    *hour_angle.RULES,
    *pointing.RULES,
    *rotation.RULES,
    *units.RULES,
    *site.RULES,
    *stale.RULES,
    *placeholder.RULES,
    *vocabulary.RULES,
    *detectors.RULES,
    *compliance.RULES,
)


def check(
    sheet: Sheet, rules: Sequence[Rule] = RULES, tolerances: Mapping[str, float] | None = None
) -> list[Finding]:
    """Return what the rules find in one header, in their order.

    Parameters
    ----------
    tolerances
        By the id of a rule, in its unit, instead of its own.
    """
    wanted = tolerances or {}
    return [
        finding_of(rule, sheet.file, one)
        for rule in rules
        for one in rule.judge(sheet, wanted.get(rule.id, rule.tolerance))
    ]
