"""Rooms at RemoteHQ, by its HTTP interface; see https://api.remotehq.com/v1 and the settings `rooms.*`.

It has no call that lists rooms: a room whose making was never answered cannot be found again.
"""

from __future__ import annotations

import dataclasses
import json
import re
from http import HTTPStatus
from typing import Any

import httpx

from armillary.base import certificates
from armillary.settings import RoomSettings
from armillary.sites.rooms.errors import ProviderFailed
from armillary.sites.rooms.models import Reply, Resolution, Room
from armillary.sites.rooms.secret import secret_of

MAX_REPLY = 1 << 20
APP = "com.remotehq.app.cloudbrowser"
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,200}")
_MEANT = range(400, 600)


class RemoteHq:
    """The provider `remotehq`."""

    name = "remotehq"

    def __init__(self, settings: RoomSettings) -> None:
        self._settings, self._base = settings, settings.url.rstrip("/")

    async def create(self, site: str) -> Room:
        """Make a room that guests may enter."""
        body = {
            "name": f"control-room-{site}",
            "allowGuestAccess": True,
            "videoConferenceEnabled": True,
            "imageURL": self._settings.image_url,
            "type": "collaboration",
        }
        status, said = await self._ask("POST", "/rooms", body)
        if status != HTTPStatus.CREATED:
            raise ProviderFailed(f"POST /rooms: status {status} instead of 201")
        data = _data(said, "/rooms")
        room_id, slug, url = (_text(data, key, "/rooms") for key in ("id", "slug", "url"))
        if not _SLUG.fullmatch(slug) or not url.startswith(("https://", "http://")):
            raise ProviderFailed("POST /rooms: the reply has no slug and url that can be used")
        return Room(site, self.name, room_id, slug, url)

    async def configure(self, room: Room) -> Room:
        """Let the room begin with a shared browser at the page of its site."""
        config = {
            "url": self._settings.page.replace("{site}", room.site),
            "region": self._settings.region,
            "kioskModeEnabled": True,
            "incognitoModeEnabled": False,
        }
        body = {"id": APP, "permissionMode": "editable", "autoStart": True, "config": config}
        path = f"/rooms/{room.slug}/room-app-config"
        status, _ = await self._ask("PUT", path, body)
        if not _is_good(status):
            raise ProviderFailed(f"PUT {path}: status {status}")
        return dataclasses.replace(room, config=config, configured=True)

    async def delete(self, room: Room) -> None:
        """Delete a room; one that is gone already is as good."""
        path = f"/rooms/{room.slug}"
        status, _ = await self._ask("DELETE", path)
        if status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND):
            raise ProviderFailed(f"DELETE {path}: status {status}")

    async def find(self, site: str) -> Room | None:
        """Return None: nothing there tells."""
        return None

    async def new_browser(self, resolution: Resolution, initial_url: str) -> Reply:
        """Start a browser of its own, and return what is said of it."""
        body = {
            "kioskModeEnabled": False,
            "incognitoModeEnabled": False,
            "browserURL": initial_url,
            "resolution": str(resolution),
            "region": self._settings.region,
        }
        status, said = await self._ask("POST", "/cb", body)
        found = _json(said, "/cb")
        if _is_good(status):
            data = _data(said, "/cb")
            for key in ("instanceURN", "embedURL"):
                _text(data, key, "/cb")
        elif status not in _MEANT:
            raise ProviderFailed(f"POST /cb: status {status}")
        return Reply(status, found)

    async def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Return status and body of an answer that is not endless."""
        headers = {"Authorization": f"Bearer {secret_of(self._settings)}"}
        said = bytearray()
        try:
            async with (
                httpx.AsyncClient(
                    timeout=self._settings.timeout_s, verify=certificates.trusted(), trust_env=False
                ) as http,
                http.stream(method, f"{self._base}{path}", headers=headers, json=body) as response,
            ):
                async for chunk in response.aiter_bytes():
                    said += chunk
                    if len(said) > MAX_REPLY:
                        raise ProviderFailed(f"{method} {path}: the reply is longer than {MAX_REPLY} bytes")
                return _status(response.status_code, method, path), bytes(said)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ProviderFailed(f"{method} {path}: {type(error).__name__}: {error}") from None


def _is_good(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _status(status: int, method: str, path: str) -> int:
    try:
        return HTTPStatus(status).value
    except ValueError:
        raise ProviderFailed(f"{method} {path}: {status} is no status") from None


def _json(said: bytes, path: str) -> Any:
    try:
        found = json.loads(said, parse_constant=_no_constant)
        # It is kept with the order, and sent on.
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise ProviderFailed(f"{path}: the reply is no JSON") from None
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _data(said: bytes, path: str) -> dict[str, Any]:
    found = _json(said, path)
    data = found.get("data") if isinstance(found, dict) else None
    if not isinstance(data, dict):
        raise ProviderFailed(f"{path}: the reply has no object 'data'")
    return data


def _text(data: dict[str, Any], key: str, path: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ProviderFailed(f"{path}: the reply has no text 'data.{key}'")
    return value
