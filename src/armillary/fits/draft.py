"""A header while it is edited: its cards, where new ones go, and the whole blocks that come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from armillary.fits.cards import (
    BLANK_CARD,
    COMMENTARY,
    extent,
    find_end,
    fit_card,
    keyword_of,
    name_of,
    parse_card,
    split_cards,
    unreadable,
)
from armillary.fits.errors import HeaderWithoutEnd, InvalidValue, PlanMismatch
from armillary.fits.models import BLOCK, CARD, CardChange, CardEffect
from armillary.fits.values import same_value

LARGE = 16 << 20
"""Bytes behind a header from which on it grows by whole steps."""

STEP = 64 * BLOCK
"""184 320 bytes: a multiple of FITS blocks and of 4096-byte pages, so that file systems can insert it."""


@dataclass(slots=True)
class Draft:
    """The 80-byte cards before END while they are edited."""

    cards: list[bytes]
    places: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, header: bytes) -> Draft:
        end = find_end(header)
        if end < 0 or len(header) % BLOCK or len(header) - end > BLOCK:
            raise HeaderWithoutEnd("The header is not made of whole blocks of which the last holds END")
        draft = cls(split_cards(header[:end]))
        draft.locate()
        return draft

    def locate(self) -> None:
        """Note the place of the first card of every keyword."""
        self.places = {}
        for at, card in enumerate(self.cards):
            self.places.setdefault(name_of(card), at)

    def find(self, keyword: str) -> int | None:
        return self.places.get(keyword)

    def apply(self, change: CardChange) -> CardEffect | None:
        """Carry one change out; ``None`` if the card already says so."""
        at = None if change.keyword in COMMENTARY else self.find(change.keyword)
        return self.insert(change) if at is None else self.replace(at, change)

    def replace(self, at: int, change: CardChange) -> CardEffect | None:
        stop = extent(self.cards, at)
        old_raw = b"".join(self.cards[at:stop])
        old, unread = parse_card(old_raw), unreadable(old_raw)
        told = change.comment is None or change.comment == old.comment
        if told and same_value(old.value, change.value) and (change.value is not None or unread is None):
            return None
        # Text that is no value is not kept as a comment: the new card would seem to say both.
        kept = unread[1] if unread else old.comment
        new_raw, cut = fit_card(
            change.keyword, change.value, kept if change.comment is None else change.comment
        )
        if new_raw == old_raw:
            # The comment is the same as far as it fits.
            return None
        self.put(at, stop, new_raw)
        self.check(at, change)
        return CardEffect(change.keyword, old.value, change.value, False, old_raw, new_raw, cut)

    def insert(self, change: CardChange) -> CardEffect:
        new_raw, cut = fit_card(change.keyword, change.value, change.comment or "")
        at = self.after_last(commentary=change.keyword in COMMENTARY)
        self.use_blanks(at, len(new_raw) // CARD)
        # Only COMMENT, HISTORY and blank cards move, and nobody looks those up.
        self.cards[at:at] = split_cards(new_raw)
        self.places.setdefault(change.keyword, at)
        self.check(at, change)
        return CardEffect(change.keyword, None, change.value, True, b"", new_raw, cut)

    def put(self, at: int, stop: int, new_raw: bytes) -> None:
        count = len(self.cards)
        self.cards[at:stop] = split_cards(new_raw)
        if len(self.cards) != count:
            self.locate()

    def after_last(self, *, commentary: bool) -> int:
        """Return the index behind the last keyword card, or behind the last card that is not blank."""
        for at in range(len(self.cards) - 1, -1, -1):
            card = self.cards[at]
            if card != BLANK_CARD and (commentary or keyword_of(card[:8]) not in COMMENTARY):
                return at + 1
        return 0

    def use_blanks(self, start: int, count: int) -> None:
        """Delete up to ``count`` blank cards behind ``start``."""
        blanks = (at for at in range(start, len(self.cards)) if self.cards[at] == BLANK_CARD)
        for at in reversed(list(islice(blanks, count))):
            del self.cards[at]

    def remove(self, keyword: str) -> None:
        at = self.find(keyword)
        if at is not None:
            self.put(at, extent(self.cards, at), b"")

    def check(self, at: int, change: CardChange) -> None:
        """Refuse a card that would not read back, such as ``&`` before a stray CONTINUE card."""
        raw = b"".join(self.cards[at : extent(self.cards, at)])
        if change.keyword not in COMMENTARY and not same_value(parse_card(raw).value, change.value):
            raise InvalidValue(f"Invalid value for keyword {change.keyword}")

    def restore(self, old_raw: bytes, new_raw: bytes) -> None:
        """Put a card back that an edit changed; empty bytes stand for no card, before the edit or after it.

        Raises
        ------
        PlanMismatch
            If the card is not as the edit left it.
        """
        if new_raw:
            # What was created came last, and may repeat the text of an earlier COMMENT or HISTORY.
            at = self.place_of(new_raw, last=not old_raw)
            self.put(at, at + len(new_raw) // CARD, old_raw)
            return
        keyword = name_of(old_raw)
        if keyword not in COMMENTARY and self.find(keyword) is not None:
            raise PlanMismatch(f"There is a card {keyword} in the header again")
        at = self.after_last(commentary=keyword in COMMENTARY)
        self.use_blanks(at, len(old_raw) // CARD)
        self.put(at, at, old_raw)

    def place_of(self, raw: bytes, *, last: bool) -> int:
        """Return the index of the first card, or the last one, that has these very bytes."""
        wanted = split_cards(raw)
        places = range(len(self.cards) - len(wanted) + 1)
        for at in reversed(places) if last else places:
            if self.cards[at : at + len(wanted)] == wanted:
                return at
        raise PlanMismatch(
            f"The card {raw[:CARD].decode('latin-1').rstrip()!r} is not in the header any more"
        )

    def assemble(self, header: bytes, bytes_after: int) -> bytes:
        """Return whole blocks: the cards, END of the old header and what followed it.

        A header never loses blocks. It grows by the blocks needed, or, when ``bytes_after`` is 16 MiB or
        more, by a multiple of 184 320 bytes filled with blank cards.
        """
        end = find_end(header)
        closing, padding = header[end : end + CARD], header[end + CARD :]
        # END stays in the last block, else readers would take that block for data.
        body = b"".join(self.cards).ljust(len(header) - BLOCK)
        spare = len(header) - len(body) - CARD
        if spare >= 0:
            return body + closing + (b" " * spare + padding)[len(padding) :]
        needed = -(-(len(body) + CARD) // BLOCK) * BLOCK
        if bytes_after < LARGE:
            return (body + closing).ljust(needed)
        grown = len(header) + -(-(needed - len(header)) // STEP) * STEP
        return body.ljust(grown - CARD) + closing
