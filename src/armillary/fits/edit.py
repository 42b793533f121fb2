"""Edits of header bytes: a pure function of the header, the changes and the size of what follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from armillary.fits.cards import COMMENTARY
from armillary.fits.checksum import carry_checksum
from armillary.fits.draft import Draft
from armillary.fits.errors import KeywordProtected, KeywordsMissing
from armillary.fits.keywords import normalise_keyword
from armillary.fits.models import CardChange, DataSum, HeaderEdit

_NEVER = frozenset({"END", "CONTINUE", "HIERARCH"})
"""Keywords that make cards of another kind; which others are protected is the caller's rule."""


def edit_header(
    header: bytes,
    changes: Sequence[CardChange],
    *,
    bytes_after: int,
    reject_new: bool = False,
    data_sum: DataSum | None = None,
) -> HeaderEdit:
    """Return the header with changed cards; the same object and no effects if nothing changes.

    A replaced card keeps its place and comment; of duplicated keywords the first is edited. New cards follow
    the last keyword card, before a closing run of COMMENT, HISTORY or blank cards, and use up blank cards of
    that run. COMMENT and HISTORY append behind the last card that is not blank. Of several changes of one
    keyword the last counts. Untouched cards stay byte for byte. A CHECKSUM stays right, or is made
    right, by the rule of :func:`carry_checksum`; ZHECKSUM, which speaks of the header as it was before
    compression, is removed.

    A header never loses blocks. Beyond its padding it grows by the blocks needed, or, when ``bytes_after``
    is 16 MiB or more, by a multiple of 184 320 bytes filled with blank cards, so that the same edit of the
    same bytes gives the same bytes everywhere.

    Parameters
    ----------
    bytes_after
        Bytes of the file behind this header, fill included.
    reject_new
        Whether a keyword that is not there refuses the whole edit; COMMENT and HISTORY always count as such.
    data_sum
        Is asked for the sum of the data if CHECKSUM and DATASUM contradict each other.

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
    draft = Draft.of(header)
    changes = _last_wins(changes)
    if reject_new:
        _refuse_new(draft, changes)
    effects = [effect for change in changes if (effect := draft.apply(change))]
    if not effects:
        return HeaderEdit(header, ())
    draft.remove("ZHECKSUM")
    edited = draft.assemble(header, bytes_after)
    return HeaderEdit(carry_checksum(edited, header, data_sum), tuple(effects))


def _last_wins(changes: Iterable[CardChange]) -> list[CardChange]:
    """Keep the last change of every keyword in the place of the first; appended cards all stay."""
    wanted: dict[str | int, CardChange] = {}
    for at, change in enumerate(changes):
        keyword = change.keyword.upper()
        if keyword in _NEVER:
            raise KeywordProtected(f"Protected keyword: {keyword}")
        if keyword in COMMENTARY:
            wanted[at] = replace(change, keyword=keyword)
        else:
            keyword = normalise_keyword(keyword, hierarch=True)
            wanted[keyword] = replace(change, keyword=keyword)
    return list(wanted.values())


def _refuse_new(draft: Draft, changes: Iterable[CardChange]) -> None:
    missing = [c.keyword for c in changes if c.keyword in COMMENTARY or draft.find(c.keyword) is None]
    if missing:
        names = ", ".join(dict.fromkeys(missing))
        raise KeywordsMissing(f"Some of the keywords don't exist in the file: {names}")
