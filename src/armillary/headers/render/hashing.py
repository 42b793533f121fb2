"""What makes two headers the same: hashes of their content, and of the samples they are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from operator import attrgetter

import msgspec

from armillary.base.bus.models import Identity
from armillary.headers.render.body import parted
from armillary.headers.render.models import Card, Exposure, Hdu, Scalar

_KEY, _HASHED = attrgetter("key"), attrgetter("key", "value", "unit")
_encode = msgspec.json.Encoder().encode


def content_hash(hdus: Sequence[Hdu], volatile: Collection[str]) -> str:
    """Return the SHA-256 of the names of all HDUs and key, value and unit of their cards, in order.

    The JSON that is hashed is a list of lists: the name of an HDU, then key, value and unit of each card. Numbers
    have the shortest text that reads back as the same double, so it is the same everywhere.
    """
    left_out = frozenset(volatile)
    front, body = parted(hdus)
    texts = [_content(front, left_out)]
    if body is not None:
        texts.append(body.once(("content", left_out), lambda behind: _content(behind, left_out)))
    return hashlib.sha256(b"[" + b",".join(texts) + b"]").hexdigest()


def _content(hdus: Sequence[Hdu], left_out: frozenset[str]) -> bytes:
    """Return the items of the list that is hashed."""
    content: list[list[Scalar]] = []
    for hdu in hdus:
        cards: Iterable[Card] = hdu.cards
        if not left_out.isdisjoint(map(_KEY, hdu.cards)):
            cards = [one for one in hdu.cards if one.key not in left_out]
        content.append([hdu.name, *chain.from_iterable(map(_HASHED, cards))])
    return _encode(content)[1:-1]


def inputs_hash(exposure: Exposure, used: Collection[Identity]) -> str:
    """Return the SHA-256 of the identities of all samples that a header is made of, in their order."""
    events = {one.sample for one in exposure.moments.values() if one.sample is not None}
    return hashlib.sha256(_encode(sorted({*events, *used}))).hexdigest()
