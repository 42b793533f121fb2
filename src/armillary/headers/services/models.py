"""The states of a service, its commands, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from armillary.base.clock import Instant


class TakenOver(Exception):
    """Another process is the service of this instrument by now."""


class ServiceState(StrEnum):
    """What a service does. The bus logs samples in every state."""

    STANDBY = "STANDBY"
    """It has no configuration, and waits."""
    DISABLED = "DISABLED"
    """It follows exposures, and builds no headers."""
    ENABLED = "ENABLED"
    """It follows exposures and builds their headers."""
    FAULT = "FAULT"
    """It cannot go on by itself; the error says why."""
    OFFLINE = "OFFLINE"
    """It was told to exit."""


class Command(StrEnum):
    """What a service can be told."""

    START = "start"
    ENABLE = "enable"
    DISABLE = "disable"
    STANDBY = "standby"
    EXIT = "exit"
    STATUS = "status"
    SET_LOG_LEVEL = "set_log_level"
    RELOAD_CONFIG = "reload_config"
    REBUILD = "rebuild"
    RECONCILE = "reconcile"
    REANNOUNCE = "reannounce"


TRANSITIONS: Mapping[Command, tuple[frozenset[ServiceState], ServiceState]] = {
    Command.START: (frozenset({ServiceState.STANDBY}), ServiceState.DISABLED),
    Command.ENABLE: (frozenset({ServiceState.DISABLED}), ServiceState.ENABLED),
    Command.DISABLE: (frozenset({ServiceState.ENABLED}), ServiceState.DISABLED),
    Command.STANDBY: (frozenset({ServiceState.DISABLED, ServiceState.FAULT}), ServiceState.STANDBY),
    Command.EXIT: (frozenset({ServiceState.STANDBY}), ServiceState.OFFLINE),
}
"""From which states a command leads to which; commands that are not here are accepted in every state."""
FOLLOWING = frozenset({ServiceState.DISABLED, ServiceState.ENABLED})
"""States in which a service has a configuration and takes events in."""


class Service(Struct, frozen=True):
    """The row of a service."""

    instrument: str
    state: ServiceState = ServiceState.STANDBY
    error_code: str | None = None
    message: str | None = None
    config: int | None = None
    epoch: int = 0


class Facts(Struct, frozen=True):
    """What a process tells of itself every second."""

    version: str
    pid: int
    host: str
    config_rev: str | None = None
    template_revs: dict[str, str] = {}
    code_rev: str | None = None
    simulation: bool = False
    log_level: str = "WARNING"
    open_exposures: int = 0
    backlog: bool = False


class ServiceStatus(Struct, frozen=True):
    """How a service is: ``alive`` says that a process has told of itself in the last seconds."""

    instrument: str
    state: ServiceState
    alive: bool
    heartbeat: Instant | None = None
    since: Instant | None = None
    error_code: str | None = None
    message: str | None = None
    facts: Facts | None = None


class Order(Struct, frozen=True):
    """A command that waits: who gave it, and its arguments."""

    id: int
    name: Command
    arguments: dict[str, Any]
    actor: str


class Outcome(Struct, frozen=True):
    """What became of a command: `done`, `refused` or `failed`, the code and reason if not, else the result."""

    outcome: str
    code: str | None = None
    reason: str | None = None
    result: dict[str, Any] = {}


class Config(Struct, frozen=True):
    """A stored configuration: its number, and its revisions."""

    id: int
    config_rev: str
