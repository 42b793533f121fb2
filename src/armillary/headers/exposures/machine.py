"""How events move an exposure: pure, and with one result in whatever order they come.

States only rise by events; a step that was lost is left out. What an event tells twice has no effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from armillary.headers.exposures.models import Because, Exposure, ExposureState, Seen, Step
from armillary.headers.recipes.models import MomentEntry, Recipe

START, END, ABORT = "integration_start", "end", "abort"
SECOND = 1_000_000_000
MOST_NAME = 128
_REACHED = {
    START: ExposureState.INTEGRATING,
    "shutter_open": ExposureState.INTEGRATING,
    "shutter_close": ExposureState.INTEGRATING,
    "readout_start": ExposureState.READOUT,
    "readout_end": ExposureState.READOUT,
    END: ExposureState.TELEMETRY_DONE,
    ABORT: ExposureState.ABORTED,
}
_RANKS = (ExposureState.OPEN, ExposureState.INTEGRATING, ExposureState.READOUT, ExposureState.TELEMETRY_DONE)
_FIRST_RETRY, _LAST_RETRY, MOST_ATTEMPTS = SECOND, 300 * SECOND, 20
Events = Mapping[tuple[str, str], Sequence[tuple[str, MomentEntry]]]
"""The moments that an event may be, by its source and topic."""


def events_of(recipe: Recipe) -> Events:
    """Return which events are moments of exposures."""
    found: dict[tuple[str, str], list[tuple[str, MomentEntry]]] = {}
    for name, entry in recipe.moments.items():
        component = recipe.sources[entry.source].component
        found.setdefault((component, entry.topic), []).append((name, entry))
    return found


def value_at(payload: Mapping[str, Any], path: str) -> Any:
    """Return what is at a dotted path of a payload, None if nothing is."""
    found: Any = payload
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def image_of(entry: MomentEntry, payload: Mapping[str, Any]) -> str | None:
    """Return the id of the image that an event names, None if it names none that can be kept."""
    found = value_at(payload, entry.id)
    if not isinstance(found, str) or not found.isprintable() or "/" in found:
        return None
    return found if 0 < len(found) <= MOST_NAME and found.strip() == found else None


def place_of(takes: Sequence[Exposure], moment: str, seen: Seen) -> Exposure | None:
    """Return the exposure of an image id that an event belongs to; None if it begins another one.

    ``takes`` are those that bear the id, in the order in which they came: more than one only where it was used
    again.
    """
    if moment == START:
        return next((one for one in takes if _may_start_at(one, seen.t)), None)
    begun = [one for one in takes if (start := one.moments.get(START)) and start.t <= seen.t]
    if begun:
        return max(begun, key=lambda one: one.moments[START].t)
    return next((one for one in takes if START not in one.moments), takes[-1] if takes else None)


def _may_start_at(exposure: Exposure, t: int) -> bool:
    start = exposure.moments.get(START)
    if start is not None:
        return start.t == t
    return t <= exposure.first_t


def name_of(named: str, before: int) -> str:
    """Return under which id an exposure is kept if so many bear the same one already."""
    return f"{named}~{before + 1}" if before else named


def absorb(exposure: Exposure, moment: str, seen: Seen, recipe: Recipe) -> tuple[Exposure, list[Step]]:
    """Return an exposure after an event, and the steps that it made; the same one if nothing is new."""
    known = exposure.moments.get(moment)
    if known is not None and known.order <= seen.order:
        return exposure, []
    moments = exposure.moments | {moment: seen}
    cause = f"{moment} {seen.source} {seen.topic} {seen.epoch} {seen.seq}"
    steps = [Step(ExposureState.OPEN, cause)] if not exposure.changed else []
    reached, state = _REACHED.get(moment, ExposureState.OPEN), exposure.state
    if reached is ExposureState.ABORTED or (
        reached in _RANKS and state in _RANKS and _higher(reached, state)
    ):
        state = reached
        steps.append(Step(reached, cause))
    moved = replace(exposure, moments=moments, state=state, changed=exposure.changed + 1)
    return schedule(moved, recipe), steps


def _higher(one: ExposureState, other: ExposureState) -> bool:
    return _RANKS.index(one) > _RANKS.index(other)


def schedule(exposure: Exposure, recipe: Recipe) -> Exposure:
    """Return an exposure with the instant at which its next header is to be made by what it has not seen yet."""
    if exposure.state is ExposureState.ABORTED:
        return replace(exposure, due=None, because=None)
    if END in exposure.moments:
        return replace(exposure, due=exposure.moments[END].received, because=Because.END)
    if exposure.latest:
        newest = max(one.received for one in exposure.moments.values())
        return replace(exposure, due=newest, because=Because.LATE)
    return replace(exposure, due=deadline_of(exposure, recipe), because=Because.DEADLINE)


def deadline_of(exposure: Exposure, recipe: Recipe) -> int:
    """Return when an exposure is closed whose end never comes, in TAI ns of the clock of the bus.

    It goes by arrivals, since clocks of sources may be wrong. An event that was lost may have told how long the
    exposure takes: then the ones that came count from their arrival.
    """
    timing = recipe.timing
    waits = [
        one.received + (length_of(one, recipe) if name == START else timing.margin)
        for name, one in exposure.moments.items()
    ]
    return max(waits, default=exposure.opened_at + timing.default) + timing.readout_grace


def length_of(start: Seen, recipe: Recipe) -> int:
    """Return after which time the end of an exposure is expected, in ns from its start."""
    entry, timing = recipe.moments[START], recipe.timing
    if (timeout := _seconds(start, entry.timeout)) is not None:
        return timeout
    if (exposure := _seconds(start, entry.exposure)) is not None:
        return exposure + timing.margin
    return timing.default


def _seconds(seen: Seen, path: str | None) -> int | None:
    found = value_at(seen.payload, path) if path else None
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 1e6:
        return None
    return round(found * SECOND)


def rendered(exposure: Exposure, recipe: Recipe, *, changed: int, now: int) -> Exposure:
    """Return an exposure of which a header has been made that saw ``changed`` changes of its moments."""
    done = replace(
        exposure,
        state=ExposureState.PUBLISHED,
        reason=None,
        attempts=0,
        rendered=max(changed, exposure.rendered),
    )
    if done.changed > done.rendered:
        # A late sample has said already when it is looked at again.
        return done if done.because is Because.LATE and done.due is not None else schedule(done, recipe)
    end = exposure.moments.get(END)
    again = (end.received if end else deadline_of(exposure, recipe)) + recipe.timing.d2
    return (
        replace(done, due=again, because=Because.D2) if now < again else replace(done, due=None, because=None)
    )


def touched(exposure: Exposure, *, due: int, building: bool) -> Exposure:
    """Return an exposure after a late sample that may concern it; the same one if it looks at it anyway.

    ``building`` says that a header is being made, which may have been begun without the sample.
    """
    if exposure.state is ExposureState.ABORTED or not (building or exposure.due is None):
        return exposure
    if building:
        exposure = replace(exposure, changed=exposure.changed + 1)
    # The first header is not kept waiting for samples that others may follow.
    wait = exposure.latest or exposure.due is None
    return replace(exposure, due=due, because=Because.LATE) if wait else exposure


def failed(exposure: Exposure, reason: str, *, now: int) -> Exposure:
    """Return an exposure whose header could not be made; it is tried again after a pause that doubles."""
    attempts = exposure.attempts + 1
    pause = min(_FIRST_RETRY * 2 ** (attempts - 1), _LAST_RETRY)
    due = now + pause if attempts < MOST_ATTEMPTS else None
    because = Because.RETRY if due is not None else None
    return replace(
        exposure, state=ExposureState.FAILED, reason=reason, attempts=attempts, due=due, because=because
    )
