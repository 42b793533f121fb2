"""Making headers again: of equal samples comes an equal one, which need not be rendered to know that."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import msgspec

from armillary.headers.delivery.making import Inputs
from armillary.headers.exposures.models import Latest

REMEMBERED = 1000
"""Headers of which it is known what they are made of; others are rendered, and compared."""


class Repeats:
    """Of what the latest revisions were made, by exposure and product; what an earlier process made is unknown."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, str], tuple[bytes, str]] = OrderedDict()

    def is_one(self, exposure: int, product: str, inputs: Inputs, latest: Latest | None) -> bool:
        """Tell whether a header would have the content of the latest revision, since it is made of the same."""
        known = self._known.get((exposure, product))
        return known is not None and latest is not None and known == (_digest(inputs), latest.content_hash)

    def note(self, exposure: int, product: str, inputs: Inputs, content_hash: str) -> None:
        """Remember of what a header was made."""
        self._known[exposure, product] = _digest(inputs), content_hash
        self._known.move_to_end((exposure, product))
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _digest(inputs: Inputs) -> bytes:
    """Return what tells samples, moments and configuration from all others."""
    samples = [[one.offset for one in some] for some in inputs.answers]
    revs = inputs.recipe.rev, inputs.template.rev
    content = msgspec.json.encode((revs, inputs.exposure.moments, samples, inputs.deadline))
    return hashlib.sha256(content).digest()
