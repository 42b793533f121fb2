"""Paths at their ends: clients join the address of a server and a path of their own, and routes are patterns."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class OneSlash:
    """A layer of the application that takes ``//jsonqastate/...`` for ``/jsonqastate/...``.

    A path that ends with a line feed is not found.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with one slash in front."""
        if scope["type"] == "http" and scope["path"].endswith("\n"):
            # The pattern of a route would match without that line feed, and the name be another one; no pattern
            # begins with one.
            scope = {**scope, "path": f"\n{scope['path']}"}
        elif scope["type"] == "http" and scope["path"].startswith("//"):
            raw: bytes = scope.get("raw_path") or b""
            scope = {**scope, "path": f"/{scope['path'].lstrip('/')}"}
            if raw:
                scope["raw_path"] = b"/" + raw.lstrip(b"/")
        await self._app(scope, receive, send)
