"""One rendering: the samples of an exposure, and what routes find in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from armillary.base.bus.models import Identity, Stored
from armillary.headers.models import Reason
from armillary.headers.recipes.models import SECOND, Instant, Pick, Recipe, Window
from armillary.headers.render.extraction import Payload, Shaped, Undefined
from armillary.headers.render.models import Exposure, Finding, Provenance, Scalar
from armillary.headers.render.picking import (
    Blocks,
    Candidate,
    Picked,
    between,
    pick_at,
    pick_within,
    reduced,
    too_old,
)
from armillary.headers.render.results import Column, Found, Result, shown
from armillary.headers.render.routes import Route, time_of

Answer = Sequence[Stored] | None
"""What the bus says to a question; None where it could not be asked."""


class Refused(Undefined):
    """A sample was found but does not count: it is too old or has expired."""

    def __init__(self, reason: Reason, one: Candidate) -> None:
        super().__init__(reason)
        self.candidate = one


class Run:
    """The samples of an exposure and the detectors it has.

    Parameters
    ----------
    answers
        Per ask of the plan the answers to its questions: none if its moment is unknown.
    """

    def __init__(self, recipe: Recipe, exposure: Exposure, answers: Sequence[Sequence[Answer]]) -> None:
        self.recipe, self.exposure = recipe, exposure
        self.detectors: tuple[str, ...] = ()
        self.used: set[Identity] = set()
        self.findings: list[Finding] = []
        self._answers, self._blocks = answers, Blocks()
        self._times: dict[Instant, int | None] = {}
        self._events: dict[str, Candidate | None] = {}

    def note(self, rule: str, severity: str, key: str, text: str) -> None:
        """Remember what is odd."""
        self.findings.append(Finding(rule, severity, key, text))

    def time(self, at: Instant) -> int | None:
        """Return when a moment was."""
        if at not in self._times:
            self._times[at] = time_of(self.recipe, self.exposure, at)
        return self._times[at]

    def result(self, key: str, route: Route) -> Result:
        """Return what a route finds: a value or a column; never raises."""
        shaped = Shaped()
        found = self._column(route, shaped) if route.column else self._scalar(route, shaped)
        if shaped.noted:
            self.note("shape", "note", key, "A single value stands for a list, or the reverse.")
        return found

    def _scalar(self, route: Route, shaped: Shaped) -> Found:
        raw: Any = None
        picked = Picked(())
        try:
            picked = self._pick(route)
            if route.pick is Pick.COUNT:
                value: Scalar = len(picked.candidates)
            elif len(picked.candidates) == 1 and not route.computes:
                raw = _single(self._read(route, picked.candidates[0], shaped), shaped)
                value = route.finish(raw)
            else:
                raws = [_tried(self._read, route, one, shaped) for one in picked.candidates]
                raw, value, picked = _computed(route, picked, raws, shaped)
            return Found(value, None, self._provenance(route, picked), shown(raw))
        except Refused as refused:
            raw = _tried(self._read, route, refused.candidate, shaped)
            origin = self._provenance(route, Picked((refused.candidate,)))
            return Found(None, refused.reason, origin, shown(raw))
        except Undefined as undefined:
            raw = undefined.raw if undefined.raw is not None else raw
            return Found(None, undefined.reason, self._provenance(route, picked), shown(raw))

    def _column(self, route: Route, shaped: Shaped) -> Column:
        picked = Picked(())
        try:
            picked = self._pick(route)
            origin = self._provenance(route, picked)
            if len(picked.candidates) == 1 and not route.computes:
                items = self._items(route, picked.candidates[0], shaped)
                values = route.bulk(items) if route.bulk and items else None
                if values is not None:
                    return Column(values, None, origin, items)
                return _finished(route.finish, items, origin)
            return self._columns(route, picked, origin, shaped)
        except Refused as refused:
            origin = self._provenance(route, Picked((refused.candidate,)))
            return self._nothing(refused.reason, origin, None)
        except Undefined as undefined:
            origin = self._provenance(route, picked)
            return self._nothing(undefined.reason, origin, shown(undefined.raw))

    def _columns(self, route: Route, picked: Picked, origin: Provenance, shaped: Shaped) -> Column:
        """Return what each detector's values of several samples come to."""
        table = [self._items(route, one, shaped) for one in picked.candidates]
        cells: list[tuple[Scalar, Reason | None]] = []
        for row in zip(*table, strict=True):
            try:
                _, value, _ = _computed(route, picked, list(row), shaped)
                cells.append((value, None))
            except Undefined as undefined:
                cells.append((None, undefined.reason))
        reasons: list[Reason | None] = [reason for _, reason in cells]
        return Column(
            [value for value, _ in cells], reasons if any(reasons) else None, origin, [None] * len(cells)
        )

    def _nothing(self, reason: Reason, origin: Provenance, raw: Any) -> Column:
        count = len(self.detectors)
        return Column([None] * count, [reason] * count, origin, [raw] * count)

    def _items(self, route: Route, one: Candidate, shaped: Shaped) -> list[Any]:
        assert route.column is not None
        if one.place is not None:
            raise Undefined(Reason.EXTRACTION_ERROR)
        return route.column(one.sample.payload, self.detectors, shaped)

    def payload(self, route: Route) -> Payload | None:
        """Return the payload that a route comes to, or None."""
        try:
            return self._pick(route).candidates[-1].sample.payload
        except Undefined:
            return None

    def _read(self, route: Route, one: Candidate, shaped: Shaped) -> Any:
        assert route.read is not None
        value = route.read(one.sample.payload, shaped)
        if one.place is None:
            return value
        if not isinstance(value, list):
            raise Undefined(Reason.TYPE, value)
        assert route.times is not None
        if len(value) != len(route.times(one.sample.payload)):
            raise Undefined(Reason.LENGTH_MISMATCH)
        return value[one.place]

    def _pick(self, route: Route) -> Picked:
        """Return the samples that a route is about.

        Raises
        ------
        Undefined
            If there are none, or none that counts.
        """
        if route.moment is not None:
            return Picked((self._event(route.moment),))
        assert route.ask is not None
        answers = self._answers[route.ask]
        if not answers:
            # The moment itself is unknown: what says it was expected and is not in.
            raise Undefined(Reason.LATE)
        if any(one is None for one in answers):
            raise Undefined(Reason.SOURCE_ERROR)
        samples = answers[0] or ()
        if route.source.match is not None:
            if samples:
                return self._use(Picked((Candidate(samples[-1].t_event, samples[-1]),)))
            raise Undefined(Reason.IMAGE_MISMATCH if answers[1] else Reason.NEVER_SEEN)
        if isinstance(route.at, Window):
            opening, closing = self.time(route.at.opening), self.time(route.at.closing)
            assert opening is not None
            assert closing is not None
            return self._use(pick_within(route, samples, opening, closing, self._blocks))
        t = self.time(route.at)
        assert t is not None
        picked = pick_at(route, samples, t, self._blocks)
        refusal = too_old(route, picked.candidates[0], t)
        if refusal is not None:
            raise Refused(refusal, picked.candidates[0])
        return self._use(picked)

    def _use(self, picked: Picked) -> Picked:
        self.used.update(one.sample.identity for one in picked.candidates)
        return picked

    def _event(self, name: str) -> Candidate:
        """Return the event of a moment, known by image id.

        Raises
        ------
        Undefined
            ``late`` if it is not in.
        """
        moment, payload = self.exposure.moments.get(name), self.exposure.payloads.get(name)
        if payload is None:
            raise Undefined(Reason.LATE)
        if name not in self._events:
            source, epoch, topic, seq = (moment and moment.sample) or ("", "", "", 0)
            t = (moment.t if moment else None) or 0
            self._events[name] = Candidate(
                t,
                Stored(source, topic, epoch, seq, payload, "event", t_event=t, offset=0, t_received=t),
            )
        found = self._events[name]
        assert found is not None
        return found

    def _provenance(self, route: Route, picked: Picked) -> Provenance:
        at = route.at.closing if isinstance(route.at, Window) else route.at
        t = self.time(at)
        last = picked.candidates[-1] if picked.candidates else None
        if route.pick is Pick.INTERP and picked.candidates:
            last = picked.candidates[0]
        return Provenance(
            route.component,
            route.source.topic,
            route.field_text,
            last.sample.seq if last else None,
            last.t if last else None,
            (t - last.t) / SECOND if last and t is not None else None,
            route.at_text,
            route.pick.value,
        )


