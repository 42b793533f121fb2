"""What is told of sites, by routes and commands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from armillary.base.clock import Instant


@dataclass(frozen=True, slots=True)
class ConfigVersion:
    """One version of a configuration; ``sha256`` is null if it records that the configuration was deleted.

    The digest is that of the JSON with sorted keys, without spaces, in UTF-8.
    """

    version: int
    created_at: Instant
    actor: str
    sha256: str | None
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class WholeConfig:
    """One version of a configuration with its content; null if that was deleted."""

    site: str
    version: int
    created_at: Instant
    actor: str
    sha256: str | None
    warnings: list[str]
    configuration: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ConfigDifference:
    """A value that differs; ``path`` is a JSON Pointer (RFC 6901). A value that is absent is null."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class EffectiveConfig:
    """A configuration completed by that of its WEMA; ``inherited`` names the keys that come from there."""

    site: str
    wema: str | None
    inherited: list[str]
    configuration: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of the night log. ``verified`` tells whether a token says who the author is.

    ``corrects`` is the entry that this one corrects, if it corrects one.
    """

    id: int
    site: str
    night: date
    created_at: Instant
    author: str
    verified: bool
    text: str
    corrects: int | None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries of the night log, the latest first; ``cursor`` leads to earlier ones, null if there are none."""

    entries: list[LogEntry]
    cursor: str | None
