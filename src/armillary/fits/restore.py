"""Take single cards of a header back to what they were, whatever else was edited since."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.fits.cards import BLANK_CARD, body_of, split_cards
from armillary.fits.checksum import carry_checksum
from armillary.fits.draft import Draft

_DERIVED = (b"CHECKSUM", b"ZHECKSUM")
"""Cards that every edit writes or removes, whatever it was asked for."""


def restore_cards(header: bytes, pairs: Sequence[tuple[bytes, bytes]], *, bytes_after: int) -> bytes:
    """Return the header with cards put back; the number of blocks stays or grows.

    A card that comes back after it was removed takes the place of a new one.

    Parameters
    ----------
    pairs
        (bytes before, bytes after) of each card of an edit, in the order in which the edit wrote them. The
        bytes before are empty for a card that the edit created and that is removed now, the bytes after for
        one that it removed.
    bytes_after
        Bytes of the file behind this header, fill included.

    Raises
    ------
    HeaderWithoutEnd
        If the header is not made of whole blocks with an END card.
    PlanMismatch
        If a card is not as the edit left it.
    """
    draft = Draft.of(header)
    for old, new in reversed(pairs):
        draft.restore(old, new)
    draft.remove("ZHECKSUM")
    return carry_checksum(draft.assemble(header, bytes_after), header)


def same_cards(one: bytes, other: bytes) -> bool:
    """Tell whether two headers say the same in the same order.

    Blank cards do not count, nor do the checksums of headers: edits use up blank cards and do not bring
    them back, make a wrong CHECKSUM right and remove ZHECKSUM.
    """
    return _essence(one) == _essence(other)


def _essence(header: bytes) -> list[bytes]:
    cards = split_cards(body_of(header))
    return [card for card in cards if card != BLANK_CARD and card[:8] not in _DERIVED]
