"""A simulated night: its samples as they arrive, and the headers that they should lead to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from armillary.demo.telemetry.channels import Timed, samples_of
from armillary.demo.telemetry.instruments import INSTRUMENTS, Instrument
from armillary.demo.telemetry.plan import Plan, plan_night
from armillary.demo.telemetry.state import State
from armillary.demo.telemetry.truth import Expected, truth_of


@dataclass(frozen=True, slots=True)
class Night:
    """What was planned, and the devices that it was planned for."""

    plan: Plan
    state: State

    def samples(self) -> Iterator[Timed]:
        """Yield what all devices say in the order of arrival: the same every time."""
        return samples_of(self.plan, self.state)

    def truth(self) -> list[Expected]:
        """Return what each header should say."""
        return truth_of(self.plan, self.state)


def simulate(instrument: str, seed: int, exposures: int, *, start: int | None = None) -> Night:
    """Return a night of so many images of an instrument of ``INSTRUMENTS``; equal seeds give equal nights.

    Its day follows from the seed; with a ``start`` (TAI ns) the night begins then, as for a demonstration.

    Raises
    ------
    LookupError
        If there is no such instrument.
    """
    found: Instrument | None = INSTRUMENTS.get(instrument)
    if found is None:
        raise LookupError(f"no instrument '{instrument}' is simulated; there are {', '.join(INSTRUMENTS)}")
    plan = plan_night(found, seed, max(1, exposures), start=start)
    return Night(plan, State(plan))
