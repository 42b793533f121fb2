"""The words of destinations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from armillary.base.clock import Instant


class Sort(StrEnum):
    """What a destination is sent."""

    FILES = "files"
    """Files, by exports."""
    SVO = "svo"
    """Records of frames, by publishing."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that is sent something; ``pattern`` says which files, ``active`` whether a worker serves it."""

    name: str
    url: str
    pattern: str = "*"
    active: bool = True
    away_until: Instant | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """That a destination is left alone, for how many seconds more, and why."""

    left_s: float
    why: str
