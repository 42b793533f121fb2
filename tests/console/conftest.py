"""An archive whose pages are asked for as a browser does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from armillary.settings import ConsoleSettings
from tests.support.archive import Archive, archive
from tests.support.postgres import postgres
from tests.support.serving import serving
from tests.support.sites import as_web

__all__ = ["archive", "postgres"]

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
"""What browsers say that they take."""


@pytest.fixture
async def web(archive: Archive, postgres: EmbeddedServer) -> AsyncIterator[Context]:
    """Open the parts of a web process."""
    # A busy machine must not leave rows for later that a test looks for.
    async with as_web(archive, postgres, console=ConsoleSettings(patience_ms=60_000)) as context:
        yield context


@pytest.fixture
async def browser(web: Context) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client that accepts what a browser accepts, keeps cookies, and follows nothing by itself."""
    async with serving(web) as client:
        client.headers.update(BROWSER)
        yield client
