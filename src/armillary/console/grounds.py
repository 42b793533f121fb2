"""Where a site is and how it names its nights: by its configuration, or by what profiles of instruments know."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from armillary.archive.intake import service as intake
from armillary.context import Context
from armillary.sites import service as sites
from armillary.sites.almanac import service as almanac
from armillary.sites.almanac.errors import PlaceMissing, UnknownZone
from armillary.sites.almanac.models import SitePlace
from armillary.sites.errors import UnknownSite
from armillary.sites.models import is_site
from armillary.sky.nights import NOON_UTC, NightRule


@dataclass(frozen=True, slots=True)
class Ground:
    """A site: where it is, or why that is not known; ``configured`` tells whether it sent a configuration."""

    site: str
    rule: NightRule
    title: str = ""
    place: SitePlace | None = None
    zone: ZoneInfo | None = None
    lack: str = ""
    configured: bool = False

    @property
    def known(self) -> bool:
        """Whether anything is known of it besides its frames."""
        return self.configured or self.place is not None


async def ground_of(context: Context, site: str) -> Ground:
    """Return what is known of a site; of any text, since headers may call a site anything."""
    lack = "Where it is has nobody said: it has no configuration, and no profile of an instrument names its place."
    if not is_site(site):
        return _by_profile(context, site, lack)
    async with context.database.begin() as connection:
        try:
            place = await almanac.find_place(connection, site)
        except UnknownSite:
            return _by_profile(context, site, lack)
        except (PlaceMissing, UnknownZone) as error:
            rule = await sites.night_rule(connection, site)
            return Ground(site, rule, zone=rule.zone, lack=error.message, configured=True)
    return Ground(site, place.rule, place=place, zone=sites.zone_of(place.zone), configured=True)


def _by_profile(context: Context, site: str, lack: str) -> Ground:
    profiles = intake.profiles_of(context.settings.archive.profiles)
    found = profiles.sites.get(site)
    if found is None:
        return Ground(site, NOON_UTC, lack=lack)
    # Its nights are those of its frames; the zone of the place would only name them, and is not asked.
    place = SitePlace(
        site, found.latitude_deg, found.longitude_deg, found.zone or "UTC", elevation_m=found.height_m
    )
    return Ground(
        site, profiles.night_rule(site, None), title=found.title, place=place, zone=sites.zone_of(found.zone)
    )
