"""Units that headers use, as factors to the units of a frame (s, degrees, micrometres)."""

from __future__ import annotations

UNITS: dict[str, float] = {
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "deg": 1.0,
    "rad": 57.29577951308232,
    "hour": 15.0,
    "arcmin": 1 / 60,
    "arcsec": 1 / 3600,
    "um": 1.0,
    "nm": 1e-3,
    "Angstrom": 1e-4,
    "m": 1e6,
    "1": 1.0,
}
