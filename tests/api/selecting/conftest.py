"""A few files of two telescopes, and a web application in the web role that lists them, per module."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from astropy.io import fits
from fastapi import FastAPI

from armillary.access.models import Scope
from armillary.access.service import GrantKind, create_token
from armillary.app import create_app
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.fits.containers import logical_name
from tests.support.archive import Archive, an_archive, put
from tests.support.grants import grant_all
from tests.support.night import gemini_file, write_as
from tests.support.postgres import postgres

__all__ = ["postgres"]

LATER, EARLIER = "2900-01-01", "2020-01-01"
SOUTH = {"TELESCOP": "Gemini-South", "OBSERVAT": "Gemini-South", "INSTRUME": "GMOS-S"}
SECRET_PLACE = {
    "RELEASE": LATER,
    "OBJECT": "Hidden",
    "RA": 10.0,
    "DEC": 20.0,
    "AIRMASS": 1.5,
}
FILES: dict[str, dict[str, Any]] = {
    "N20260101S0001.fits": {
        "DATALAB": "GN-2026A-Q-1-1-001", "OBSID": "GN-2026A-Q-1-1", "GEMPRGID": "GN-2026A-Q-1",
        "RELEASE": EARLIER, "UT": "05:00:00.5", "RAWIQ": "70-percentile", "RAWBG": "Any", "RAWWV": "20-percentile",
        "OBJECT": "NGC 1/2", "RA": 359.999, "DEC": 0.0, "AZIMUTH": 355.0, "ELEVATIO": 50.0, "CRPA": 12.5,
    },
    "N20260101S0002.fits.bz2": {
        "DATALAB": "GN-2026A-Q-1-1-002", "OBSID": "GN-2026A-Q-1-1", "GEMPRGID": "GN-2026A-Q-1",
        "RELEASE": EARLIER, "UT": "06:00:00", "RAWGEMQA": "BAD", "RAWPIREQ": "NO", "RAWBG": "50-percentile",
        "GRATING": "R400+_G5305", "MASKTYP": 1, "MASKNAME": "1.0arcsec", "OBJECT": "ngc 7", "EXPTIME": 300.0,
    },
    "N20260101S0003.fits.gz": {
        "DATALAB": "GN-2026A-Q-2-1-001", "OBSID": "GN-2026A-Q-2-1", "GEMPRGID": "GN-2026A-Q-2",
        "UT": "07:00:00", **SECRET_PLACE,
    },
    "N20260101S0004.fits": {
        "DATALAB": "GN-2026A-ENG-3-1-001", "OBSID": "GN-2026A-ENG-3-1", "GEMPRGID": "GN-2026A-ENG-3",
        "RELEASE": LATER, "UT": "08:00:00", "OBJECT": "Twilight", "PREIMAGE": True, "PROCTAG": "v1",
    },
    "S20260102S0001.fits": {
        **SOUTH, "DATALAB": "GS-2026A-Q-9-1-001", "OBSID": "GS-2026A-Q-9-1", "GEMPRGID": "GS-2026A-Q-9",
        "RELEASE": LATER, "UT": "18:00:00", "PINAME": "Ada Lovelace, C. Babbage", "RAWGEMQA": "CHECK",
    },
    "S20260102S0002.fits": {
        **SOUTH, "DATALAB": "GS-CAL20260102-1-001", "OBSID": "GS-CAL20260102-1", "GEMPRGID": "GS-CAL20260102",
        "RELEASE": EARLIER, "DATE-OBS": "2026-01-02", "UT": "17:59:59", "OBSTYPE": "BIAS", "OBSCLASS": "dayCal",
        "RAWGEMQA": "UNKNOWN", "EXPTIME": 0.0,
    },
}  # fmt: skip
NAMES = [logical_name(name) for name in FILES]


def _file(cards: dict[str, Any]) -> bytes:
    content = gemini_file(**cards)
    if cards.get("OBJECT") != "Hidden":
        return content
    with fits.open(io.BytesIO(content)) as hdus, io.BytesIO() as written:
        hdus[0].header["PROP_MD"] = True
        hdus.writeto(written)
        return written.getvalue()


@dataclass
class Lists:
    """An archive and a client of its web application."""

    archive: Archive
    app: FastAPI
    client: httpx.AsyncClient
    paths: dict[str, Path] = dataclasses.field(default_factory=dict)

    async def token(self, name: str, *scopes: Scope, grants: dict[GrantKind, str] | None = None) -> str:
        """Create a token and return its secret."""
        context = self.archive.context
        async with context.database.begin() as connection:
            now = context.clock.now()
            await grant_all(connection, name, grants or {}, now=now)
            return await create_token(connection, name, scopes, now=now)

    async def get(self, path: str, secret: str = "", **options: Any) -> httpx.Response:
        """Fetch a path, as anybody or with the cookie of readers."""
        cookie = {"Cookie": f"gemini_fits_authorization={secret}"} if secret else {}
        return await self.client.get(path, headers=cookie, **options)

    async def names(self, selection: str, secret: str = "") -> list[str]:
        """Return the names that a selection finds."""
        reply = await self.get(f"/jsonfilenames/{selection}", secret)
        assert reply.status_code == 200, reply.text
        return [element["name"] for element in reply.json()]

    async def summaries(self, selection: str, secret: str = "") -> dict[str, dict[str, Any]]:
        """Return the elements of a summary by name."""
        reply = await self.get(f"/jsonsummary/{selection}", secret)
        assert reply.status_code == 200, reply.text
        return {element["name"]: element for element in reply.json()}

    def settings(self, **changes: Any) -> None:
        """Change settings of the archive for what follows."""
        context = self.app.state.context
        settings = context.settings
        archive = settings.archive.model_copy(update=changes)
        changed = dataclasses.replace(context, settings=settings.model_copy(update={"archive": archive}))
        self.app.state.context = changed


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lists(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lists]:
    """Take the files in and open the application in the web role."""
    directory = tmp_path_factory.mktemp("lists")
    async with an_archive(postgres, directory) as archive:
        paths = {}
        for name, cards in FILES.items():
            place = directory / "night" / name
            place.parent.mkdir(exist_ok=True)
            write_as(place, _file(cards))
            paths[logical_name(name)] = put(place, place.read_bytes())
        report = await archive.ingest(*paths.values(), in_place=True)
        assert not report.failed, report.failed
        await archive.drain()
        name, home = archive.context.database.name, archive.context.settings.data.resolve()
        role = await Database.connect(postgres, Role.WEB, name=name, home=home, pool_size=4)
        app = create_app(archive.context.settings)
        app.state.context = dataclasses.replace(archive.context, database=role)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://archive") as client:
            yield Lists(archive, app, client, paths)
        await role.close()
