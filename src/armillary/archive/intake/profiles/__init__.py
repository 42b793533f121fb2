"""Instrument profiles: how the keywords of an instrument become a frame. Data, not code."""

from __future__ import annotations

from armillary.archive.intake.profiles.load import BadProfile, Profiles, load_profiles, profiles_of
from armillary.archive.intake.profiles.mapper import fields_of
from armillary.archive.intake.profiles.series import FrameReader

__all__ = ["BadProfile", "FrameReader", "Profiles", "fields_of", "load_profiles", "profiles_of"]
