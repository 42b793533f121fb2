"""Instrument profiles: how the keywords of an instrument become a frame. Data, not code."""

from __future__ import annotations

from armillary.archive.profiles.load import BadProfile, Profiles, load_profiles
from armillary.archive.profiles.mapper import frame_of

__all__ = ["BadProfile", "Profiles", "frame_of", "load_profiles"]
