"""What the engine of work promises, as a plain model: the runs of unique keys, and what moves make of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from armillary.base.work import Merging
from armillary.base.work.statements import SUSPECT
from tests.support.postgres import work_settings
from tests.support.puppets import MOST_ATTEMPTS

POLICY = Merging(sticky=("force",), optional=("owners",), keep=True)
PERIODIC = "periodic"
KEYS = ("a", "b", PERIODIC)
"""Unique keys; the orders of the last come from a period alone."""
DEATHS_ATTEMPTS = work_settings().work.max_attempts
"""The attempts of orders that say nothing of them: who takes over an order need not know its kind."""
MOST_DEATHS = DEATHS_ATTEMPTS * SUSPECT


@dataclass
class Run:
    """One run of a unique key, as the model has it; each is a row of the database."""

    id: int
    args: dict[str, Any]
    revision: int
    state: str = "Queued"
    attempts: int = 0
    claims: int = 0
    code: str | None = None
    step: str | None = None
    steps: list[tuple[str, str]] | None = None
    cancelled: bool = False
    held: bool = False

    def row(self) -> tuple[Any, ...]:
        """Return what the database should have."""
        return (self.id, self.state, self.args, self.revision, self.attempts, self.code, self.step, self.steps,
                self.cancelled, self.held)  # fmt: skip


@dataclass
class Model:
    """What the engine promises, in memory: runs by unique key, oldest first."""

    runs: dict[str, list[Run]] = field(default_factory=lambda: {key: [] for key in KEYS})
    period_is_over: bool = True
    """Whether a periodic order is due: at first, and as often as its period is over, once."""

    def submit(self, key: str, args: dict[str, Any], number: int) -> None:
        """Merge with what waits, or wait behind what runs."""
        last = self.runs[key][-1] if self.runs[key] else None
        if last and last.state == "Queued":
            assert number == last.id
            last.args, last.revision = dict(POLICY.merged(last.args, args)), last.revision + 1
            return
        self.runs[key].append(Run(number, args, last.revision + 1 if last else 1))

    def due(self) -> list[Run]:
        """Return the orders of which one is next: of each key the oldest."""
        unfinished = [
            [run for run in runs if run.state in ("Queued", "Started")] for runs in self.runs.values()
        ]
        return [runs[0] for runs in unfinished if runs]

    def claim(self, key: str, run: Run) -> None:
        """Begin an attempt, which has made no steps yet, the first one with what a failed run left behind."""
        assert run.state == "Queued"
        runs = self.runs[key]
        run.state, run.step, run.steps = "Started", None, None
        # One that was cancelled before it ever ran has taken nothing over from those before it.
        later = run
        for before in sorted((one for one in runs if one.id < run.id), key=lambda one: -one.id):
            if later.claims > 0 or before.state != "Failed":
                break
            run.args, later = dict(POLICY.merged(before.args, run.args)), before
        run.attempts, run.claims = run.attempts + 1, run.claims + 1
        # Of what waits for room the reason stays, as far as anybody knows.
        run.code = run.code if run.held else None

    def end(self, run: Run, how: str) -> None:
        """Let an attempt end as told."""
        run.held = False
        match how:
            case "complete" | "transact":
                run.state, run.code, run.step = "Completed", None, None
            case "refuse":
                self.fail(run, "bad_request")
            case "fail" if run.attempts >= MOST_ATTEMPTS:
                self.fail(run, "unavailable")
            case "fail":
                self.again(run, "unavailable", counted=True)
            case "wait":
                self.again(run, "storage_full", counted=False, held=True)
            case "postpone":
                self.again(run, None, counted=False)

    def again(self, run: Run, code: str | None, *, counted: bool, held: bool = False) -> None:
        """Put a run back into the queue, unless it was cancelled."""
        run.attempts -= 0 if counted else 1
        if run.cancelled:
            self.fail(run, "order_cancelled")
        else:
            run.state, run.code, run.held = "Queued", code, held

    def fail(self, run: Run, code: str) -> None:
        """End a run without success."""
        run.state, run.code, run.held = "Failed", code, False

    def take_over(self, run: Run) -> None:
        """Put a run back whose worker was killed; only if that happened too often it is an attempt."""
        run.held = False
        suspect = run.claims > MOST_DEATHS
        if suspect and run.attempts >= DEATHS_ATTEMPTS:
            self.fail(run, "worker_lost")
        else:
            self.again(run, "worker_lost", counted=suspect)
