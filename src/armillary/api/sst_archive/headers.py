"""The header of an HDU: its exact bytes, its cards as lines, or its cards with what they say as JSON."""

from __future__ import annotations

import json
from typing import Any

from armillary.api.sst_archive.documents import metadata_of, plain_value
from armillary.archive.catalog.models import Version
from armillary.fits.cards import body_of, split_cards
from armillary.fits.header import Header
from armillary.fits.models import CARD

FORMS = ("text", "fits", "json")


def header_as(form: str, version: Version, index: int) -> tuple[str, bytes]:
    """Return media type and content of the header of an HDU in a form.

    ``fits`` is the block with its padding, ``text`` the cards of 80 bytes up to END, each on a line. Both have the
    very bytes of the file, and so has what JSON calls ``header``, where each byte is a letter of Latin 1.
    """
    raw = version.headers()[index]
    match form:
        case "fits":
            return "application/fits", raw
        case "text":
            return "text/plain; charset=iso-8859-1", b"".join(card + b"\n" for card in _lines(raw))
    return "application/json", json.dumps(_document(version, index, raw), allow_nan=False).encode()


def _lines(raw: bytes) -> list[bytes]:
    body = body_of(raw)
    return [*split_cards(body), raw[len(body) : len(body) + CARD]]


def _document(version: Version, index: int, raw: bytes) -> dict[str, Any]:
    hdu = version.hdus[index]
    return {
        "hdu": index,
        "kind": hdu.kind,
        "name": hdu.name,
        "extver": hdu.version,
        "metadata": metadata_of(raw),
        "cards": [
            {
                "keyword": card.keyword,
                "value": plain_value(card.value),
                "comment": card.comment,
                "card": card.raw.decode("latin-1"),
            }
            for card in Header(raw).cards
        ],
        "header": raw.decode("latin-1"),
    }
