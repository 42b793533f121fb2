"""Which of the samples, or what of them, a keyword is: as of an instant, between two, over a window."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import atan2, cos, fsum, pi, sin, sqrt
from statistics import median
from typing import Any

from armillary.base.bus.models import Stored
from armillary.headers.models import Reason
from armillary.headers.recipes.models import Pick
from armillary.headers.render.conversion import instant
from armillary.headers.render.extraction import Undefined
from armillary.headers.render.routes import Route


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sample that may be picked, with its instant; ``place`` is where in a block it stands."""

    t: int
    sample: Stored
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Picked:
    """The candidates a value is made of, and between two of them how far from the first to the second."""

    candidates: Sequence[Candidate]
    share: float = 0.0


class Blocks:
    """Instants of the items of blocks, each list read once for all keywords of a topic."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], list[int]] = {}

    def candidates(self, route: Route, samples: Sequence[Stored]) -> list[Candidate]:
        """Return the items of all blocks in order of time; of equal instants the later sample comes last."""
        found: list[Candidate] = []
        for sample in samples:
            times = self._times(route, sample)
            found += [Candidate(t, sample, place) for place, t in enumerate(times)]
        found.sort(key=lambda one: one.t)
        return found

    def latest(self, route: Route, samples: Sequence[Stored], t: int) -> Candidate | None:
        """Return the last item at an instant or before."""
        best: Candidate | None = None
        for sample in samples:
            times = self._times(route, sample)
            place = bisect_right(times, t) - 1
            if place >= 0 and (best is None or times[place] >= best.t):
                best = Candidate(times[place], sample, place)
        return best

    def _times(self, route: Route, sample: Stored) -> list[int]:
        assert route.source.block is not None
        assert route.times is not None
        name = (id(sample), route.source.block.times)
        if name not in self._known:
            values = route.times(sample.payload)
            if not isinstance(values, list):
                raise Undefined(Reason.TYPE, values)
            times = [instant(one, route.clock) for one in values]
            if any(later < earlier for earlier, later in pairwise(times)):
                raise Undefined(Reason.INVALID, values)
            self._known[name] = times
        return self._known[name]


def pick_at(route: Route, samples: Sequence[Stored], t: int, blocks: Blocks) -> Picked:
    """Return what is in force at an instant; for `interp`, also what follows it.

    Raises
    ------
    Undefined
        ``never_seen``.
    """
    if route.pick is Pick.INTERP:
        return _around(route, samples, t, blocks)
    if route.times is not None:
        found = blocks.latest(route, samples, t)
        if found is None:
            raise Undefined(Reason.NEVER_SEEN)
        return Picked((found,))
    for sample in reversed(samples):
        if sample.t_event <= t:
            return Picked((Candidate(sample.t_event, sample),))
    raise Undefined(Reason.NEVER_SEEN)


def _all(route: Route, samples: Sequence[Stored], blocks: Blocks) -> list[Candidate]:
    if route.times is not None:
        return blocks.candidates(route, samples)
    return [Candidate(one.t_event, one) for one in samples]


def _around(route: Route, samples: Sequence[Stored], t: int, blocks: Blocks) -> Picked:
    """Return the candidates before and behind an instant; the one before alone, if nothing follows it yet."""
    found = _all(route, samples, blocks)
    place = bisect_right(found, t, key=lambda one: one.t)
    if not place:
        raise Undefined(Reason.NEVER_SEEN)
    before = found[place - 1]
    if before.t == t or place == len(found):
        return Picked((before,))
    behind = found[place]
    return Picked((before, behind), (t - before.t) / (behind.t - before.t))


def pick_within(
    route: Route, samples: Sequence[Stored], opening: int, closing: int, blocks: Blocks
) -> Picked:
    """Return what was in force when a window opened, unless it had expired or was too old, and all since.

    Raises
    ------
    Undefined
        ``never_seen``, ``expired`` or ``stale`` if nothing is left.
    """
    found = _all(route, samples, blocks)
    first = bisect_left(found, opening, key=lambda one: one.t)
    stop = bisect_right(found, closing, key=lambda one: one.t)
    within = found[first:stop]
    reason = Reason.NEVER_SEEN
    # What begins with the window replaces what was in force.
    if first and not (within and within[0].t == opening):
        before = found[first - 1]
        refusal = too_old(route, before, opening)
        if refusal is None:
            within.insert(0, before)
        else:
            reason = refusal
    if not within:
        raise Undefined(reason)
    if route.pick is Pick.FIRST:
        return Picked(within[:1])
    return Picked(within[-1:] if route.pick in (Pick.LAST, Pick.ASOF) else within)


def too_old(route: Route, one: Candidate, t: int) -> Reason | None:
    """Return why what was in force does not count any more at an instant."""
    if one.sample.expires is not None and one.sample.expires <= t:
        return Reason.EXPIRED
    if route.max_age is not None and t - one.t > route.max_age:
        return Reason.STALE
    return None


def reduced(pick: Pick, values: Sequence[Any], angle: float | None = None) -> Any:
    """Return the statistic of numbers; mean and standard deviation are unweighted, the latter that of a sample.

    Raises
    ------
    Undefined
        ``derive_failed`` for the standard deviation of a single value.
    """
    match pick:
        case Pick.MIN:
            return min(values)
        case Pick.MAX:
            return max(values)
        case Pick.MEDIAN:
            return median(values)
        case Pick.MEAN:
            return fsum(values) / len(values) if angle is None else _mean_angle(values, angle)
    mean = fsum(values) / len(values)
    if len(values) < 2:
        raise Undefined(Reason.DERIVE_FAILED)
    return sqrt(fsum((one - mean) ** 2 for one in values) / (len(values) - 1))


def _mean_angle(values: Sequence[float], turn: float) -> float:
    scale = 2.0 * pi / turn
    x, y = fsum(cos(one * scale) for one in values), fsum(sin(one * scale) for one in values)
    return round(atan2(y, x) / scale % turn, 9)


def between(first: float, second: float, share: float, turn: float | None) -> float:
    """Return the number between two; angles go the shorter way and stay within a turn."""
    if turn is None:
        return first + (second - first) * share
    step = (second - first + turn / 2.0) % turn - turn / 2.0
    return (first + step * share) % turn
