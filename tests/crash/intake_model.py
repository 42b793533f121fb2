"""What the intake of cubes promises, as a plain model: files, orders, and the cubes that they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from armillary.archive.cubes.models import STEPS
from armillary.archive.intake.orders import OPTIONAL
from armillary.base.work import Merging
from tests.support.cube_puppets import END, MOST_ATTEMPTS

POLICY = Merging(sticky=("force", "verify"), optional=OPTIONAL, keep=True)
UNTIL_READ, UNTIL_PRODUCT = STEPS[:1], STEPS[:2]


@dataclass(frozen=True)
class Content:
    """What a file holds: equal numbers are equal bytes.

    ``oid`` is what its headers say, None if they do not make it a cube. ``made`` is the order of its DATE, that of
    its time stamp is its number.
    """

    number: int
    oid: str | None
    point: str
    made: int


@dataclass(frozen=True)
class Entry:
    """A cube on record."""

    path: str
    content: Content
    given: bool


@dataclass
class Run:
    """One run of a path; each is a row of the database."""

    id: int
    path: str
    options: dict[str, Any]
    state: str = "Queued"
    attempts: int = 0
    claims: int = 0
    code: str | None = None
    outcome: str | None = None
    cancelled: bool = False

    def row(self) -> tuple[Any, ...]:
        """Return what the database should have."""
        return (self.id, self.state, self.options, self.attempts, self.code, self.outcome)


@dataclass(frozen=True)
class Course:
    """How a run goes if nobody kills it: the steps that it begins, what it brings, the cubes afterwards."""

    steps: tuple[str, ...]
    outcome: str | None
    code: str | None
    cubes: dict[str, Entry]


@dataclass
class Model:
    """Files on the disk, runs by path, oldest first, and cubes by oid."""

    files: dict[str, Content] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    cubes: dict[str, Entry] = field(default_factory=dict)

    def of(self, path: str) -> list[Run]:
        """Return the runs of a path, oldest first."""
        return [run for run in self.runs if run.path == path]

    def submit(self, path: str, options: dict[str, Any], number: int) -> None:
        """Merge with what waits, or wait behind what runs."""
        runs = self.of(path)
        if runs and runs[-1].state == "Queued":
            assert number == runs[-1].id
            runs[-1].options = dict(POLICY.merged(runs[-1].options, options))
            return
        self.runs.append(Run(number, path, options))

    def next(self) -> Run | None:
        """Return the run that is claimed next: the oldest of which no earlier one of its path is unfinished."""
        unfinished = [run for run in self.runs if run.state in ("Queued", "Started")]
        firsts = [run for run in unfinished if run is next(r for r in unfinished if r.path == run.path)]
        return next((run for run in firsts if run.state == "Queued"), None)

    def claim(self, run: Run) -> None:
        """Begin an attempt, the first one with what failed runs left behind."""
        later = run
        for before in reversed([one for one in self.of(run.path) if one.id < run.id]):
            if later.claims > 0 or before.state != "Failed":
                break
            run.options, later = dict(POLICY.merged(before.options, run.options)), before
        run.state, run.attempts, run.claims, run.code = "Started", run.attempts + 1, run.claims + 1, None

    def course(self, run: Run) -> Course:
        """Return how a run goes."""
        content, here = self.files.get(run.path), {o: c for o, c in self.cubes.items() if c.path == run.path}
        if content is None or content.oid is None:
            return Course(UNTIL_READ, None, "cube_refused" if content else "file_vanished", self.cubes)
        given, force = run.options.get("oid"), bool(run.options.get("force"))
        if given and here and given not in here and not run.options.get("additional"):
            return Course(UNTIL_READ, None, "second_oid", self.cubes)
        kept = {oid for oid, one in here.items() if one.given}
        oids = {given, *here} if given else kept if kept and len(kept) == len(here) else {content.oid, *kept}
        others = [one for oid, one in self.cubes.items() if oid in oids and one.path != run.path]
        if not force and any(self._wins(one, content) for one in others):
            return Course(UNTIL_PRODUCT, "superseded", None, self.cubes)
        same = all((
            not force, not others, set(here) == oids, {one.content for one in here.values()} == {content},
            given is None or (given in here and here[given].given),
        ))  # fmt: skip
        cubes = {oid: one for oid, one in self.cubes.items() if oid not in here}
        for oid in oids:
            before = self.cubes.get(oid)
            cubes[oid] = Entry(run.path, content, oid == given or bool(before and before.given))
        return Course(STEPS, "skipped" if same else "ingested", None, cubes)

    def _wins(self, other: Entry, content: Content) -> bool:
        """Tell whether the file of a cube is newer than another one."""
        if other.path not in self.files:
            return False
        return (other.content.made, other.content.number) > (content.made, content.number)

    def end(self, run: Run, course: Course) -> None:
        """Let a run end as it goes."""
        run.state, run.code, run.outcome = (
            "Failed" if course.code else "Completed",
            course.code,
            course.outcome,
        )
        self.cubes = course.cubes

    def dies(self, course: Course, doomed: str | None) -> bool:
        """Tell whether a run that is to be killed at a step comes to it."""
        return doomed in course.steps or (doomed == END and course.code is None)

    def expire(self) -> None:
        """Take over what dead workers held."""
        for run in self.runs:
            if run.state == "Started":
                again = run.attempts < MOST_ATTEMPTS
                run.code = "order_cancelled" if again and run.cancelled else "worker_lost"
                run.state = "Queued" if again and not run.cancelled else "Failed"

    def cancel(self, run: Run) -> None:
        """Cancel a run: at once if it waits, and if its worker is dead when that is found out."""
        if run.state == "Started":
            run.cancelled = True
        else:
            run.state, run.code = "Failed", "order_cancelled"
