"""What is told of a run: per dataset the steps, what they came to, and why something was not done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from armillary.publish.svo.models import Action, Outcome, Step

_PLANNED = {
    Action.CREATE: Outcome.CREATED,
    Action.UPDATE: Outcome.UPDATED,
    Action.DELETE: Outcome.DELETED,
    Action.UNCHANGED: Outcome.UNCHANGED,
    Action.SKIP: Outcome.SKIPPED,
    Action.FAIL: Outcome.FAILED,
}
TOTALS = tuple(Outcome)


@dataclass(slots=True)
class DatasetReport:
    """One dataset: how many products are here and records there, and what is done.

    ``refusal`` tells why nothing is deleted, ``error`` why the dataset was left; only some products are looked at
    unless it is ``whole``.
    """

    dataset: str
    local: int = 0
    remote: int = 0
    steps: list[Step] = field(default_factory=list)
    refusal: str = ""
    error: str = ""
    refused_writes: bool = False
    wrote: bool = False
    whole: bool = True

    def totals(self) -> Counter[Outcome]:
        """Return how many records ended how; in a dry run, how they would."""
        counted = Counter(one.outcome for one in self.steps if one.outcome and one.action is not Action.TIDY)
        untidied = sum(one.action is Action.TIDY and one.outcome is Outcome.FAILED for one in self.steps)
        return Counter({one: counted[one] for one in TOTALS}) + Counter(
            {Outcome.FAILED: untidied + bool(self.error)}
        )

    def plan(self) -> None:
        """Take every step as done, for a run that does nothing."""
        for one in self.steps:
            one.outcome = Outcome.SKIPPED if self.is_refused(one) else _PLANNED.get(one.action)

    def settle(self) -> None:
        """Give the steps an end of which nothing is to be done, or nothing may be."""
        for one in self.steps:
            if self.is_refused(one):
                one.outcome = Outcome.SKIPPED
            elif one.action in (Action.UNCHANGED, Action.SKIP, Action.FAIL):
                one.outcome = _PLANNED[one.action]

    def is_refused(self, step: Step) -> bool:
        """Tell whether a step is one of the deletions that are refused."""
        return bool(self.refusal) and step.action in (Action.DELETE, Action.TIDY)

    def due(self) -> list[Step]:
        """Return the steps that change something there."""
        idle = (Action.UNCHANGED, Action.SKIP, Action.FAIL)
        return [one for one in self.steps if one.action not in idle and not self.is_refused(one)]


@dataclass(slots=True)
class RunReport:
    """A whole run."""

    dry_run: bool
    datasets: list[DatasetReport] = field(default_factory=list)

    @property
    def totals(self) -> dict[str, int]:
        """How many records ended how."""
        summed: Counter[Outcome] = Counter()
        for one in self.datasets:
            summed.update(one.totals())
        return {str(one): summed[one] for one in TOTALS}

    @property
    def exit_code(self) -> int:
        """0 if all is well, 1 if something failed or was refused, 2 if no write at all was allowed."""
        if any(one.refused_writes for one in self.datasets) and not any(one.wrote for one in self.datasets):
            return 2
        wrong = self.totals[Outcome.FAILED] or any(one.refusal for one in self.datasets)
        return 1 if wrong else 0

    def problems(self) -> list[str]:
        """Return in a line each what did not go well."""
        refused = [one.dataset for one in self.datasets if one.refused_writes]
        found = [refused_writes(refused)] if refused else []
        for one in self.datasets:
            found += [f"{one.dataset}: {one.error}"] if one.error and not one.refused_writes else []
            found += [f"{one.dataset}: deletions refused: {one.refusal}"] if one.refusal else []
            found += [
                ": ".join(
                    filter(
                        None, (one.dataset, step.oid or step.file or step.location, step.error or step.reason)
                    )
                )
                for step in one.steps
                if step.outcome is Outcome.FAILED
            ]
        return found

    def to_json(self) -> dict[str, Any]:
        """Return it as scripts read it."""
        datasets = [_dataset_to_json(one) for one in self.datasets]
        return {"dry_run": self.dry_run, "totals": self.totals, "datasets": datasets}


def refused_writes(datasets: Sequence[str]) -> str:
    """Return the message for datasets that may not be written to at all, with what that may come from."""
    names = ", ".join(f"'{name}'" for name in datasets)
    return (
        f"The virtual observatory refuses all writes to {names} (401): the key may be wrong, the user may lack the"
        " permission to write records or locations, or may not be in the group of the dataset."
    )


def _dataset_to_json(one: DatasetReport) -> dict[str, Any]:
    steps = [_step_to_json(step) for step in one.steps if step.action is not Action.UNCHANGED]
    totals = one.totals()
    return {
        "dataset": one.dataset,
        "local": one.local,
        "remote": one.remote,
        "totals": {str(name): totals[name] for name in TOTALS},
        "refusal": one.refusal or None,
        "error": one.error or None,
        "steps": steps,
    }


def _step_to_json(step: Step) -> dict[str, Any]:
    return {
        "action": str(step.action),
        "oid": step.oid or None,
        "file": step.file or None,
        "location": step.location,
        "reason": step.reason or None,
        "changes": [{"field": one.field, "old": one.old, "new": one.new} for one in step.differences],
        "warnings": list(step.warnings),
        "outcome": str(step.outcome) if step.outcome else None,
        "error": step.error or None,
    }
