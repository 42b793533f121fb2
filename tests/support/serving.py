"""The application inside a test, with the rights that the web process has in the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from armillary.app import create_app
from armillary.context import Context
from armillary.settings.auth import AuthSettings
from tests.support.archive import Archive
from tests.support.conformity import hold
from tests.support.rights import a_key


@asynccontextmanager
async def serving(web: Context, **auth: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Serve with the parts of a web process; answers of `/v1` have to be as OpenAPI says."""
    settings = web.settings.model_copy(update={"auth": AuthSettings.model_validate(auth)})
    app = create_app(settings, context=replace(web, settings=settings))
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 40_000), raise_app_exceptions=False)
    hooks = {"response": [_check]}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://archive", event_hooks=hooks) as client,
    ):
        yield client


async def _check(response: httpx.Response) -> None:
    request = response.request
    if request.url.path.startswith("/v1/"):
        media = response.headers.get("content-type")
        body = await response.aread() if media in ("application/json", "application/problem+json") else None
        hold(request.method, str(request.url), response.status_code, media, body)


async def key_of(archive: Archive, name: str, *scopes: str) -> dict[str, str]:
    """Create a token, and return the header that shows it."""
    return {"X-Api-Key": await a_key(archive, name, *scopes)}
