"""CHECKSUM and DATASUM without reading data (FITS 4.0, section 4.4.2.7 and appendix J)."""

from __future__ import annotations

import numpy as np

from armillary.fits.cards import body_of, find_end, fit_card, keyword_of, parse_card
from armillary.fits.errors import HeaderWithoutEnd
from armillary.fits.models import CARD

_ONES = 0xFFFFFFFF
_ZEROS = b"0" * 16
_FIRST, _LAST = 11, 27
"""The sixteen characters stand in columns 12 to 27."""
_PUNCTUATION = frozenset(range(0x3A, 0x41)) | frozenset(range(0x5B, 0x61))


def ones_sum(data: bytes) -> int:
    """Return the 32-bit ones'-complement sum of big-endian words, zero-filled at the end."""
    whole = len(data) - len(data) % 4
    total = int(np.frombuffer(data, ">u4", whole // 4).sum(dtype=np.uint64))
    total += int.from_bytes(data[whole:].ljust(4, b"\0"), "big")
    return ones_add(total)


def ones_add(*terms: int) -> int:
    """Return the ones'-complement sum of words; nothing but zeros gives zero, all else 1 to 2^32 - 1."""
    total = sum(terms)
    return (total - 1) % _ONES + 1 if total else 0


def encode_checksum(value: int) -> bytes:
    """Return the sixteen characters that add ``value`` to a sum, rotated for column 12 (appendix J).

    The caller passes the complement of the sum. Characters are spread around ``0`` in pairs until none of
    the eight words of a pair is punctuation.
    """
    rows = [_spread(byte) for byte in value.to_bytes(4, "big")]
    text = bytes(rows[column][row] for row in range(4) for column in range(4))
    return text[-1:] + text[:-1]


def _spread(byte: int) -> list[int]:
    """Return four letters or digits whose excess over ``0`` sums to a byte."""
    quotient, remainder = divmod(byte, 4)
    letters = [0x30 + quotient + remainder, *[0x30 + quotient] * 3]
    while not _PUNCTUATION.isdisjoint(letters):
        for first in (0, 2):
            if not _PUNCTUATION.isdisjoint(letters[first : first + 2]):
                letters[first] += 1
                letters[first + 1] -= 1
    return letters


def find_card(header: bytes, keyword: str) -> int:
    """Return the offset of the first card of a keyword before END; -1 if there is none."""
    stop = len(body_of(header))
    field = f"{keyword:<8}".encode("ascii")
    at = header.find(field, 0, stop)
    while at >= 0 and at % CARD:
        at = header.find(field, at + 1, stop)
    return at


def stored_datasum(header: bytes) -> int | None:
    """Return the sum in the DATASUM card; ``None`` if there is none or it is no number."""
    at = find_card(header, "DATASUM")
    value = parse_card(header[at : at + CARD]).value if at >= 0 else None
    if isinstance(value, str) and value.strip(" ").isdigit():
        value = int(value)
    return value if type(value) is int and 0 <= value <= _ONES else None


def update_checksum(header: bytes, old: bytes | None = None) -> bytes:
    """Return the header with a CHECKSUM that is right for its cards; unchanged if it has none.

    The data are not read: their sum is what DATASUM says. Without a usable DATASUM the sum of the whole HDU
    stays what it was with the header ``old``, so a right checksum stays right. The comment of the card and,
    where the card has the usual form, everything but the sixteen characters stay.

    Raises
    ------
    HeaderWithoutEnd
        If the header has no END card.
    """
    if find_end(header) < 0:
        raise HeaderWithoutEnd
    at = find_card(header, "CHECKSUM")
    datasum = stored_datasum(header)
    if at < 0 or (datasum is None and old is None):
        return header
    if datasum is None:
        datasum = _ONES - ones_sum(old or b"")
    zeroed = header[:at] + _with_sum(header[at : at + CARD], _ZEROS) + header[at + CARD :]
    wanted = encode_checksum(_ONES - ones_add(ones_sum(zeroed), datasum))
    return zeroed[: at + _FIRST] + wanted + zeroed[at + _LAST :]


def _with_sum(card: bytes, text: bytes) -> bytes:
    """Return a CHECKSUM card with other characters; a card of unusual form is written afresh."""
    if card[8:_FIRST] == b"= '" and card[_LAST : _LAST + 1] == b"'" and b"'" not in card[_FIRST:_LAST]:
        return card[:_FIRST] + text + card[_LAST:]
    return fit_card(keyword_of(card[:8]), text.decode("ascii"), parse_card(card).comment)[0]


def verify_checksum(header: bytes, datasum: int) -> bool:
    """Tell whether the words of the header and the sum of the data add up to all ones."""
    return ones_add(ones_sum(header), datasum) == _ONES
