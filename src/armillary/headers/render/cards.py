"""From values to cards: columns are made whole, since a header of 205 detectors repeats each card 205 times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from armillary.headers.models import Level, Reason
from armillary.headers.render.body import Hdus
from armillary.headers.render.geometry import Readout, detector_cards, readout, segment_cards
from armillary.headers.render.models import (
    BUILT_IN,
    CONSTANT,
    DEFINED,
    UNDEFINED,
    Card,
    Hdu,
    Provenance,
    Scalar,
)
from armillary.headers.render.plan import CardPlan, HduPlan, Plan
from armillary.headers.render.results import Column, Found
from armillary.headers.render.routes import Route
from armillary.headers.render.run import Run
from armillary.headers.render.valuing import Values

_encode = msgspec.json.Encoder().encode
_FIXED = Provenance(CONSTANT, field="template")


class Deck:
    """Deals the cards of an exposure, HDU by HDU."""

    def __init__(self, plan: Plan, run: Run, values: Values) -> None:
        self._plan, self._run, self._values = plan, run, values
        self._detectors = run.detectors
        self._readouts: list[Readout | None] | None = None

    def hdus(self) -> Hdus:
        """Return PRIMARY, and for each detector its own HDU and then its segments."""
        front, behind = list[Hdu](), list[HduPlan]()
        for one in self._plan.hdus:
            if one.level is Level.PRIMARY:
                cards = [self._card(card) for card in one.cards]
                front.append(Hdu("PRIMARY", cards, sections=one.sections))
            else:
                behind.append(one)
        body = self._plan.bodies.get(self._made_of(behind), lambda: self._body(behind))
        return Hdus(front, body)

    def _made_of(self, plans: Sequence[HduPlan]) -> bytes:
        """Return a text of all that HDUs behind PRIMARY are made of, but for their plan; types tell, too."""
        found: list[Any] = [self._detectors]
        sizes: list[Readout | None] | None = None
        for one in plans:
            # In the order in which they are dealt, which is that of findings.
            late = one.level is Level.SEGMENT
            for card in sorted(one.cards, key=lambda card: card.geometry) if late else one.cards:
                if card.geometry:
                    sizes = self.readouts()
                elif card.fixed is None:
                    found.append(self._values.of(card.key))
        return _encode((found, sizes))

    def _body(self, plans: Sequence[HduPlan]) -> list[Hdu]:
        below: list[list[Hdu]] = [[] for _ in self._detectors]
        for one in plans:
            if one.level is Level.DETECTOR:
                for place, hdu in enumerate(self._of_detectors(one)):
                    below[place].append(hdu)
            else:
                for place, hdus in enumerate(self._of_segments(one)):
                    below[place] += hdus
        return [hdu for hdus in below for hdu in hdus]

    def _card(self, card: CardPlan) -> Card:
        if card.fixed is not None:
            found: Found | Column = Found(card.fixed, None, _FIXED)
        else:
            found = self._values.of(card.key)
        if isinstance(found, Column):
            # Only one detector's value could stand in PRIMARY, and lint refuses that.
            count = len(found.values)
            reason = found.reasons[0] if found.reasons and count else Reason.LENGTH_MISMATCH
            if count == 1 and found.reasons is None:
                return _made("PRIMARY", card, found.values[0], None, found.provenances()[0], found.raws[0])
            return _made(
                "PRIMARY", card, None, reason, found.provenances()[0] if count else Provenance(), None
            )
        return _made("PRIMARY", card, found.value, found.reason, found.provenance, found.raw)

    def _of_detectors(self, hdu: HduPlan) -> list[Hdu]:
        names = [hdu.name.replace("{detector}", one) for one in self._detectors]
        columns = [self._column(card, names) for card in hdu.cards]
        rows = zip(*columns, strict=True) if columns else [()] * len(names)
        return [
            Hdu(name, list(cards), Level.DETECTOR, detector, None, hdu.inherit, hdu.sections)
            for name, cards, detector in zip(names, rows, self._detectors, strict=True)
        ]

    def _column(self, card: CardPlan, names: Sequence[str]) -> list[Card]:
        """Return the card of each HDU of a list that has one for each detector."""
        key, unit, comment = card.key, card.unit, card.comment
        if card.geometry:
            return self._sizes(card, names)
        found = Found(card.fixed, None, _FIXED) if card.fixed is not None else self._values.of(key)
        if isinstance(found, Found):
            head, tail = _fields(found.reason, found.provenance, found.raw)
            return [Card(name, key, found.value, unit, comment, *head, *tail) for name in names]
        if found.reasons is None and isinstance(found.provenance, Provenance):
            one = found.provenance
            source, topic, place, seq = one.source, one.topic, one.field, one.seq
            time, age, at, pick, fallback = one.sample_time, one.age_s, one.at, one.pick, one.fallback
            return [
                Card(
                    name, key, value, unit, comment, DEFINED, None, source, topic, place, seq, time, age, at, pick,
                    fallback, raw,
                )
                for name, value, raw in zip(names, found.values, found.raws, strict=True)
            ]  # fmt: skip
        reasons = found.reasons or [None] * len(names)
        rows = zip(names, found.values, reasons, found.provenances(), found.raws, strict=True)
        return [_made(name, card, value, reason, origin, raw) for name, value, reason, origin, raw in rows]

    def _sizes(self, card: CardPlan, names: Sequence[str]) -> list[Card]:
        """Return a card of geometry of each detector; most detectors are read alike."""
        known: dict[Readout | None, tuple[Scalar, Reason | None, Provenance]] = {}
        cards = []
        for name, one in zip(names, self.readouts(), strict=True):
            if one not in known:
                value = detector_cards(one).get(card.key) if one else None
                known[one] = value, Reason.DERIVE_FAILED if value is None else None, _origin(one)
            cards.append(_made(name, card, *known[one], None))
        return cards

    def _of_segments(self, hdu: HduPlan) -> list[list[Hdu]]:
        """Return the HDUs of the segments of each detector."""
        found: list[list[Hdu]] = []
        plain = {card.key: self._column(card, self._detectors) for card in hdu.cards if not card.geometry}
        for place, (detector, one) in enumerate(zip(self._detectors, self.readouts(), strict=True)):
            stem, own = hdu.name.replace("{detector}", detector), []
            origin = _origin(one)
            for segment in hdu.segments:
                name = stem.replace("{segment}", segment)
                sizes = (segment_cards(one, segment) if one else None) or {}
                cards = []
                for card in hdu.cards:
                    if card.geometry:
                        value = sizes.get(card.key)
                        cards.append(
                            Card(
                                name, card.key, value, card.unit, card.comment, DEFINED, None, BUILT_IN, None,
                                origin.field,
                            )
                            if value is not None
                            else _made(name, card, None, Reason.DERIVE_FAILED, origin, None)
                        )  # fmt: skip
                    else:
                        cards.append(_renamed(plain[card.key][place], name))
                own.append(Hdu(name, cards, Level.SEGMENT, detector, segment, hdu.inherit, hdu.sections))
            found.append(own)
        return found

    def readouts(self) -> list[Readout | None]:
        """Return how each detector is read; None where its vendor is unknown."""
        if self._readouts is None:
            columns = {name: self._reading(way) for name, way in self._plan.geometry.items()}
            nothing: list[Scalar] = [None] * len(self._detectors)
            vendors, cols, rows, prescans = (
                columns.get(name, nothing) for name in ("vendor", "cols", "rows", "prescan")
            )
            self._readouts = [
                readout(str(vendor or ""), cols=_whole(h), rows=_whole(v), prescan=_whole(p))
                for vendor, h, v, p in zip(vendors, cols, rows, prescans, strict=True)
            ]
        return self._readouts

    def _reading(self, way: Route | Scalar) -> list[Scalar]:
        count = len(self._detectors)
        if not isinstance(way, Route):
            return [way] * count
        found = self._run.result("GEOMETRY", way)
        return [found.value] * count if isinstance(found, Found) else found.values


def _whole(value: Scalar) -> int | None:
    try:
        return None if value is None else int(value)
    except ValueError:
        return None


def _origin(one: Readout | None) -> Provenance:
    text = f"{one.vendor} {one.cols}x{one.rows} prescan {one.prescan}" if one else None
    return Provenance(BUILT_IN, field=text)


def _renamed(one: Card, hdu: str) -> Card:
    return Card(
        hdu, one.key, one.value, one.unit, one.comment, one.status, one.reason, one.source, one.topic, one.field,
        one.seq, one.sample_time, one.age_s, one.at, one.pick, one.fallback, one.raw,
    )  # fmt: skip


def _fields(reason: Reason | None, one: Provenance, raw: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    head = (DEFINED if reason is None else UNDEFINED, reason)
    return head, (
        one.source, one.topic, one.field, one.seq, one.sample_time, one.age_s, one.at, one.pick, one.fallback, raw,
    )  # fmt: skip


def _made(
    hdu: str, card: CardPlan, value: Scalar, reason: Reason | None, origin: Provenance, raw: Any
) -> Card:
    head, tail = _fields(reason, origin, raw)
    return Card(hdu, card.key, value, card.unit, card.comment, *head, *tail)
