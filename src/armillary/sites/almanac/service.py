"""What others may ask of the almanac of sites."""

from armillary.sites.almanac.answers import (
    as_csv,
    find_place,
    moon_passages,
    night_events,
    night_sky,
    site_schedule,
    timed_events,
    year_events,
)
from armillary.sites.almanac.moon import read_moment
from armillary.sites.almanac.nights import read_instant, start_of_night
from armillary.sites.almanac.places import number_of
from armillary.sites.almanac.skies import Altitudes, NightSky
from armillary.sky.ephemeris import EPOCH_JD

__all__ = [
    "EPOCH_JD",
    "Altitudes",
    "NightSky",
    "as_csv",
    "find_place",
    "moon_passages",
    "night_events",
    "night_sky",
    "number_of",
    "read_instant",
    "read_moment",
    "site_schedule",
    "start_of_night",
    "timed_events",
    "year_events",
]
