"""Take single cards of a header back to what they were, whatever else was edited since."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.fits.cards import find_end
from armillary.fits.checksum import update_checksum
from armillary.fits.errors import HeaderWithoutEnd, PlanMismatch
from armillary.fits.models import BLOCK, CARD


def restore_cards(header: bytes, pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the header with cards put back; the number of blocks stays or grows.

    Parameters
    ----------
    pairs
        (bytes before, bytes after) of each card of an edit, in the order in which the edit wrote them; the
        bytes before are empty for a card that the edit created, and that is removed now.

    Raises
    ------
    HeaderWithoutEnd
        If the header has no END card.
    PlanMismatch
        If a card is not as the edit left it.
    """
    end = find_end(header)
    if end < 0:
        raise HeaderWithoutEnd("The header has no END card")
    body = header[:end]
    for old, new in reversed(pairs):
        at = _find(body, new)
        body = body[:at] + old + body[at + len(new) :]
    # END stays in the last block, else readers would take that block for data.
    restored = body.ljust(len(header) - BLOCK) + header[end : end + CARD]
    restored = restored.ljust(max(len(header), -(-len(restored) // BLOCK) * BLOCK))
    return update_checksum(restored, old=header)


def _find(body: bytes, card: bytes) -> int:
    at = body.find(card)
    while at >= 0 and at % CARD:
        at = body.find(card, at + 1)
    if at < 0:
        raise PlanMismatch(
            f"The card {card[:CARD].decode('latin-1').rstrip()!r} is not in the header any more"
        )
    return at
