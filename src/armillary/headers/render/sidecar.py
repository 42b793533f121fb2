"""The JSON side-car of a header: every card with the origin of its value, and all that is known of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from armillary.headers.models import Level
from armillary.headers.render.body import parted
from armillary.headers.render.models import Card, Finding, Hdu, Header, Missing, Moment


class HduOutline(Struct, frozen=True):
    """An HDU without its cards, of which it has ``count``."""

    name: str
    count: int
    level: Level = Level.PRIMARY
    detector: str | None = None
    segment: str | None = None
    inherit: bool = False
    sections: tuple[tuple[int, str], ...] = ()


class Sidecar(Struct, frozen=True):
    """What the side-car holds, in the order of its keys."""

    instrument: str
    image_id: str
    product: str
    revision: int
    supersedes: int | None
    day_obs: int
    seq_num: int
    content_hash: str
    inputs_hash: str
    complete: bool
    science_complete: bool
    completeness: dict[str, float]
    simulated: bool
    missing: list[Missing]
    config_rev: str
    template_rev: str
    code_rev: str
    created: int
    volatile: tuple[str, ...]
    moments: dict[str, Moment]
    findings: list[Finding]
    hdus: list[HduOutline]
    cards: list[Card]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Sidecar)


def sidecar(header: Header, *, revision: int, supersedes: int | None) -> bytes:
    """Return the side-car of a revision of a header."""
    front, body = parted(header.hdus)
    outlines, cards = list[Any](map(_outline, front)), list[Any](_cards(front))
    if body is not None:
        # Several items of a list, with commas between them, are as good as one.
        for items, text in (
            (outlines, body.once("outlines", lambda behind: _items(list(map(_outline, behind))))),
            (cards, body.once("cards", lambda behind: _items(_cards(behind)))),
        ):
            items += [msgspec.Raw(text)] if text else []
    return _encoder.encode(_sidecar(header, outlines, cards, revision=revision, supersedes=supersedes))


def sidecar_of(header: Header, *, revision: int, supersedes: int | None) -> Sidecar:
    """Return the content of a side-car."""
    outlines = [_outline(one) for one in header.hdus]
    return _sidecar(header, outlines, _cards(header.hdus), revision=revision, supersedes=supersedes)


def _cards(hdus: Sequence[Hdu]) -> list[Card]:
    return [card for hdu in hdus for card in hdu.cards]


def _items(found: Sequence[Any]) -> bytes:
    return _encoder.encode(found)[1:-1]


def _sidecar(
    header: Header,
    outlines: list[HduOutline],
    cards: list[Card],
    *,
    revision: int,
    supersedes: int | None,
) -> Sidecar:
    return Sidecar(
        instrument=header.instrument,
        image_id=header.image_id,
        product=header.product,
        revision=revision,
        supersedes=supersedes,
        day_obs=header.day_obs,
        seq_num=header.seq_num,
        content_hash=header.content_hash,
        inputs_hash=header.inputs_hash,
        complete=header.complete,
        science_complete=header.science_complete,
        completeness=header.completeness,
        simulated=header.simulated,
        missing=header.missing,
        config_rev=header.config_rev,
        template_rev=header.template_rev,
        code_rev=header.code_rev,
        created=header.created,
        volatile=header.volatile,
        moments=header.moments,
        findings=header.findings,
        hdus=outlines,
        cards=cards,
    )


def _outline(one: Hdu) -> HduOutline:
    return HduOutline(
        one.name, len(one.cards), one.level, one.detector, one.segment, one.inherit, one.sections
    )


def read_sidecar(raw: bytes) -> Header:
    """Return the header of a side-car; it gives the same bytes in every form.

    Raises
    ------
    msgspec.DecodeError
        If it is not the side-car of a header.
    """
    found = _decoder.decode(raw)
    return Header(
        instrument=found.instrument,
        image_id=found.image_id,
        product=found.product,
        day_obs=found.day_obs,
        seq_num=found.seq_num,
        hdus=_hdus(found.hdus, found.cards),
        moments=found.moments,
        findings=found.findings,
        missing=found.missing,
        complete=found.complete,
        science_complete=found.science_complete,
        simulated=found.simulated,
        content_hash=found.content_hash,
        inputs_hash=found.inputs_hash,
        config_rev=found.config_rev,
        template_rev=found.template_rev,
        created=found.created,
        completeness=found.completeness,
        volatile=found.volatile,
        code_rev=found.code_rev,
    )


def _hdus(outlines: Sequence[HduOutline], cards: Sequence[Card]) -> list[Hdu]:
    hdus, place = [], 0
    for one in outlines:
        own = list(cards[place : place + one.count])
        hdus.append(Hdu(one.name, own, one.level, one.detector, one.segment, one.inherit, one.sections))
        place += one.count
    return hdus
