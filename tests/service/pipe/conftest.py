"""Queues in a database of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from armillary.pipe.service import Exchange, opened
from tests.support.archive import an_archive
from tests.support.postgres import postgres

__all__ = ["postgres"]


@pytest.fixture
async def context(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Context]:
    """Open an empty archive."""
    async with an_archive(postgres, tmp_path) as archive:
        yield archive.context


@pytest.fixture
async def exchange(context: Context) -> AsyncIterator[Exchange]:
    """Open what a web process has."""
    async with opened(context) as one:
        yield one
