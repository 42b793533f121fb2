"""The grammar of Gemini's fixHead: which files, and what to change in them, in the words of observers.

``[DATE] NUMBERS``, ``obsid ID`` and ``KEYWORD:VALUE`` are those of fixHead 0.7. Besides, a file name, an id of an
observation or a data label may stand alone, and a setting may be ``KEYWORD VALUE`` or ``KEYWORD=VALUE``. Single or
double quotes around a value keep a number and a logical text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from armillary.archive.models import SITE_CARDS
from armillary.archive.query.models import Among
from armillary.archive.query.service import kind_of_id, read_name
from armillary.edits.errors import ItemRefused
from armillary.edits.service import suggest
from armillary.errors import BadRequest
from armillary.fits.texts import between_quotes, keep_text

Typed = Callable[[str], tuple[str, Any]]
SPECIAL = ("qa", "cond", "release")
IDS = {"obsid": "observation_id", "datalabel": "data_label"}
_NUMBERS = re.compile(r"\d{1,4}(?:-\d{1,4})?(?:,\d{1,4}(?:-\d{1,4})?)*", re.ASCII)
_DAY = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
_PAIR = re.compile(r"([A-Za-z0-9_-]+)([:=])(.*)", re.DOTALL)
_KEYWORD = re.compile(r"[A-Za-z0-9_-]{1,8}", re.ASCII)
_JUDGED = {"RAWGEMQA": ("UNKNOWN", "USABLE", "BAD", "CHECK"), "RAWPIREQ": ("UNKNOWN", "YES", "NO", "CHECK")}
_STEPS = {
    keyword: tuple(value.partition("-")[0] for named, value in SITE_CARDS.values() if named == keyword)
    for keyword in ("RAWIQ", "RAWCC", "RAWBG", "RAWWV")
}


class BadFix(BadRequest):
    """Invalid arguments of fixHead; see `armillary fixhead --help`."""

    code = "bad_fix"


@dataclass(frozen=True, slots=True)
class Fix:
    """What an observer wants: files by name, or by an id that a server has to look up; and settings."""

    names: tuple[str, ...]
    lookup: tuple[str, str] | None = None
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def selection(self) -> tuple[str, ...]:
        """The segments of the list that finds the files of an id."""
        return ("present", "=".join(self.lookup)) if self.lookup else ()


def read_fix(words: Sequence[str], *, today: date, typed: Typed, south: bool = False) -> Fix:
    """Read the words of a command line.

    Parameters
    ----------
    today
        The date in UTC of numbers without one.
    typed
        Reads ``KEYWORD=VALUE``, whose value may be a number. What follows a colon or a blank is sent as text,
        which becomes a number or a logical on a card that holds one.
    south
        Whether numbers mean files of Gemini South.

    Raises
    ------
    BadFix
        If they name no files, or a setting has no value.
    ItemRefused
        If a value is none of those that a keyword of quality can have.
    """
    left = list(words)
    if not left:
        raise BadFix("Say which files: [DATE] NUMBERS, a file name, an observation id or a data label.")
    fix = _files(left, today, "S" if south else "N")
    return Fix(fix.names, fix.lookup, _values(left, typed))


def _files(left: list[str], today: date, site: str) -> Fix:
    first = left.pop(0)
    if first.lower() in IDS:
        if not left:
            raise BadFix(f"{first} needs an id after it.")
        return Fix((), (first.lower(), left.pop(0)))
    if (day := _day(first)) and left and _NUMBERS.fullmatch(left[0]):
        return Fix(_numbered(site, day, left.pop(0)))
    if _NUMBERS.fullmatch(first):
        return Fix(_numbered(site, today, first))
    if (kind := kind_of_id(first)) and kind in IDS.values():
        words = {one: word for word, one in IDS.items()}
        return Fix((), (words[kind], first))
    return Fix(tuple(_named(one) for one in first.split(",")))


def _day(text: str) -> date | None:
    try:
        return date(*map(int, found.groups())) if (found := _DAY.fullmatch(text)) else None
    except ValueError:
        return None


def _numbered(site: str, day: date, text: str) -> tuple[str, ...]:
    numbers: list[int] = []
    for group in text.split(","):
        first, _, last = group.partition("-")
        if last and int(last) < int(first):
            raise BadFix(f"The range {group} ends before it begins.")
        numbers += range(int(first), int(last or first) + 1)
    # An order per file and number, even if ranges overlap.
    return tuple(f"{site}{day:%Y%m%d}S{number:04d}.fits" for number in dict.fromkeys(numbers))


def _named(text: str) -> str:
    terms = read_name(text) or ()
    if len(terms) == 1 and isinstance(terms[0], Among) and terms[0].field == "name":
        return str(terms[0].values[0])
    raise BadFix(f"'{text}' is no number, file name, observation id or data label.")


def _values(left: list[str], typed: Typed) -> dict[str, Any]:
    values: dict[str, Any] = {}
    generic: list[list[Any]] = []
    while left:
        keyword, value = _setting(left, typed)
        match keyword.lower():
            case "qa":
                values["qa_state"] = str(value).lower()
            case "cond":
                words = [word.strip() for word in str(value).split(",")]
                values["raw_site"] = words if len(words) > 1 else words[0]
            case "release":
                values["release"] = str(value)
            case _:
                generic.append([keyword.upper(), _completed(keyword.upper(), value)])
    return values | ({"generic": generic} if generic else {})


def _setting(left: list[str], typed: Typed) -> tuple[str, Any]:
    word = left.pop(0)
    found = _PAIR.fullmatch(word)
    if found and (found[1].lower() in SPECIAL or found[2] == ":"):
        keyword, value = found[1], found[3]
    elif found:
        return typed(word)
    elif _KEYWORD.fullmatch(word) and left:
        keyword, value = word, left.pop(0)
    else:
        raise BadFix(f"'{word}' is no setting: write KEYWORD:VALUE, KEYWORD VALUE or KEYWORD=VALUE.")
    if not value:
        raise BadFix(f"{keyword} has no value; write {keyword}= for an undefined one.")
    inside = between_quotes(value)
    return keyword, value if inside is None else keep_text(inside)


def _completed(keyword: str, value: Any) -> Any:
    """Return a value of quality as headers have it: ``70`` of RAWIQ is ``70-percentile``."""
    if keyword in _JUDGED:
        if str(value).upper() not in _JUDGED[keyword]:
            raise _impossible(keyword, value, _JUDGED[keyword])
        return str(value).upper()
    if keyword not in _STEPS:
        return value
    text = str(value).strip()
    if text.lower() == "any":
        return "Any"
    if text.upper().startswith("UNK"):
        return "UNKNOWN"
    step = next((one for one in _STEPS[keyword] if one.isdigit() and one in re.findall(r"\d+", text)), None)
    if step is None:
        steps = [one if one == "Any" else f"{one}-percentile" for one in _STEPS[keyword]]
        raise _impossible(keyword, value, (*steps, "UNKNOWN"))
    return f"{step}-percentile"


def _impossible(keyword: str, value: Any, valid: Sequence[str]) -> ItemRefused:
    hint = suggest(str(value), valid)
    return ItemRefused(f"{keyword} cannot be '{value}'{hint}; it can be {', '.join(valid)}.")


def request_of(
    names: Sequence[str], values: dict[str, Any], *, reject_new: bool, extension: int | str | None = None
) -> dict[str, Any]:
    """Return the request that fixHead sends: one item per file, in its order of keys."""
    more = {} if extension is None else {"extension": extension}
    return {
        "request": [{"filename": name, "values": values, "reject_new": reject_new, **more} for name in names],
        "batch": False,
    }
