"""Fields of the frames of a series: only what their headers say differently is asked again.

The answer of a source follows from the values of the keywords that it asks for. They are noted while the first
file of a series is read; for another file only those fields are asked again whose keywords differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from weakref import WeakKeyDictionary

from armillary.archive.fields import Fields
from armillary.archive.intake.profiles.load import Profiles
from armillary.archive.intake.profiles.lookup import FILENAME, Lookup, WatchedLookup, lookup_of
from armillary.archive.intake.profiles.mapper import Answers, assemble, fields_of
from armillary.archive.intake.profiles.plan import Profile, Question
from armillary.archive.intake.profiles.reading import Reading
from armillary.fits.models import Value
from armillary.fits.series import HeaderValues, Series

MAX_HDUS = 64
"""Headers of a file that are asked for its frame."""
MAX_SETS = 256
"""Sets of changed keywords whose questions are remembered."""
Headers = Sequence[Mapping[str, Value]]


class FrameReader:
    """Tells the fields of the frames of many files; for one thread."""

    def __init__(self, profiles: Profiles, default_site: str) -> None:
        self._profiles = profiles
        self._site = default_site
        self._known: WeakKeyDictionary[Series, _First] = WeakKeyDictionary()

    def fields(self, read: HeaderValues, filename: str) -> Fields:
        """Return what `fields_of` returns."""
        headers = read.headers[:MAX_HDUS]
        if read.series is not None:
            first = self._known.get(read.series)
            if first is None:
                values = read.series.values[:MAX_HDUS]
                first = self._known[read.series] = _First(values, read.series.headers, self._profiles)
            lookup = lookup_of(headers, filename, read.raw)
            if first.is_alike(lookup, read.changed):
                reading, answers = first.ask_again(lookup, read.changed)
                return assemble(answers, reading, self._profiles, self._site)
        return fields_of(
            headers, filename=filename, profiles=self._profiles, default_site=self._site, raw=read.raw
        )


class _First:
    """What the first file of a series says, and which keywords each answer came from."""

    def __init__(self, headers: Headers, raw: Sequence[bytes], profiles: Profiles) -> None:
        asked = set[str]()
        lookup = WatchedLookup.watch(lookup_of(headers, "", raw), asked)
        self._profile = profiles.choose(lookup)
        # How the headers of a file combine depends on ZSIMPLE.
        self._choosing = frozenset(asked) | {"ZSIMPLE"}
        self._by_name = [one for one in _up_to(self._profile, profiles) if _asks_for_name(one, lookup)]
        self._answers = Answers()
        self._always = set[int]()
        self._concerns: dict[frozenset[str], Sequence[int]] = {}
        self._asking: dict[str, list[int]] = defaultdict(list)
        reading = Reading(lookup, self._profile)
        for number, question in enumerate(self._profile.fields):
            asked.clear()
            self._answers.ask(reading, question)
            self._depends(number, asked)
            if _asks_for_start(question):
                self._always.add(number)
        asked.clear()
        self._answers.ask_position(reading)
        self._depends(len(self._profile.fields), asked)
        self._always.update(self._asking.pop(FILENAME, ()))

    def _depends(self, number: int, keywords: Iterable[str]) -> None:
        for keyword in keywords:
            self._asking[keyword].append(number)

    def is_alike(self, lookup: Lookup, changed: frozenset[str]) -> bool:
        """Tell whether another file, whose headers differ in some keywords, has the same profile."""
        return self._choosing.isdisjoint(changed) and all(
            one.matches(lookup) is (one is self._profile) for one in self._by_name
        )

    def ask_again(self, lookup: Lookup, changed: frozenset[str]) -> tuple[Reading, Answers]:
        """Return what another file of the series says."""
        reading = Reading(lookup, self._profile)
        known = self._answers
        answers = Answers(dict(known.values), known.position, known.day, dict(known.warnings))
        fields = self._profile.fields
        for number in self._concerned(changed):
            if number < len(fields):
                answers.ask(reading, fields[number])
            else:
                answers.ask_position(reading)
        return reading, answers

    def _concerned(self, changed: frozenset[str]) -> Sequence[int]:
        """Return the questions whose answers may be others, in their order."""
        found = self._concerns.get(changed)
        if found is None:
            numbers = self._always.union(*(self._asking.get(keyword, ()) for keyword in changed))
            if len(self._concerns) >= MAX_SETS:
                self._concerns.clear()
            found = self._concerns[changed] = sorted(numbers)
        return found


def _up_to(chosen: Profile, profiles: Profiles) -> Iterator[Profile]:
    for profile in profiles.ordered:
        yield profile
        if profile is chosen:
            return


def _asks_for_name(profile: Profile, lookup: WatchedLookup) -> bool:
    lookup.asked.clear()
    profile.matches(lookup)
    return FILENAME in lookup.asked


def _asks_for_start(question: Question) -> bool:
    return any(source.source.read == "time_of_day" for source in question[2])
