"""CHECKSUM and DATASUM, mostly without reading data (FITS 4.0, section 4.4.2.7 and appendix J)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from armillary.fits.cards import body_of, find_end, fit_card, is_legal, keyword_of, parse_card
from armillary.fits.errors import HeaderWithoutEnd
from armillary.fits.models import CARD, DataSum

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ONES = 0xFFFFFFFF
_ZEROS = b"0" * 16
_FIRST, _LAST = 11, 27
"""The sixteen characters stand in columns 12 to 27."""
_PUNCTUATION = frozenset(range(0x3A, 0x41)) | frozenset(range(0x5B, 0x61))


def ones_sum(data: bytes | memoryview) -> int:
    """Return the 32-bit ones'-complement sum of big-endian words, zero-filled at the end."""
    # Only here: the sums of headers are added without it.
    import numpy as np

    whole = len(data) - len(data) % 4
    total = int(np.frombuffer(data, ">u4", whole // 4).sum(dtype=np.uint64))
    total += int.from_bytes(bytes(data[whole:]).ljust(4, b"\0"), "big")
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
    first, second, third, fourth = [_spread(byte) for byte in value.to_bytes(4, "big")]
    text = bytes([one for row in zip(first, second, third, fourth, strict=True) for one in row])
    return text[-1:] + text[:-1]


def encode_checksums(values: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return the sixteen characters of :func:`encode_checksum` for many values, one row for each."""
    import numpy as np

    parts = values.astype(">u4").view("u1").reshape(-1, 4)
    return np.roll(_letters()[parts].transpose(0, 2, 1).reshape(-1, 16), 1, axis=1)


@lru_cache(maxsize=1)
def _letters() -> NDArray[np.uint8]:
    """Return the four letters of each byte."""
    import numpy as np

    return np.array([_spread(byte) for byte in range(256)], np.uint8)


@lru_cache(maxsize=256)
def _spread(byte: int) -> tuple[int, ...]:
    """Return four letters or digits whose excess over ``0`` sums to a byte."""
    quotient, remainder = divmod(byte, 4)
    letters = [0x30 + quotient + remainder, *[0x30 + quotient] * 3]
    while not _PUNCTUATION.isdisjoint(letters):
        for first in (0, 2):
            if not _PUNCTUATION.isdisjoint(letters[first : first + 2]):
                letters[first] += 1
                letters[first + 1] -= 1
    return tuple(letters)


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


def update_checksum(header: bytes) -> bytes:
    """Return the header with a CHECKSUM that is right for its cards and for data of the stated DATASUM.

    The header stays as it is if it has no CHECKSUM, or no DATASUM that is a number. The comment of the card
    and, where the card has the usual form, everything but the sixteen characters stay.

    Raises
    ------
    HeaderWithoutEnd
        If the header has no END card.
    """
    at, datasum = _place(header), stored_datasum(header)
    return header if at < 0 or datasum is None else _with_total(header, at, _ONES - datasum)


def carry_checksum(header: bytes, old: bytes, data_sum: DataSum | None = None) -> bytes:
    """Return an edited header whose CHECKSUM claims as much as that of the header ``old`` did.

    An undefined or blank CHECKSUM says that none was computed (FITS 4.0, section 4.4.2.7), and stays. Any
    other one keeps the sum of the whole HDU, which needs no data: a right one stays right whatever DATASUM
    says, a wrong one stays wrong. One kind of wrong ones is made right: those beside a right DATASUM, where
    somebody has changed the header only. Other data than those that were summed are never blessed.

    Parameters
    ----------
    data_sum
        Is asked only if CHECKSUM and DATASUM contradict each other, for then one of them is wrong, and the
        data alone tell which. Without it, the sum of the HDU stays.

    Raises
    ------
    HeaderWithoutEnd
        If the header has no END card.
    """
    at = _place(header)
    if at < 0 or _says_nothing(header[at : at + CARD]):
        return header
    total, stated = ones_sum(old), stored_datasum(old)
    if stated is not None and ones_add(total, stated) != _ONES and data_sum is not None:
        # Zero has two forms.
        right = data_sum() % _ONES == stated % _ONES
        total = _ONES - stated if right else total
    return _with_total(header, at, total)


def _place(header: bytes) -> int:
    if find_end(header) < 0:
        raise HeaderWithoutEnd
    return find_card(header, "CHECKSUM")


def _says_nothing(card: bytes) -> bool:
    value = parse_card(card).value
    if isinstance(value, str):
        return not value.strip(" ")
    return value is None and (is_legal(card) or card[8:10] != b"= ")


def _with_total(header: bytes, at: int, total: int) -> bytes:
    """Return the header with a CHECKSUM card at ``at`` that makes its words add up to a total."""
    zeroed = header[:at] + _with_sum(header[at : at + CARD], _ZEROS) + header[at + CARD :]
    wanted = encode_checksum(_ONES - ones_add(ones_sum(zeroed), _ONES - total))
    return zeroed[: at + _FIRST] + wanted + zeroed[at + _LAST :]


def _with_sum(card: bytes, text: bytes) -> bytes:
    """Return a CHECKSUM card with other characters; a card of unusual form is written afresh."""
    if card[8:_FIRST] == b"= '" and card[_LAST : _LAST + 1] == b"'" and b"'" not in card[_FIRST:_LAST]:
        return card[:_FIRST] + text + card[_LAST:]
    return fit_card(keyword_of(card[:8]), text.decode("ascii"), parse_card(card).comment)[0]


def verify_checksum(header: bytes, datasum: int) -> bool:
    """Tell whether the words of the header and the sum of the data add up to all ones."""
    return ones_add(ones_sum(header), datasum) == _ONES
