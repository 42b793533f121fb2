"""Cards: 80 bytes each, read exactly and written in fixed format (FITS 4.0, sections 4.1 and 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from armillary.fits.errors import InvalidValue
from armillary.fits.keywords import is_long
from armillary.fits.models import CARD, Card, Value
from armillary.fits.values import Reading, read_field, split_unreadable, write_value

COMMENTARY = frozenset({"COMMENT", "HISTORY", ""})
BLANK_CARD = b" " * CARD
MAX_STRING = 68
"""Characters of a string in one card, doubled quotes counted; fewer behind a long HIERARCH keyword."""
MAX_PREFIX = 72
"""Columns before a value at most: some must be left for a piece of a string, its quotes and the ampersand."""
END = b"END     "

# Bytes outside printable ASCII are illegal in headers: shown as "?", like astropy; NUL padding as blanks.
_PRINTABLE = bytes(b if 32 <= b < 127 else 32 if b == 0 else 63 for b in range(256))


def printable(raw: bytes) -> bytes:
    """Return header bytes with everything outside printable ASCII replaced, of the same length."""
    return raw.translate(_PRINTABLE)


def is_end(field: bytes) -> bool:
    """Tell whether columns 1 to 8 of a card are END; some programs fill it with NUL instead of blanks."""
    return field == END or (field[:3] == b"END" and len(field) == 8 and not field[3:].strip(b" \0"))


def find_end(raw: bytes, start: int = 0) -> int:
    """Return the offset of the END card at or after ``start``, a multiple of 80; -1 if there is none.

    The text END elsewhere in a card does not count; whatever follows column 8 of the card does not matter.
    """
    # The first letters of all cards are few bytes: searching them is 30 times faster than searching the text.
    letters = raw[start::CARD]
    at = letters.find(b"E")
    while at >= 0 and not is_end(raw[start + at * CARD : start + at * CARD + 8]):
        at = letters.find(b"E", at + 1)
    return start + at * CARD if at >= 0 else -1


def body_of(raw: bytes) -> bytes:
    """Return the cards before END; all of them, filled up to whole cards, if there is no END."""
    end = find_end(raw)
    return raw[:end] if end >= 0 else raw + b" " * (-len(raw) % CARD)


def split_cards(body: bytes) -> list[bytes]:
    """Return the 80-byte pieces of a header."""
    return [body[at : at + CARD] for at in range(0, len(body), CARD)]


@lru_cache(maxsize=1 << 14)
def keyword_of(field: bytes) -> str:
    """Return the keyword in columns 1 to 8: upper case, without trailing blanks."""
    return printable(field).decode("ascii").rstrip(" ").upper()


def name_of(card: bytes) -> str:
    """Return the keyword of a card: of a HIERARCH one its words, if they can be no keyword of eight columns."""
    keyword = keyword_of(card[:8])
    if keyword == "HIERARCH" and b"=" in card:
        words = " ".join(keyword_of(card[8:].partition(b"=")[0]).split())
        return words if is_long(words) else keyword
    return keyword


def parse_card(raw: bytes) -> Card:
    """Read one logical card; what cannot be read has the value ``None`` and keeps its bytes.

    The value of COMMENT, HISTORY and blank keywords is their text.
    """
    text = printable(raw).decode("ascii")
    keyword = keyword_of(raw[:8])
    if keyword in COMMENTARY:
        return Card(keyword, text[8:CARD].rstrip(" "), "", raw)
    if keyword == "HIERARCH" and "=" in text[8:CARD]:
        name, _, field = text[8:CARD].partition("=")
        return _card(" ".join(name.upper().split()) or keyword, field, text, raw)
    if text[8:10] == "= ":
        return _card(keyword, text[10:CARD], text, raw)
    return Card(keyword, None, text[8:CARD].strip(" "), raw)


def is_legal(raw: bytes) -> bool:
    """Tell whether a card has a value indicator and a value field that can be read."""
    return unreadable(raw) is None


def unreadable(raw: bytes) -> tuple[str, str] | None:
    """Return what stands for a value on a card that is not legal, and its comment; None if it is legal."""
    text = printable(raw[:CARD]).decode("ascii")
    if is_long(name_of(raw[:CARD])):
        field = text[8:].partition("=")[2]
        return None if read_field(field).legal else split_unreadable(field)
    if text[8:10] != "= ":
        return split_unreadable(text[8:].removeprefix("="))
    return None if read_field(text[10:]).legal else split_unreadable(text[10:])


def _card(keyword: str, field: str, text: str, raw: bytes) -> Card:
    """Return the card of a value field and the CONTINUE cards behind it."""
    first = read_field(field)
    if len(raw) <= CARD or not isinstance(first.value, str):
        return Card(keyword, first.value, first.comment, raw)
    rest = [read_field(text[at + 8 : at + CARD]) for at in range(CARD, len(raw), CARD)]
    parts = [str(r.value) for r in (first, *rest)]
    value = "".join(part.removesuffix("&") for part in parts[:-1]) + parts[-1]
    return Card(keyword, value.rstrip(" "), " ".join(r.comment for r in (first, *rest) if r.comment), raw)


def extent(cards: Sequence[bytes], first: int) -> int:
    """Return the index after the last card of the logical card at ``first``.

    A string that ends in ``&`` goes on in a CONTINUE card that holds a string (FITS 4.0, section 4.2.1.2).
    """
    stop = first + 1
    if stop < len(cards) and cards[stop][:8] == b"CONTINUE" and b"&" in cards[first]:
        reading: Reading | Card = parse_card(cards[first])
        while stop < len(cards) and cards[stop][:10] == b"CONTINUE  " and _goes_on(reading.value):
            reading = read_field(printable(cards[stop][8:]).decode("ascii"))
            if not isinstance(reading.value, str):
                return stop
            stop += 1
    return stop


def _goes_on(value: Value) -> bool:
    return isinstance(value, str) and value.endswith("&")


def format_card(keyword: str, value: Value, comment: str = "") -> bytes:
    """Return the card or cards of a keyword in fixed format; a comment that does not fit is cut.

    Strings longer than 68 characters, doubled quotes counted, continue in CONTINUE cards with the comment
    on the last one. COMMENT, HISTORY and blank keywords take a string and wrap it. Keywords that are longer than
    eight characters or have blanks become HIERARCH ones, as ESO and cfitsio write them.

    Raises
    ------
    InvalidValue
        If the value has no FITS form.
    """
    return fit_card(keyword, value, comment)[0]


def fit_card(keyword: str, value: Value, comment: str = "") -> tuple[bytes, str]:
    """Return the card or cards of :func:`format_card` and the end of the comment that did not fit."""
    try:
        if keyword in COMMENTARY:
            return _commentary(keyword, value), ""
        prefix = prefix_of(keyword)
        if len(prefix) > MAX_PREFIX:
            raise InvalidValue(f"Invalid value for keyword {keyword}: the keyword leaves no room for it")
        if isinstance(value, str) and len(value.replace("'", "''")) > CARD - len(prefix) - 2:
            return _long_string(prefix, value, comment)
        fixed = _fixed(prefix, value)
        if len(fixed) > CARD:
            raise InvalidValue(f"Invalid value for keyword {keyword}: the keyword leaves no room for it")
        card, cut = _with_comment(fixed, comment)
        return card.encode("ascii"), cut
    except UnicodeEncodeError:
        raise InvalidValue(f"Invalid value for keyword {keyword}: FITS headers are ASCII") from None


def prefix_of(keyword: str) -> str:
    """Return what stands before a value: the keyword in eight columns, or behind HIERARCH where it is longer."""
    return f"HIERARCH {keyword} = " if is_long(keyword) else f"{keyword:<8}= "


def _fixed(prefix: str, value: Value) -> str:
    """Return keyword and value: numbers end in column 30, if the keyword leaves room."""
    if len(prefix) == 10:
        return prefix + write_value(value)
    text = write_value(value).strip(" ")
    return (prefix if text else prefix.rstrip(" ")) + text.rjust(30 - len(prefix))


def _commentary(keyword: str, value: Value) -> bytes:
    if not isinstance(value, str):
        raise InvalidValue(f"Invalid value for keyword {keyword}: it takes text")
    lines = [value[at : at + 72] for at in range(0, len(value), 72)] or [""]
    return "".join(f"{keyword:<8}{line:<72}" for line in lines).encode("ascii")


def _with_comment(card: str, comment: str) -> tuple[str, str]:
    """Return 80 characters and the rest of the comment; the blank after the slash yields first."""
    if not comment:
        return f"{card.rstrip(' '):<{CARD}}", ""
    room = CARD - len(card) - 3
    mark = " / " if len(comment) <= room else " /"
    room = max(0, CARD - len(card) - len(mark))
    kept = comment[:room].rstrip(" ")
    return f"{card + mark + kept if kept else card:<{CARD}}", comment[room:].strip(" ")


def _long_string(prefix: str, value: str, comment: str) -> tuple[bytes, str]:
    pieces = _pieces(value.replace("'", "''"), CARD - len(prefix) - 3)
    if comment and len(pieces[-1]) + len(comment) > MAX_STRING - 3:
        pieces.append("")
    cards = ""
    for piece in pieces[:-1]:
        cards += f"{prefix}'{piece}&'".ljust(CARD)
        prefix = "CONTINUE  "
    last, cut = _with_comment(f"{prefix}'{pieces[-1]}'", comment)
    return (cards + last).encode("ascii"), cut


def _pieces(escaped: str, width: int) -> list[str]:
    """Return a piece of at most ``width`` and others of 67 characters; none divides a doubled quote."""
    pieces: list[str] = []
    while len(escaped) > width:
        piece = escaped[:width]
        quotes = len(piece) - len(piece.rstrip("'"))
        cut = width - quotes % 2
        pieces.append(escaped[:cut])
        escaped, width = escaped[cut:], MAX_STRING - 1
    return [*pieces, escaped]
