"""Rooms at a server of the operator's own: an address with a signed token, as meeting servers take it.

The token is a JSON Web Token (RFC 7519) signed by HMAC-SHA256 with the secret that both know. It names the room,
the site and its end; a room whose token is about to end is given a new one when somebody asks for it.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from armillary.base.clock import Clock
from armillary.settings import RoomSettings
from armillary.sites.rooms.models import Reply, Resolution, Room
from armillary.sites.rooms.secret import secret_of

ISSUER = "armillary"


class SelfHosted:
    """The provider `selfhosted`: whoever has the address and its token opens the room."""

    name = "selfhosted"

    def __init__(
        self,
        settings: RoomSettings,
        clock: Clock,
        *,
        new_word: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._settings, self._clock, self._new_word = settings, clock, new_word

    async def create(self, site: str) -> Room:
        """Give a new room a name that nobody guesses."""
        word = self._new_word()
        slug = f"control-room-{site}-{word}"
        return self._addressed(Room(site, self.name, word, slug, ""))

    async def configure(self, room: Room) -> Room:
        """Give the room an address with a new token."""
        return dataclasses.replace(self._addressed(room), configured=True)

    async def delete(self, room: Room) -> None:
        """Do nothing: its token ends, and its name is never given again."""

    async def find(self, site: str) -> Room | None:
        """Return None: a room is there when somebody enters it."""
        return None

    async def new_browser(self, resolution: Resolution, initial_url: str) -> Reply:
        """Return the address of a room of its own, whose token tells page and size."""
        slug = f"browser-{self._new_word()}"
        url, _ = self._address(slug, "", {"url": initial_url, "resolution": str(resolution)})
        return Reply(200, {"data": {"instanceURN": slug, "embedURL": url}})

    def _addressed(self, room: Room) -> Room:
        url, expires = self._address(room.slug, room.site, {})
        return dataclasses.replace(room, url=url, expires=expires)

    def _address(self, slug: str, site: str, more: Mapping[str, Any]) -> tuple[str, datetime]:
        now = self._clock.now().replace(microsecond=0)
        expires = now + timedelta(hours=self._settings.token_h)
        claims = {
            "iss": ISSUER,
            "aud": ISSUER,
            "room": slug,
            "site": site,
            "iat": int(now.timestamp()),
            "exp": int(expires.timestamp()),
            **more,
        }
        names = {
            "site": quote(site, safe=""),
            "room": quote(slug, safe=""),
            "token": signed(claims, secret_of(self._settings)),
        }
        # People who enter just before the end get a new token, too.
        return self._settings.template.format(**names), now + (expires - now) / 2


def signed(claims: Mapping[str, Any], key: str) -> str:
    """Return claims as a JSON Web Token (RFC 7515, HS256)."""
    parts = [
        json.dumps(one, separators=(",", ":")).encode() for one in ({"alg": "HS256", "typ": "JWT"}, claims)
    ]
    said = ".".join(map(_base64, parts))
    return f"{said}.{_base64(hmac.digest(key.encode(), said.encode(), hashlib.sha256))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
