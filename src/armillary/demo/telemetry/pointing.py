"""Where the telescope points at any instant of the night: still, on the way, or with the sky.

Between two instants, a place of date and the sidereal time at the beginning tell all the rest by spherical
trigonometry, without refraction. Polar motion and the aberration of the day are left out: together 0.6 arcseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from armillary.demo.telemetry.astronomy import SECOND, Floats
from armillary.demo.telemetry.instruments import Site

SIDEREAL_DEG_PER_S = 360.985647366 / 86_400
"""How fast sidereal time goes, degrees per second of UT1 (IERS Conventions 2010, equation 5.15)."""


@dataclass(frozen=True, slots=True)
class Sky:
    """What is known of a target, or of a still telescope, from an instant on.

    Without ``ra_deg`` (of date) the telescope stands at ``az_deg`` and ``el_deg``. The ``catalogue`` is the ICRS
    position, which pointing reports; ``rotation_deg`` is the position angle on the sky.
    """

    start: int
    sidereal_deg: float
    ra_deg: float | None = None
    dec_deg: float = 0.0
    az_deg: float = 0.0
    el_deg: float = 90.0
    catalogue: tuple[float, float] = (0.0, 0.0)
    rotation_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the telescope points at instants, degrees, as devices round it."""

    azimuth: Floats
    elevation: Floats
    hour_angle: Floats
    parallactic: Floats
    ra: Floats
    dec: Floats
    rotation: Floats


class Path:
    """The way of the telescope through the night: targets, and the slews between them."""

    def __init__(self, site: Site, skies: list[Sky], slews: list[tuple[int, int]]) -> None:
        self._site, self._skies = site, skies
        self._starts = [one.start for one in skies]
        self._slews = slews

    def at(self, tai_ns: list[int]) -> Reading:
        """Return what devices say at instants, which lie in the same target or the slew to it."""
        place = max(0, bisect_right(self._starts, tai_ns[0]) - 1)
        found = self._followed(self._skies[place], tai_ns)
        start, end = self._slews[place]
        if place == 0 or tai_ns[0] >= end:
            return _rounded(found)
        before = self._followed(self._skies[place - 1], [start])
        after = self._followed(self._skies[place], [end])
        part = np.clip((np.array(tai_ns) - start) / (end - start), 0.0, 1.0)
        turn = _wrapped(after.azimuth[0] - before.azimuth[0])
        azimuth = (before.azimuth[0] + turn * part) % 360.0
        elevation = before.elevation[0] + (after.elevation[0] - before.elevation[0]) * part
        return _rounded(self._from_horizon(self._skies[place], tai_ns, azimuth, elevation))

    def _followed(self, sky: Sky, tai_ns: list[int]) -> Reading:
        sidereal = self._sidereal(sky, tai_ns)
        if sky.ra_deg is None:
            still = np.full(len(tai_ns), 1.0)
            return self._from_horizon(sky, tai_ns, still * sky.az_deg, still * sky.el_deg)
        hour_angle = _wrapped(sidereal - sky.ra_deg)
        h, d, p = np.radians(hour_angle), np.radians(sky.dec_deg), np.radians(self._site.lat_deg)
        elevation = np.degrees(np.arcsin(np.sin(p) * np.sin(d) + np.cos(p) * np.cos(d) * np.cos(h)))
        azimuth = np.degrees(
            np.arctan2(-np.cos(d) * np.sin(h), np.sin(d) * np.cos(p) - np.cos(d) * np.cos(h) * np.sin(p))
        )
        parallactic = np.degrees(np.arctan2(np.sin(h), np.tan(p) * np.cos(d) - np.sin(d) * np.cos(h)))
        ones = np.ones(len(tai_ns))
        ra, dec = sky.catalogue
        return Reading(
            azimuth % 360.0,
            elevation,
            hour_angle,
            parallactic,
            ones * ra,
            ones * dec,
            ones * sky.rotation_deg,
        )

    def _from_horizon(self, sky: Sky, tai_ns: list[int], azimuth: Floats, elevation: Floats) -> Reading:
        a, e, p = np.radians(azimuth), np.radians(elevation), np.radians(self._site.lat_deg)
        sin_dec = np.clip(np.sin(p) * np.sin(e) + np.cos(p) * np.cos(e) * np.cos(a), -1.0, 1.0)
        hour_angle = np.degrees(
            np.arctan2(-np.cos(e) * np.sin(a), np.sin(e) * np.cos(p) - np.cos(e) * np.cos(a) * np.sin(p))
        )
        h, dec = np.radians(hour_angle), np.arcsin(sin_dec)
        parallactic = np.degrees(np.arctan2(np.sin(h), np.tan(p) * np.cos(dec) - np.sin(dec) * np.cos(h)))
        ra = (self._sidereal(sky, tai_ns) - hour_angle) % 360.0
        rotation = np.zeros(len(tai_ns))
        return Reading(azimuth, elevation, _wrapped(hour_angle), parallactic, ra, np.degrees(dec), rotation)

    def _sidereal(self, sky: Sky, tai_ns: list[int]) -> Floats:
        seconds = np.array([(ns - sky.start) / SECOND for ns in tai_ns])
        return sky.sidereal_deg + SIDEREAL_DEG_PER_S * seconds


def _wrapped(degrees: Floats) -> Floats:
    """Return angles in -180 to 180 degrees."""
    return (degrees + 180.0) % 360.0 - 180.0


def _rounded(found: Reading) -> Reading:
    # Digits that no device has would also be those in which machines differ.
    return Reading(
        np.round(found.azimuth, 6) % 360.0,
        np.round(found.elevation, 6),
        np.round(found.hour_angle, 6),
        np.round(found.parallactic, 6),
        np.round(found.ra, 7),
        np.round(found.dec, 7),
        np.round(found.rotation, 6),
    )
