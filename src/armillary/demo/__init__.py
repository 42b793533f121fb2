"""A night that never was: files of three instruments to try everything with."""

from __future__ import annotations

from armillary.demo.night import make_night, night_names

__all__ = ["make_night", "night_names"]
