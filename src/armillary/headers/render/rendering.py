"""Rendering: from questions to the bus to a finished header. Pure: no I/O, no clock, the same in every process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from armillary.base.bus.models import Question
from armillary.headers.models import Reason, Required
from armillary.headers.recipes.models import Recipe, Template
from armillary.headers.render.body import parted
from armillary.headers.render.cards import Deck
from armillary.headers.render.extraction import Shaped, Undefined, items_of
from armillary.headers.render.hashing import content_hash, inputs_hash
from armillary.headers.render.models import Card, Exposure, Hdu, Header, Missing, Moment
from armillary.headers.render.plan import Plan, plan_of
from armillary.headers.render.results import Column, Found
from armillary.headers.render.routes import question, time_of
from armillary.headers.render.run import Answer, Run
from armillary.headers.render.valuing import Values
from armillary.sky import sidereal
from armillary.sky.instants import observing_day

_FIELD = re.compile(r"\{([a-z_]+)(?::(\d+))?\}")


@dataclass(slots=True)
class _Counts:
    """How many required cards are defined, and apply; those that are missing, each once, in order."""

    defined: dict[Required, int] = field(default_factory=lambda: dict.fromkeys(Required, 0))
    applicable: dict[Required, int] = field(default_factory=lambda: dict.fromkeys(Required, 0))
    missing: dict[tuple[str, Reason], None] = field(default_factory=dict)


def questions(recipe: Recipe, template: Template, exposure: Exposure) -> list[Question]:
    """Return what the bus has to be asked to render an exposure; one round trip answers it."""
    return [one for some in _questions(plan_of(recipe, template), exposure) for one in some]


def prepare(recipe: Recipe, template: Template, tai_ns: int) -> None:
    """Do beforehand what the first header of a configuration, or of a year, would wait for: up to a second."""
    plan_of(recipe, template)
    sidereal.prepare(tai_ns)


def _questions(plan: Plan, exposure: Exposure) -> list[tuple[Question, ...]]:
    return [question(plan.recipe, exposure, ask) for ask in plan.asks]


def _grouped(plan: Plan, exposure: Exposure, answers: Sequence[Answer]) -> list[list[Answer]]:
    """Return the answers by ask.

    Raises
    ------
    ValueError
        If there are not as many answers as questions.
    """
    wanted, found, place = _questions(plan, exposure), [], 0
    for some in wanted:
        found.append(list(answers[place : place + len(some)]))
        place += len(some)
    if place != len(answers):
        raise ValueError(f"{len(answers)} answers to {place} questions")
    return found


def pending(recipe: Recipe, template: Template, exposure: Exposure, answers: Sequence[Answer]) -> bool:
    """Tell whether a `settle` is open: no sample behind the moment shows yet that nothing before it is missing.

    Whoever asks waits until the end of the exposure is D1 ago at most.
    """
    plan = plan_of(recipe, template)
    if not plan.settling:
        return False
    grouped = _grouped(plan, exposure, answers)
    for route in plan.settling:
        assert route.ask is not None
        at = route.at.closing if hasattr(route.at, "closing") else route.at
        t = time_of(recipe, exposure, at)
        samples = grouped[route.ask][0] if grouped[route.ask] else None
        if t is not None and samples is not None and not any(one.t_event > t for one in samples):
            return True
    return False


def render(
    recipe: Recipe,
    template: Template,
    exposure: Exposure,
    answers: Sequence[Answer],
    *,
    created: int,
    deadline: bool = False,
) -> Header:
    """Render the header of an exposure.

    Parameters
    ----------
    answers
        Those to :func:`questions`, in their order; None where a question could not be asked.
    created
        TAI ns; is stored with the revision, so that rendering it again gives the same bytes.
    deadline
        Whether something was waited for in vain; it becomes a finding and changes no value.
    """
    plan = plan_of(recipe, template)
    run = Run(recipe, exposure, _grouped(plan, exposure, answers))
    run.detectors = _detectors(plan, run)
    if deadline:
        run.note("deadline", "warning", "", "The deadline passed before everything expected was in.")
    values = Values(plan, run, created)
    hdus = Deck(plan, run, values).hdus()
    _note_texts(run, plan, values)
    defined, applicable, missing = _completeness(plan, hdus)
    day_obs, seq_num = _identity(plan, run, values)
    return Header(
        instrument=recipe.instrument,
        image_id=exposure.image_id,
        product=template.product,
        day_obs=day_obs,
        seq_num=seq_num,
        hdus=hdus,
        moments=_moments(plan, exposure),
        findings=run.findings,
        missing=missing,
        complete=defined[Required.INGEST] == applicable[Required.INGEST],
        science_complete=defined[Required.SCIENCE] == applicable[Required.SCIENCE],
        simulated=any(one.value is True and one.key.startswith("SIMULATE") for one in hdus[0].cards),
        content_hash=content_hash(hdus, template.volatile),
        inputs_hash=inputs_hash(exposure, run.used),
        config_rev=recipe.rev,
        template_rev=template.rev,
        created=created,
        completeness={
            one.value: defined[one] / applicable[one] if applicable[one] else 1.0
            for one in (Required.INGEST, Required.SCIENCE)
        },
        volatile=template.volatile,
    )


def _detectors(plan: Plan, run: Run) -> tuple[str, ...]:
    """Return the detectors that the camera names, else those of the configuration."""
    configured = plan.recipe.detectors
    if plan.detectors is not None and plan.detectors.read is not None:
        payload = run.payload(plan.detectors)
        try:
            ids = plan.detectors.read(payload, Shaped()) if payload is not None else ()
            named = tuple(str(one) for one in items_of(ids, configured.split, Shaped()) if one)
        except Undefined:
            named = ()
        if named and len(set(named)) == len(named):
            return named
        run.note(
            "detectors", "warning", "", "The camera names no detectors; those of the configuration are used."
        )
    return configured.fallback


def _moments(plan: Plan, exposure: Exposure) -> dict[str, Moment]:
    """Return the moments of the recipe in its order, and further ones of the exposure."""
    names = dict.fromkeys([*plan.recipe.moments, *exposure.moments])
    return {name: exposure.moments.get(name) or Moment(name) for name in names}


def _completeness(
    plan: Plan, hdus: Sequence[Hdu]
) -> tuple[dict[Required, int], dict[Required, int], list[Missing]]:
    """Return how many required cards are defined and how many apply, and those that are missing."""
    front, body = parted(hdus)
    counts = [_counted(plan, front)]
    if body is not None:
        counts.append(body.once("completeness", lambda behind: _counted(plan, behind)))
    defined, applicable = dict.fromkeys(Required, 0), dict.fromkeys(Required, 0)
    missing: dict[tuple[str, Reason], None] = {}
    for one in counts:
        for level in Required:
            defined[level] += one.defined[level]
            applicable[level] += one.applicable[level]
        missing |= one.missing
    return defined, applicable, [Missing(key, reason.value) for key, reason in missing]


def _counted(plan: Plan, hdus: Sequence[Hdu]) -> _Counts:
    found = _Counts()
    for level, one in _required(plan, hdus):
        if one.reason is Reason.NOT_APPLICABLE:
            continue
        found.applicable[level] += 1
        if one.reason is None:
            found.defined[level] += 1
        else:
            found.missing[one.key, one.reason] = None
    return found


def _required(plan: Plan, hdus: Sequence[Hdu]) -> Iterator[tuple[Required, Card]]:
    places = {
        hdu.level: [
            (place, one.required) for place, one in enumerate(hdu.cards) if one.required != Required.NONE
        ]
        for hdu in plan.hdus
    }
    for hdu in hdus:
        for place, required in places[hdu.level]:
            yield required, hdu.cards[place]


def _note_texts(run: Run, plan: Plan, values: Values) -> None:
    """Flag texts that stand in the header in other letters, and columns of a wrong length."""
    for hdu in plan.hdus:
        for card in hdu.cards:
            if card.geometry or card.fixed is not None:
                continue
            found = values.of(card.key)
            raws = [found.raw] if isinstance(found, Found) else found.raws
            if found_text(raws):
                run.note("transliterated", "note", card.key, "The text has letters that FITS cannot carry.")
            if isinstance(found, Column) and found.reasons and found.reasons[0] is Reason.LENGTH_MISMATCH:
                run.note(
                    "detectors", "error", card.key, "The number of values is not that of their detectors."
                )


def found_text(raws: Sequence[object]) -> bool:
    """Tell whether a text among raw values has other letters than ASCII."""
    try:
        return not "".join(raws).isascii()  # type: ignore[arg-type]  # most columns are texts
    except TypeError:
        return any(type(one) is str and not one.isascii() for one in raws)


@lru_cache(maxsize=64)
def _pattern(text: str) -> re.Pattern[str]:
    """Return the expression of a pattern of image ids: ``{name}`` is any text, ``{name:8}`` eight digits."""
    parts, end = [], 0
    for found in _FIELD.finditer(text):
        parts.append(re.escape(text[end : found.start()]))
        parts.append(f"(?P<{found[1]}>" + (rf"[0-9]{{{found[2]}}})" if found[2] else ".+?)"))
        end = found.end()
    return re.compile("".join(parts) + re.escape(text[end:]))


def image_parts(pattern: str, image_id: str) -> dict[str, str]:
    """Return the parts of an image id; empty if it has another form."""
    found = _pattern(pattern).fullmatch(image_id)
    return found.groupdict() if found else {}


def _identity(plan: Plan, run: Run, values: Values) -> tuple[int, int]:
    """Return day and number of the image: those of its id, else of its cards, else the day it was begun."""
    parts = image_parts(plan.recipe.image_id.pattern, run.exposure.image_id)
    day = _digits(parts.get("day")) or _digits(values.scalar("DAYOBS"))
    number = _digits(parts.get("seq"))
    if number is None:
        number = _digits(values.scalar("SEQNUM")) or 0
    if not day:
        known = [one.t for one in run.exposure.moments.values() if one.t is not None]
        day = observing_day(min(known)) if known else 0
    return day, number


def _digits(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if type(value) is int else None
