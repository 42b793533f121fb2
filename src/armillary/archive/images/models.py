"""Words of images: where their files are, and how long they stay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from armillary.base.feed.models import Topic
from armillary.fits.containers import logical_name

IMAGEDATA = Topic(
    "imagedata", gone="Older announcements are forgotten: ask for the latest images, then go on."
)
"""Announcements of images that queries find, in the order of their commits."""
ARRIVAL = "image_arrival"
"""The kind of order that looks at a file that arrived."""
TEST_SITE = "tst"


class Directory(StrEnum):
    """What files are for, and the first part of their keys."""

    DATA = "data"
    INFO = "info-images"
    ALLSKY = "allsky"
    TEST = "test"


def place_of(root_id: int, key: str) -> tuple[int, str, str]:
    """Return the place of an object in the catalog: root, directory, logical name."""
    path, _, filename = key.rpartition("/")
    return root_id, path, logical_name(filename)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long images and notes of arrivals are kept; None: for ever."""

    by_type: dict[str, timedelta]
    of_tests: timedelta
    notes: timedelta

    def expires(self, site: str, kind: str, now: datetime) -> datetime | None:
        """Return when an image that arrives now is forgotten."""
        if site == TEST_SITE and kind in self.by_type:
            return now + self.of_tests
        kept = self.by_type.get(kind)
        return now + kept if kept else None


RETENTION = Retention(
    by_type={"EP": timedelta(days=7), "EF": timedelta(days=1)},
    of_tests=timedelta(minutes=5),
    notes=timedelta(hours=48),
)
