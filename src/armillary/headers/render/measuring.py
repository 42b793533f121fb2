"""How long a header takes, beside dumping the same cards with PyYAML's pure-Python dumper."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import yaml
from msgspec import Struct
from msgspec.structs import replace

from armillary.headers.models import Level
from armillary.headers.recipes.models import Recipe, Template
from armillary.headers.render.fitsfile import fits_bytes, remark_of
from armillary.headers.render.models import Header
from armillary.headers.render.rendering import render
from armillary.headers.render.sidecar import sidecar
from armillary.headers.render.specimen import Specimen

_EXPOSURES = 5
"""Headers of different values that are rendered in turn, so that no cache knows them all."""
_PER_ROUND = 4


class Measured(Struct, frozen=True):
    """Seconds of one header: from answers to FITS and JSON, and of the dump."""

    cards: int
    render_s: float
    yaml_s: float
    ratio: float


class Contest:
    """The two that are measured: rendering an exposure to FITS and JSON, and dumping its cards."""

    def __init__(self, recipe: Recipe, template: Template, *, detectors: int | None = None) -> None:
        self._recipe, self._template = recipe, template
        specimens = [Specimen(recipe, template, detectors=detectors, number=n + 1) for n in range(_EXPOSURES)]
        self._turns = [(one.exposure, one.answers(), one.start) for one in specimens]
        self._turn = 0
        header = self._header()
        self.cards = sum(len(hdu.cards) for hdu in header.hdus)
        self._document = _document(header)

    def _header(self) -> Header:
        exposure, answers, created = self._turns[self._turn % len(self._turns)]
        self._turn += 1
        return render(self._recipe, self._template, exposure, answers, created=created)

    def ours(self) -> tuple[bytes, bytes]:
        """Render the next exposure to FITS and JSON."""
        header = self._header()
        return fits_bytes(header), sidecar(header, revision=1, supersedes=None)

    def peer(self) -> str:
        """Dump the cards of an exposure."""
        return str(yaml.dump(self._document, Dumper=yaml.SafeDumper, sort_keys=False))


def _document(header: Header) -> dict[str, Any]:
    """Return the content of the YAML form, which is what is dumped."""
    return {
        "hdus": [
            {
                "name": hdu.name,
                "cards": [
                    {"key": card.key, "value": card.value, "comment": remark_of(card.unit, card.comment)}
                    for card in hdu.cards
                ],
            }
            for hdu in header.hdus
        ]
    }


def with_segments(template: Template) -> Template:
    """Return a template whose amplifiers are listed."""
    hdus = dict(template.hdus)
    if Level.SEGMENT in hdus:
        hdus[Level.SEGMENT] = replace(hdus[Level.SEGMENT], enabled=True)
    return replace(template, hdus=hdus, rev=f"{template.rev}+segments")


def measure(
    recipe: Recipe, template: Template, *, rounds: int = 5, clock: Callable[[], float] = time.perf_counter
) -> Measured:
    """Return the medians of both, measured in turn so that a slow moment of the machine hits both alike."""
    contest = Contest(recipe, template)
    contest.ours()
    ours, peers = [], []
    for _ in range(rounds):
        for _ in range(_PER_ROUND):
            start = clock()
            contest.ours()
            ours.append(clock() - start)
        start = clock()
        contest.peer()
        peers.append(clock() - start)
    render_s, yaml_s = median(ours), median(peers)
    return Measured(contest.cards, render_s, yaml_s, yaml_s / render_s)
