"""The simulated instruments: their components on the bus, detectors, filters, and where they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ITL, E2V = "ITL", "E2V"
CORNERS = ("R00", "R04", "R40", "R44")
_TYPES: Final = {ITL: "3800C", E2V: "CCD250"}


@dataclass(frozen=True, slots=True)
class Site:
    """A place on the ellipsoid: degrees north, degrees east, metres."""

    lat_deg: float
    lon_deg: float
    height_m: float


@dataclass(frozen=True, slots=True)
class Detector:
    """A CCD in its place; sizes are those of an amplifier, without prescan and overscan."""

    raft: str
    slot: str
    vendor: str
    number: int

    @property
    def location(self) -> str:
        """Raft and slot, the id by which values are matched."""
        return f"{self.raft}_{self.slot}"

    @property
    def kind(self) -> str:
        """The type by its manufacturer."""
        return _TYPES[self.vendor]

    @property
    def cols(self) -> int:
        """Columns of an amplifier."""
        return 509 if self.vendor == ITL else 512

    @property
    def rows(self) -> int:
        """Rows of an amplifier."""
        return 2000 if self.vendor == ITL else 2002

    @property
    def prescan(self) -> int:
        """Prescan columns."""
        return 3 if self.vendor == ITL else 10


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter, or a disperser, in its slot."""

    name: str
    band: str
    slot: int


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument and the devices around it; ``components`` are names on the bus by role."""

    name: str
    code: str
    telescope: str
    site: Site
    components: Mapping[str, str]
    detectors: tuple[Detector, ...]
    filters: tuple[Filter, ...]
    gratings: tuple[Filter, ...] = ()

    @property
    def has_encoders(self) -> bool:
        """Whether azimuth and elevation come from encoders, focus from a hexapod, and a rotator is there."""
        return "hexapod" in self.components


def _raft(name: str, vendor: str, first: int) -> list[Detector]:
    slots = (
        ("SG0", "SG1", "SW0", "SW1") if name in CORNERS else tuple(f"S{n}{m}" for n in "012" for m in "012")
    )
    return [Detector(name, slot, vendor, first + at) for at, slot in enumerate(slots)]


def _rafts() -> tuple[Detector, ...]:
    found: list[Detector] = []
    for row in range(5):
        for column in range(5):
            name = f"R{row}{column}"
            vendor = ITL if name in CORNERS or (row + column) % 3 == 0 else E2V
            found += _raft(name, vendor, len(found))
    return tuple(found)


def _components(suffix: str, weather: str, **more: str) -> dict[str, str]:
    roles = ("camera", "pointing", "mount", "dome", "seeing")
    return {role: f"{role}{suffix}" for role in roles} | {"weather": f"weather:{weather}"} | more


_SUMMIT = Site(-30.2446333, -70.7494167, 2662.75)
_BROAD = tuple(Filter(f"{band}_{n:02d}", band, n % 5) for n, band in enumerate("ugrizy"))
INSTRUMENTS: Mapping[str, Instrument] = {
    one.name: one
    for one in (
        Instrument(
            "spec1",
            "SP",
            "Survey 1.2m",
            Site(-30.2447889, -70.7476862, 2663.0),
            _components("", "301", optics="optics", spectrograph="spectrograph", operator="operator:spec1"),
            tuple(Detector("R00", "S00", ITL, 0) for _ in range(1)),
            (Filter("empty_1", "white", 0), Filter("SDSSr_65mm", "r", 1), Filter("BG40", "g", 2)),
            (
                Filter("holo4_003", "R150", 0),
                Filter("ronchi170lpmm", "R200", 1),
                Filter("empty_2", "white", 2),
            ),
        ),
        Instrument(
            "cam9",
            "CN",
            "Survey 8m",
            _SUMMIT,
            _components(":9", "309", optics="optics:9", operator="operator:cam9"),
            tuple(_raft("R22", ITL, 0)),
            _BROAD,
        ),
        Instrument(
            "cam205",
            "CW",
            "Survey 8m",
            _SUMMIT,
            _components(
                ":205",
                "305",
                hexapod="hexapod:205",
                rotator="rotator:205",
                laser="laser:205",
                leds="leds:205",
                operator="operator:cam205",
            ),
            _rafts(),
            _BROAD,
        ),
    )
}