def _single(raw: Any, shaped: Shaped) -> Any:
    """Return the item of a list of one."""
    if isinstance(raw, list | tuple) and len(raw) == 1:
        shaped.noted = True
        return raw[0]
    return raw


def _tried(read: Callable[..., Any], *arguments: Any) -> Any:
    """Return what was read, or why it was not as a value."""
    try:
        return read(*arguments)
    except Undefined as undefined:
        return undefined


def _computed(route: Route, picked: Picked, raws: list[Any], shaped: Shaped) -> tuple[Any, Scalar, Picked]:
    """Return the raw value or values, the value, and the samples that it is of.

    What is no number is left out of a statistic, as long as some number is left.
    """
    numbers: list[Any] = []
    kept: list[Candidate] = []
    reason = Reason.NEVER_SEEN
    if route.pick in (Pick.FIRST, Pick.LAST, Pick.ASOF):
        return raws[-1], route.finish(_defined(raws[-1])), picked
    if route.pick is Pick.COUNT:
        return None, len(raws), picked
    for one, raw in zip(picked.candidates, raws, strict=True):
        try:
            numbers.append(route.measure(_single(_defined(raw), shaped)))
            kept.append(one)
        except Undefined as undefined:
            reason = undefined.reason
    if not numbers or (route.pick is Pick.INTERP and len(numbers) < len(raws)):
        raise Undefined(reason, raws[0] if len(raws) == 1 else raws)
    if route.pick is Pick.INTERP:
        last = (
            numbers[-1] if len(numbers) == 1 else between(numbers[0], numbers[1], picked.share, route.angle)
        )
        return raws[0] if len(raws) == 1 else raws, route.complete(last), picked
    number = reduced(route.pick, numbers, route.angle)
    if route.pick in (Pick.MIN, Pick.MAX):
        place = numbers.index(number)
        return raws[picked.candidates.index(kept[place])], route.complete(number), Picked((kept[place],))
    return raws, route.complete(number), picked


def _defined(raw: Any) -> Any:
    if isinstance(raw, Undefined):
        raise raw
    return raw


def _finished(finish: Callable[[Any], Scalar], items: list[Any], origin: Provenance) -> Column:
    """Return the values of all detectors; where one fails, each by itself."""
    try:
        return Column([finish(one) for one in items], None, origin, _shown(items))
    except Undefined:
        pass
    values: list[Scalar] = []
    reasons: list[Reason | None] = []
    for one in items:
        try:
            values.append(finish(_defined(one)))
            reasons.append(None)
        except Undefined as undefined:
            values.append(None)
            reasons.append(undefined.reason)
    return Column(values, reasons, origin, _shown(items))


def _shown(items: list[Any]) -> list[Any]:
    return [one if type(one) is str and len(one) < 1000 else shown(one) for one in items]
