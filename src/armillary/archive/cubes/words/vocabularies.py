"""What is seen in a cube, in the words of vocabularies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from armillary.archive.cubes.reading import text_of
from armillary.base.text import storable
from armillary.fits.models import Value

FEATURES, EVENTS = "FEATURES", "EVENTS"
KEYWORDS: Final = (FEATURES, EVENTS)
"""Keywords of the primary header that hold words, each of which has a vocabulary of its name."""
NOT_ASSESSED: Final = "MISSING"
LONGEST_TERM = 200
LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The terms that a keyword may hold, as they are to be spelled."""

    name: str
    terms: tuple[str, ...]
    digest: str

    @classmethod
    def of_terms(cls, name: str, terms: Iterable[str]) -> Vocabulary:
        """Return the vocabulary of some terms; of those that differ in case only the first one counts."""
        kept: dict[str, str] = {}
        for one in terms:
            kept.setdefault(one.casefold(), one)
        words = tuple(kept.values())
        return cls(name, words, hashlib.sha256(json.dumps(words).encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is seen in a cube.

    Attributes
    ----------
    tags
        Pairs of vocabulary and term.
    features, events
        Whether anybody has assessed the cube for them.
    warnings
        Words that no vocabulary knows.
    digest
        By which vocabularies the tags were found; None while one of them is not there, and tags may be missing.
    """

    tags: tuple[tuple[str, str], ...]
    features: bool
    events: bool
    warnings: tuple[str, ...]
    digest: str | None


def terms_of(content: bytes) -> list[str]:
    """Return the terms of a vocabulary, one in each line, without those around it that nobody sees.

    Raises
    ------
    ValueError
        If it is no such text; the message is the reason.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no text in UTF-8 (byte {error.start})") from None
    terms = [term for line in text.splitlines() if (term := line.strip())]
    if not terms:
        raise ValueError("it has no terms")
    if odd := next(
        (one for one in terms if len(one) > LONGEST_TERM or not storable(one) or "<" in one), None
    ):
        raise ValueError(f"'{_shown(odd)}' is no term; there should be one in each line")
    return terms


def assess(values: Mapping[str, Value], vocabularies: Mapping[str, Vocabulary | None]) -> Assessment:
    """Return what a primary header says to be seen.

    Parameters
    ----------
    vocabularies
        Those that are configured, by their names; None stands for one that nobody has read so far.
    """
    tags: list[tuple[str, str]] = []
    warnings: list[str] = []
    assessed = dict.fromkeys(KEYWORDS, False)
    for keyword in KEYWORDS:
        if (words := _words(values, keyword)) is None:
            continue
        vocabulary = vocabularies.get(keyword)
        if vocabulary is not None:
            assessed[keyword] = True
            tags += [(keyword, term) for term in _known(vocabulary, words, warnings)]
        elif keyword not in vocabularies:
            assessed[keyword] = True
            warnings += [
                f"{keyword}: '{_shown(word)}' is no tag, as sst.vocabularies has none" for word in words
            ]
    return Assessment(
        tuple(dict.fromkeys(tags)),
        assessed[FEATURES],
        assessed[EVENTS],
        tuple(dict.fromkeys(warnings)),
        digest_of(vocabularies),
    )


def digest_of(vocabularies: Mapping[str, Vocabulary | None]) -> str | None:
    """Return what is equal for equal vocabularies; empty without any, None while one of them is not there."""
    digests = [(name, one.digest if one else None) for name, one in sorted(vocabularies.items())]
    if any(digest is None for _, digest in digests):
        return None
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest() if digests else ""


def _words(values: Mapping[str, Value], keyword: str) -> Sequence[str] | None:
    """Return the words of a keyword; None if nobody has assessed the cube."""
    value = values.get(keyword)
    if value is None or text_of(values, keyword) == NOT_ASSESSED:
        return None
    return [word for part in text_of(values, keyword).split(",") if (word := part.strip())]


def _known(vocabulary: Vocabulary, words: Sequence[str], warnings: list[str]) -> list[str]:
    """Return the terms that words mean; those that mean none are warnings."""
    spelled = {term.casefold(): term for term in vocabulary.terms}
    found = []
    for word in words:
        if (term := spelled.get(word.casefold())) is not None:
            found.append(term)
        else:
            warnings.append(f"{vocabulary.name}: '{_shown(word)}' is not in the vocabulary")
    return found


def _shown(word: str) -> str:
    return word if len(word) <= LONGEST_SHOWN else f"{word[: LONGEST_SHOWN - 3]}..."
