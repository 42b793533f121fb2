"""The functions of expressions, and how many arguments each takes; rendering gives them their meaning."""

from __future__ import annotations

FUNCTIONS: dict[str, tuple[int, int]] = {
    "mjd": (1, 1),
    "nite": (0, 1),
    "dayobs": (0, 1),
    "exposure_id": (2, 2),
    "obsgeo_x": (0, 0),
    "obsgeo_y": (0, 0),
    "obsgeo_z": (0, 0),
    "hour_angle": (1, 1),
    "altitude": (2, 2),
    "azimuth": (2, 2),
    "parallactic_angle": (2, 2),
    "airmass": (1, 2),
}
LOCAL = frozenset(FUNCTIONS) - {"mjd", "nite", "dayobs", "exposure_id", "airmass"}
"""Those that depend on where the telescope is."""
