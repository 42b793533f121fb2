"""Paths that begin with several slashes: clients join the address of a server and a path of their own."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class OneSlash:
    """A layer of the application that takes ``//jsonqastate/...`` for ``/jsonqastate/...``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with one slash in front."""
        if scope["type"] == "http" and scope["path"].startswith("//"):
            raw: bytes = scope.get("raw_path") or b""
            scope = {**scope, "path": f"/{scope['path'].lstrip('/')}"}
            if raw:
                scope["raw_path"] = b"/" + raw.lstrip(b"/")
        await self._app(scope, receive, send)
