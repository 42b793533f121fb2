"""Headers as YAML, and correction files: written card by card, so that the same header has the same bytes."""

from __future__ import annotations

import json

from armillary.fits.values import write_float
from armillary.headers.models import Level
from armillary.headers.render.fitsfile import remark_of
from armillary.headers.render.models import Header, Scalar


def yaml_bytes(header: Header) -> bytes:
    """Return the HDUs of a header in order, each with key, value and comment of its cards."""
    lines = ["hdus:"]
    for hdu in header.hdus:
        lines.append(f"- name: {_word(hdu.name)}")
        lines.append("  cards:" if hdu.cards else "  cards: []")
        for card in hdu.cards:
            lines.append(f"  - key: {_word(card.key)}")
            lines.append(f"    value: {_word(card.value)}")
            lines.append(f"    comment: {_word(remark_of(card.unit, card.comment))}")
    return ("\n".join(lines) + "\n").encode("ascii")


def correction(new: Header, first: Header, *, detector: str | None = None) -> bytes:
    """Return what has changed since the first revision, as a flat map of keywords to their new values.

    It holds the cards of PRIMARY; with a detector those of its HDU as well. Volatile cards are left out. The
    file is named ``<instrument>-<obsid>.yaml``, as astro_metadata_translator looks for corrections.
    """
    before, after = _flat(first, detector), _flat(new, detector)
    changed = {
        key: value for key, value in after.items() if key not in before or not _same(before[key], value)
    }
    changed |= {key: None for key, value in before.items() if key not in after and value is not None}
    lines = [f"{_word(key)}: {_word(value)}\n" for key, value in changed.items()]
    return "".join(lines or ["{}\n"]).encode("ascii")


def _flat(header: Header, detector: str | None) -> dict[str, Scalar]:
    wanted = [one for one in header.hdus if one.level is Level.PRIMARY]
    if detector is not None:
        wanted += [one for one in header.hdus if one.level is Level.DETECTOR and one.detector == detector]
    return {card.key: card.value for hdu in wanted for card in hdu.cards if card.key not in header.volatile}


def _same(old: Scalar, new: Scalar) -> bool:
    return type(old) is type(new) and old == new


def _word(value: Scalar) -> str:
    """Return a scalar of YAML that every reader takes for the same type.

    A float has a point and a sign in its exponent: YAML 1.1 takes ``1e-05`` for a text.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return write_float(value).lower()
    return json.dumps(value)
