"""From header bytes to what the catalog keeps of them: values and frame, fast for files of a series."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from armillary.archive.fields import Fields
from armillary.archive.intake.profiles import FrameReader, Profiles
from armillary.fits.series import HeaderValues, SeriesReader


@dataclass(frozen=True, slots=True)
class Described:
    """What the headers of a file say."""

    values: HeaderValues
    fields: Fields


class Describer:
    """Reads the headers of many files; for one thread."""

    def __init__(self, profiles: Profiles, default_site: str) -> None:
        self.profiles = profiles
        self.series = SeriesReader()
        self._frames = FrameReader(profiles, default_site)

    def describe(self, headers: Sequence[bytes], name: str) -> Described:
        """Return what the headers of all HDUs of the file with a logical name say."""
        values = self.series.read(headers)
        return Described(values, self.fields(values, name))

    def fields(self, values: HeaderValues, name: str) -> Fields:
        """Return what the values of all headers say of the frame of a file."""
        return self._frames.fields(values, name)


class _Describers(threading.local):
    def __init__(self) -> None:
        self.of_site: dict[str, Describer] = {}


_describers = _Describers()


def describer_of(profiles: Profiles, default_site: str) -> Describer:
    """Return this thread's describer, which remembers the series that it has read."""
    found = _describers.of_site.get(default_site)
    if found is None or found.profiles is not profiles:
        found = _describers.of_site[default_site] = Describer(profiles, default_site)
    return found
