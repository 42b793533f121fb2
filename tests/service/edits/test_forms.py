"""How often a card changes its form between the native route and the row of its work order."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import httpx
from pydantic import BaseModel

from armillary.access.models import Scope
from armillary.access.service import create_token
from armillary.app import create_app
from tests.support.archive import Archive, put

VALUE = "a value like no other"
MOST = 6


@dataclasses.dataclass
class Forms:
    """The forms that a value had, and the modules that had it in hand."""

    shapes: list[str] = dataclasses.field(default_factory=list)
    modules: set[str] = dataclasses.field(default_factory=set)

    def note(self, module: str, found: object) -> None:
        """Look whether something holds the value, and in which form."""
        shape = shape_of(found)
        if shape is not None:
            self.modules.add(module)
            if shape not in self.shapes:
                self.shapes.append(shape)


def shape_of(found: object) -> str | None:
    """Return the name of the type that says what the value is; what only carries that along counts for nothing."""
    match found:
        case bytes() | str():
            return type(found).__name__ if holds(found) else None
        case list() | tuple() | dict():
            # A pair or an object with the value itself in it is a form; a list of forms is not another one.
            parts = list(found.values()) if isinstance(found, dict) else list(found)
            if VALUE in parts:
                return type(found).__name__
            return next((shape for part in parts if (shape := shape_of(part))), None)
        case BaseModel():
            return type(found).__name__ if shape_of(dict(found)) else None
        case _ if dataclasses.is_dataclass(found) and not isinstance(found, type):
            values = [getattr(found, field.name, None) for field in dataclasses.fields(found)]
            return type(found).__name__ if VALUE in values else shape_of(values)
    return None


def holds(text: str | bytes) -> bool:
    """Tell whether a text holds the value."""
    return VALUE.encode() in text if isinstance(text, bytes) else VALUE in text


@contextmanager
def watched(forms: Forms) -> Iterator[None]:
    """Look at what every function of the program returns."""

    def look(frame: FrameType, event: str, result: Any) -> None:
        module = str(frame.f_globals.get("__name__"))
        if event == "return" and module.startswith("armillary.") and result is not None:
            forms.note(module, result)

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


async def test_a_card_of_the_native_route_takes_few_forms_to_its_row(archive: Archive) -> None:
    put(archive.directory / "night" / "a.fits")
    await archive.ingest(archive.directory / "night")
    app = create_app(archive.context.settings)
    app.state.context = archive.context
    async with archive.context.database.begin() as connection:
        secret = await create_token(connection, "ann", [Scope.EDIT], now=archive.context.clock.now())
    body = json.dumps({"values": {"generic": {"OBSERVER": VALUE}}}).encode()
    forms = Forms()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        with watched(forms):
            reply = await client.post(
                "/v1/files/a.fits/edits", content=body, headers={"Authorization": f"Bearer {secret}"}
            )
    assert reply.status_code == 202, reply.text
    async with archive.context.database.begin() as connection:
        query = "SELECT args::text FROM work_order WHERE id = $1"
        row = (await connection.exec_driver_sql(query, (reply.json()["order"],))).scalar_one()
    assert VALUE in row
    # From the bytes of the body to the text in the row, with what the route reads and what the noun takes between.
    assert {"bytes", "NewEdit", "CardChange", "str"} <= set(forms.shapes)
    assert len(forms.shapes) <= MOST, forms.shapes
    assert not [one for one in forms.modules if one.startswith("armillary.api.gemini")]
