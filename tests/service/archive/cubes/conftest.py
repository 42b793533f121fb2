"""An archive with an ingestion root."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from armillary.base.postgres.server import EmbeddedServer
from tests.support.ingestion import Observatory, an_observatory


@pytest.fixture
async def observatory(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Observatory]:
    """Open an empty archive with an empty ingestion root."""
    async with an_observatory(postgres, tmp_path) as opened:
        yield opened
