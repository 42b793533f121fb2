"""Whoever is handed a file leaves a line in the log that says why."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from armillary.access.models import Scope
from armillary.access.service import create_token
from armillary.api.http import bytes as serving
from armillary.app import create_app
from tests.support.archive import Archive, put
from tests.support.headers import a_file


class Recorder:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.events.append({"event": event, **fields})


async def test_each_file_is_logged_with_the_reason(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = put(archive.directory / "in" / "kept.fits")
    open_one = put(
        archive.directory / "in" / "open.fits", a_file(cards=[("RELEASE", "2020-01-01", "")], extensions=2)
    )
    assert (await archive.ingest(kept, open_one)).ingested == 2
    now = archive.context.clock.now()
    async with archive.context.database.begin() as connection:
        secret = await create_token(connection, "ann", {Scope.ADMIN}, now=now)
    log = Recorder()
    monkeypatch.setattr(serving, "log", log)
    app = create_app()
    app.state.context = archive.context
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/file/open.fits")).status_code == 200
        assert (await client.get("/file/kept.fits")).status_code == 403
        assert (await client.get("/file/kept.fits", headers={"X-Api-Key": secret})).status_code == 200
    told = [(one["event"], one["file"], one["reason"], one["viewer"]) for one in log.events]
    assert told == [
        ("file handed out", "open.fits", "released", ""),
        ("file handed out", "kept.fits", "staff", "ann"),
    ]
