"""What a text may hold that comes from outside."""

from __future__ import annotations

import unicodedata

_CONTROLS = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})


def storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold a text at all: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def has_controls(text: str) -> bool:
    """Tell whether a text holds characters that nobody sees and that change what is shown around them.

    C0 and C1 controls, DEL, marks of direction and other format characters, separators of lines and
    paragraphs, halves of surrogate pairs: general categories Cc, Cf, Zl, Zp and Cs of Unicode.
    """
    if text.isascii():
        return not text.isprintable()
    return any(unicodedata.category(character) in _CONTROLS for character in text)
