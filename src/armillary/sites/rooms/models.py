"""The words of control rooms."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

KIND = "room"
"""The kind of work order that asks the provider for something."""
TENDING = "tend_rooms"
"""The kind of periodic order that finds out what is due."""
TEND_S = 300.0
WINDOW = timedelta(hours=2)
"""How long after its hour a restart is made up for; later it would come as a surprise."""


class Act(StrEnum):
    """What an order of a room is about."""

    ENSURE = "ensure"
    """Let the site have a room that can be entered."""
    RESTART = "restart"
    DELETE = "delete"
    BROWSER = "browser"
    SWEEP = "sweep"
    """Delete rooms at the provider that were replaced."""


class Resolution(StrEnum):
    """How large the picture of a shared browser is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    MOBILE = "mobile"


@dataclass(frozen=True, slots=True)
class Room:
    """A room at a provider; after ``expires`` its address leads nowhere any more."""

    site: str
    provider: str
    room_id: str
    slug: str
    url: str
    config: dict[str, Any] = field(default_factory=dict)
    configured: bool = False
    expires: datetime | None = None
    made: datetime | None = None

    def is_good(self, provider: str, now: datetime) -> bool:
        """Tell whether people can enter it, for a while at least."""
        return self.provider == provider and self.configured and (self.expires is None or self.expires > now)

    @property
    def document(self) -> dict[str, Any]:
        """What clients are told of it."""
        return {
            "site": self.site,
            "slug": self.slug,
            "room_id": self.room_id,
            "url": self.url,
            "config": self.config,
        }


@dataclass(frozen=True, slots=True)
class Reply:
    """What a provider said, for whoever asked to read."""

    status: int
    body: Any


class Provider(Protocol):
    """Who has rooms.

    All of it may raise ProviderFailed, and may be given up at any moment. `delete` of a room that is gone is no
    failure. `configure` returns the room as it is from then on. `find` returns a room of a site that was made and
    perhaps not recorded, None if the provider does not tell.
    """

    @property
    def name(self) -> str:
        """The word for it in the settings."""
        ...

    async def create(self, site: str) -> Room: ...

    async def configure(self, room: Room) -> Room: ...

    async def delete(self, room: Room) -> None: ...

    async def find(self, site: str) -> Room | None: ...

    async def new_browser(self, resolution: Resolution, initial_url: str) -> Reply: ...


def is_due(hour: int, now: datetime, made: datetime) -> bool:
    """Tell whether a room that was made at an instant is to be restarted, at an hour (UTC) of every day."""
    last = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    if last > now:
        last -= timedelta(days=1)
    return made < last and now - last < WINDOW
