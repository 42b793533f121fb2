"""Edits of header bytes: a pure function of the header, the changes and the size of what follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from armillary.fits.cards import (
    BLANK_CARD,
    COMMENTARY,
    extent,
    find_end,
    fit_card,
    is_legal,
    keyword_of,
    parse_card,
    split_cards,
)
from armillary.fits.checksum import update_checksum
from armillary.fits.errors import HeaderWithoutEnd, InvalidValue, KeywordProtected, KeywordsMissing
from armillary.fits.keywords import normalise_keyword
from armillary.fits.models import BLOCK, CARD, CardChange, CardEffect, HeaderEdit
from armillary.fits.values import same_value

LARGE = 16 << 20
"""Bytes behind a header from which on it grows by whole steps."""

STEP = 64 * BLOCK
"""184 320 bytes: a multiple of FITS blocks and of 4096-byte pages, so that file systems can insert it."""

_NEVER = frozenset({"END", "CONTINUE", "HIERARCH"})
"""Keywords that make cards of another kind; which others are protected is the caller's rule."""


def edit_header(
    header: bytes, changes: Sequence[CardChange], *, bytes_after: int, reject_new: bool = False
) -> HeaderEdit:
    """Return the header with changed cards; the same object and no effects if nothing changes.

    A replaced card keeps its place and comment; of duplicated keywords the first is edited. New cards follow
    the last keyword card, before a closing run of COMMENT, HISTORY or blank cards, and use up blank cards of
    that run. COMMENT and HISTORY append behind the last card that is not blank. Of several changes of one
    keyword the last counts. Untouched cards stay byte for byte. An existing CHECKSUM becomes right without
    reading the data; ZHECKSUM, which speaks of the header as it was before compression, is removed.

    A header never loses blocks. Beyond its padding it grows by the blocks needed, or, when ``bytes_after``
    is 16 MiB or more, by a multiple of 184 320 bytes filled with blank cards, so that the same edit of the
    same bytes gives the same bytes everywhere.

    Parameters
    ----------
    bytes_after
        Bytes of the file behind this header, fill included.
    reject_new
        Whether a keyword that is not there refuses the whole edit; COMMENT and HISTORY always count as such.

    Raises
    ------
    HeaderWithoutEnd
        If the header is not made of whole blocks with an END card.
    KeywordsMissing
        If ``reject_new`` and a card would be created; all such keywords are named.
    InvalidKeyword, KeywordProtected
        If a keyword cannot stand on a card of its own.
    InvalidValue
        If a value cannot be written, or would not read back.
    """
    draft = _Draft.of(header)
    changes = _last_wins(changes)
    if reject_new:
        _refuse_new(draft, changes)
    effects = [effect for change in changes if (effect := draft.apply(change))]
    if not effects:
        return HeaderEdit(header, ())
    draft.remove("ZHECKSUM")
    edited = _assemble(draft, header, bytes_after)
    return HeaderEdit(update_checksum(edited, old=header), tuple(effects))


def _last_wins(changes: Iterable[CardChange]) -> list[CardChange]:
    """Keep the last change of every keyword in the place of the first; appended cards all stay."""
    wanted: dict[str | int, CardChange] = {}
    for at, change in enumerate(changes):
        keyword = change.keyword.upper()
        if keyword in _NEVER:
            raise KeywordProtected(f"Protected keyword: {keyword}")
        if keyword in COMMENTARY:
            wanted[at] = CardChange(keyword, change.value)
        else:
            wanted[keyword] = CardChange(normalise_keyword(keyword), change.value)
    return list(wanted.values())


def _refuse_new(draft: _Draft, changes: Iterable[CardChange]) -> None:
    missing = [c.keyword for c in changes if c.keyword in COMMENTARY or draft.find(c.keyword) is None]
    if missing:
        names = ", ".join(dict.fromkeys(missing))
        raise KeywordsMissing(f"Some of the keywords don't exist in the file: {names}")


@dataclass(slots=True)
class _Draft:
    """The 80-byte cards before END while they are edited."""

    cards: list[bytes]
    places: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, header: bytes) -> _Draft:
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
            self.places.setdefault(keyword_of(card[:8]), at)

    def find(self, keyword: str) -> int | None:
        return self.places.get(keyword)

    def apply(self, change: CardChange) -> CardEffect | None:
        """Carry one change out; ``None`` if the card already says so."""
        at = None if change.keyword in COMMENTARY else self.find(change.keyword)
        return self.insert(change) if at is None else self.replace(at, change)

    def replace(self, at: int, change: CardChange) -> CardEffect | None:
        stop = extent(self.cards, at)
        old_raw = b"".join(self.cards[at:stop])
        old = parse_card(old_raw)
        if same_value(old.value, change.value) and (change.value is not None or is_legal(old_raw)):
            return None
        new_raw, cut = fit_card(change.keyword, change.value, old.comment)
        self.put(at, stop, new_raw)
        self.check(at, change)
        return CardEffect(change.keyword, old.value, change.value, False, old_raw, new_raw, cut)

    def insert(self, change: CardChange) -> CardEffect:
        new_raw, _ = fit_card(change.keyword, change.value)
        at = self.after_last(commentary=change.keyword in COMMENTARY)
        self.use_blanks(at, len(new_raw) // CARD)
        # Only COMMENT, HISTORY and blank cards move, and nobody looks those up.
        self.cards[at:at] = split_cards(new_raw)
        self.places.setdefault(change.keyword, at)
        self.check(at, change)
        return CardEffect(change.keyword, None, change.value, True, b"", new_raw)

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


def _assemble(draft: _Draft, header: bytes, bytes_after: int) -> bytes:
    """Return whole blocks: the cards, END and what followed it, grown by the rule of :func:`edit_header`."""
    end = find_end(header)
    closing, padding = header[end : end + CARD], header[end + CARD :]
    # END stays in the last block, else readers would take that block for data.
    body = b"".join(draft.cards).ljust(len(header) - BLOCK)
    spare = len(header) - len(body) - CARD
    if spare >= 0:
        return body + closing + (b" " * spare + padding)[len(padding) :]
    needed = -(-(len(body) + CARD) // BLOCK) * BLOCK
    if bytes_after < LARGE:
        return (body + closing).ljust(needed)
    grown = len(header) + -(-(needed - len(header)) // STEP) * STEP
    return body.ljust(grown - CARD) + closing
