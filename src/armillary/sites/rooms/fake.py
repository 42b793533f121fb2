"""Rooms that are nowhere, for tests and demonstrations."""

from __future__ import annotations

import dataclasses
import uuid

from armillary.sites.rooms.models import Reply, Resolution, Room

BASE = "https://rooms.invalid"


class FakeRooms:
    """The provider `fake`: it remembers its rooms as long as the process lives."""

    name = "fake"

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}

    async def create(self, site: str) -> Room:
        """Make a room."""
        word = uuid.uuid4().hex
        slug = f"control-room-{site}-{word[:8]}"
        room = Room(site, self.name, word, slug, f"{BASE}/{slug}")
        self.rooms[slug] = room
        return room

    async def configure(self, room: Room) -> Room:
        """Take a room as it is."""
        config = {"url": f"{BASE}/site/{room.site}", "kioskModeEnabled": True, "incognitoModeEnabled": False}
        return dataclasses.replace(room, config=config, configured=True)

    async def delete(self, room: Room) -> None:
        """Forget a room."""
        self.rooms.pop(room.slug, None)

    async def find(self, site: str) -> Room | None:
        """Return the latest room of a site."""
        return next((one for one in reversed(self.rooms.values()) if one.site == site), None)

    async def new_browser(self, resolution: Resolution, initial_url: str) -> Reply:
        """Say that there is a browser."""
        word = uuid.uuid4().hex
        return Reply(200, {"data": {"instanceURN": f"urn:fake:{word}", "embedURL": f"{BASE}/browser/{word}"}})
