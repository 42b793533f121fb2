"""The moments of an exposure as a header sees them: those that came, and what stands in for the others."""

from __future__ import annotations

from armillary.headers.exposures.machine import END, START, length_of
from armillary.headers.exposures.models import Exposure, Seen
from armillary.headers.recipes.models import Recipe
from armillary.headers.render.models import Exposure as Rendered
from armillary.headers.render.models import Moment

ORDER = (START, "shutter_open", "shutter_close", "readout_start", "readout_end", END)
"""In which order they come; one that was lost is taken for the next that is known, or else for the one before."""


def as_rendered(exposure: Exposure, recipe: Recipe) -> Rendered:
    """Return what rendering has to know of an exposure."""
    moments = {name: _moment(exposure, recipe, name) for name in recipe.moments}
    payloads = {name: one.payload for name, one in exposure.moments.items()}
    return Rendered(exposure.instrument, exposure.named, moments, payloads)


def _moment(exposure: Exposure, recipe: Recipe, name: str) -> Moment:
    if name in exposure.moments:
        seen = exposure.moments[name]
        return Moment(name, seen.t, (seen.source, seen.epoch, seen.topic, seen.seq), None)
    if name == END:
        return Moment(name, _expected_end(exposure, recipe), None, "deadline")
    for other in _stand_ins(recipe, name):
        if other in exposure.moments:
            return Moment(name, exposure.moments[other].t, None, f"fallback:{other}")
    return Moment(name, None, None, "missing")


def _stand_ins(recipe: Recipe, name: str) -> list[str]:
    found: list[str] = []
    other = recipe.moments[name].otherwise
    # A moment may name one that names another; a circle ends where it began.
    while other is not None and other not in found and other in recipe.moments:
        found.append(other)
        other = recipe.moments[other].otherwise
    if name in ORDER:
        place = ORDER.index(name)
        found += [*ORDER[place + 1 :], *reversed(ORDER[:place])]
    return found


def _expected_end(exposure: Exposure, recipe: Recipe) -> int:
    start: Seen | None = exposure.moments.get(START)
    if start is not None:
        return max(start.t + length_of(start, recipe), exposure.last_t)
    return exposure.last_t + recipe.timing.margin
