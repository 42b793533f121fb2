"""What may be edited: keywords and values, independent of any file."""

from __future__ import annotations

import math
import re
from collections.abc import Collection

from armillary.fits.errors import InvalidKeyword, InvalidValue
from armillary.fits.models import Value

_KEYWORD = re.compile(r"[A-Z0-9_-]{1,8}", re.ASCII)
_LONG = re.compile(r"(?:HIERARCH +)?([A-Z0-9_-]+(?: +[A-Z0-9_-]+)*)", re.ASCII)
MAX_LONG = 44
"""Characters of the longest keyword behind HIERARCH: 80 without it, " = " and the longest number."""
_UNPRINTABLE = re.compile(r"[^ -~]")
_INT64 = range(-(1 << 63), 1 << 63)

_STRUCTURE = (
    "SIMPLE XTENSION BITPIX NAXIS PCOUNT GCOUNT GROUPS EXTEND END THEAP TFIELDS BSCALE BZERO BLANK "
    "EXTNAME EXTVER EXTLEVEL INHERIT CHECKSUM DATASUM CONTINUE LONGSTRN HIERARCH"
)
_COMPRESSION = (
    "ZIMAGE ZTABLE ZSIMPLE ZTENSION ZEXTEND ZBLOCKED ZBITPIX ZNAXIS ZPCOUNT ZGCOUNT ZTHEAP ZTILELEN "
    "ZCMPTYPE ZMASKCMP ZQUANTIZ ZDITHER0 ZSCALE ZZERO ZBLANK ZHECKSUM ZDATASUM"
)
PROTECTED = frozenset(f"{_STRUCTURE} {_COMPRESSION}".split())
"""Structure (FITS 4.0, sections 4.4 and 7), checksums, and tile compression (section 10)."""

_PROTECTED_INDEXED = re.compile(
    r"(?:NAXIS|T(?:FORM|BCOL|DIM|SCAL|ZERO|NULL)|Z(?:NAXIS|TILE|NAME|VAL|FORM|CTYP))[0-9]+", re.ASCII
)


def normalise_keyword(text: object, *, hierarch: bool = False) -> str:
    """Return a keyword in upper case.

    With ``hierarch`` those of more than eight characters, or of several words, are keywords, too: they stand on
    cards that begin with HIERARCH, which may be left out here.

    Raises
    ------
    InvalidKeyword
        If it is not one to eight letters, digits, hyphens or underscores, or such words.
    """
    # Upper-casing turns some letters outside ASCII into ASCII ones, so those are refused first.
    if isinstance(text, str) and text.isascii():
        if _KEYWORD.fullmatch(text.upper()):
            return text.upper()
        if hierarch and (found := _LONG.fullmatch(text.strip(" ").upper())):
            name = " ".join(found[1].split())
            # A short word behind HIERARCH is another card than that of the same keyword: both may be there.
            if is_long(name) and len(name) <= MAX_LONG:
                return name
    raise InvalidKeyword(f"Invalid keyword: {text}")


def is_long(keyword: str) -> bool:
    """Tell whether a keyword can stand on a HIERARCH card only."""
    return len(keyword) > 8 or " " in keyword


def is_protected(keyword: str, extra: Collection[str] = ()) -> bool:
    """Tell whether a keyword must not be edited; ``extra`` are those that a site adds."""
    key = keyword.strip(" ").upper()
    if not key or key in PROTECTED or _PROTECTED_INDEXED.fullmatch(key):
        return True
    return any(key == word.strip(" ").upper() for word in extra)


def check_value(keyword: str, value: object, *, max_string: int = 1000) -> Value:
    """Return the value if a card of the keyword may be given it.

    Raises
    ------
    InvalidValue
        If it is no string of printable ASCII, boolean, signed 64-bit integer, finite float or ``None``.
    """
    if reason := _objection(keyword, value, max_string):
        error = InvalidValue(f"Invalid value for keyword {keyword}")
        error.add_note(reason)  # clients compare the message as a whole
        raise error
    return value  # type: ignore[return-value]  # what is left has one of the types of Value


def _objection(keyword: str, value: object, max_string: int) -> str:
    """Say what is wrong with a value; empty if nothing is."""
    match value:
        case str():
            if len(value) > max_string:
                return f"it has {len(value)} characters, at most {max_string} are accepted"
            return "only printable ASCII is accepted" if _UNPRINTABLE.search(value) else ""
        case _ if keyword in ("COMMENT", "HISTORY"):
            return "it takes a string"
        case None | bool():
            return ""
        case int():
            return "" if value in _INT64 else "it is no signed 64-bit integer"
        case float():
            return "" if math.isfinite(value) else "the number is not finite"
    return f"a card cannot hold a {type(value).__name__}"
