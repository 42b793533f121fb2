"""A camera that tells of exposures, and the header service of its instrument."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from armillary.base.bus.models import Published, Sample
from armillary.context import Context
from armillary.headers import service
from armillary.headers.delivery.models import ExposureStatus, Page
from armillary.headers.errors import UnknownInstrument
from armillary.headers.exposures.models import ExposureState
from armillary.headers.recipes.service import lint, load
from armillary.headers.services.models import Command
from armillary.settings import HeaderSettings
from tests.support.archive import Archive
from tests.support.patience import in_time

T = TypeVar("T")
PATIENCE_S = 300.0
SECOND = 1_000_000_000
INSTRUMENT = "small1"
RECIPE = """
schema: armillary.header/1
instrument: {name}
timesys: TAI
site: {{lat: -30.2447889, lon: -70.7476862, height: 2663.0}}
image_id: {{pattern: "{{camera}}_{{controller}}_{{day:8}}_{{seq:6}}"}}
sources:
  cam: {{component: "camera:{name}", clock: tai}}
  ptg: {{component: pointing, clock: tai}}
  met: {{component: weather, clock: utc, max_age: 300s}}
moments:
  integration_start:
    {{source: cam, topic: start_integration, id: image_id, exposure: exposure_time, timeout: timeout}}
  shutter_close: {{source: cam, topic: shutter_closed, id: image_id, else: readout_start}}
  readout_start: {{source: cam, topic: start_readout, id: image_id}}
  end: {{source: cam, topic: end_of_telemetry, id: image_id}}
timing: {timing}
detectors: {{fallback: [R00_S00]}}
constants: {{TELESCOP: "Survey 1.2m"}}
keywords:
  OBSID:
    source: {{from: cam, topic: start_integration, field: image_id}}
    at: integration_start
    required: ingest
    comment: {comment}
  EXPTIME:
    source: {{from: cam, topic: start_integration, field: exposure_time}}
    at: integration_start
    unit: {{in: s, out: s}}
    comment: Exposure time
  DARKTIME:
    source: {{from: cam, topic: end_of_telemetry, field: dark_time}}
    at: end
    required: ingest
    unit: {{in: s, out: s}}
    comment: Time from start to readout
  AMSTART:
    source: {{from: ptg, topic: target_status, field: airmass}}
    at: integration_start
    max_age: 60s
    comment: Airmass at start
  AMEND:
    source: {{from: ptg, topic: target_status, field: airmass}}
    at: readout_start
    max_age: 60s
    required: science
    comment: Airmass at end
  AIRTEMP:
    source: {{from: met, topic: station, field: temperature}}
    at: integration_start
    comment: Outside
"""
TEMPLATE = """
template: {name}/raw
volatile: [DATE, FILENAME]
hdus:
  primary: [OBSID, EXPTIME, DARKTIME, AMSTART, AMEND, AIRTEMP, TELESCOP, {more}DATE, FILENAME]
"""
CATALOG = {
    "camera": """
catalog: armillary.catalog/1
component: camera
topics:
  start_integration:
    kind: event
    fields:
      image_id: {type: str}
      exposure_time: {type: float, unit: s}
      timeout: {type: float, unit: s}
  shutter_closed: {kind: event, fields: {image_id: {type: str}}}
  start_readout: {kind: event, fields: {image_id: {type: str}}}
  end_of_telemetry: {kind: event, fields: {image_id: {type: str}, dark_time: {type: float, unit: s}}}
""",
    "pointing": """
catalog: armillary.catalog/1
component: pointing
topics:
  target_status: {kind: telemetry, fields: {airmass: {type: float, unit: "1"}}}
""",
    "weather": """
catalog: armillary.catalog/1
component: weather
topics:
  station: {kind: telemetry, fields: {temperature: {type: float, unit: deg_C}, observed: {type: float}}}
""",
}
TIMING = "{d1: 300ms, d2: 500ms, readout_grace: 1s, margin: 2s, default: 4s}"
LATE_S = 0.2
"""Seconds after a late sample until headers are looked at again: tests publish at once what belongs together."""


def configure(
    directory: Path,
    name: str,
    *,
    comment: str = "Image",
    more: Mapping[str, str] | None = None,
) -> None:
    """Write the configuration of an instrument, which waives that it has so few cards.

    ``more`` are further keywords, each with its options.
    """
    _write(directory, name, comment, more or {}, "")
    lacking = sorted({one.name for one in lint(load(directory), instrument=name) if one.code == "X05"})
    waived = [f"  - {{code: X05, name: {one}, reason: a small camera}}" for one in lacking]
    _write(directory, name, comment, more or {}, "\n".join(["waive:", *waived]) if waived else "")


def _write(directory: Path, name: str, comment: str, more: Mapping[str, str], waived: str) -> None:
    recipe = RECIPE.format(name=name, timing=TIMING, comment=comment)
    further = "".join(f"  {key}: {options}\n" for key, options in more.items())
    files = {
        f"instruments/{name}.yaml": f"{recipe}{further}{waived}\n",
        f"templates/{name}/raw.yaml": TEMPLATE.format(name=name, more="".join(f"{key}, " for key in more)),
        **{f"catalog/{component}.yaml": text for component, text in CATALOG.items()},
    }
    for path, text in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


@dataclass
class Camera:
    """What publishes the events of images, with a counter of its own."""

    context: Context
    instrument: str = INSTRUMENT
    epoch: str = "boot1"
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def now(self) -> int:
        """Return the present instant in TAI ns."""
        return self.context.bus.now()

    def sample(self, topic: str, t: int, *, source: str | None = None, **payload: Any) -> Sample:
        """Return a sample of the camera, or of another source."""
        kind: Any = "event" if source is None else "telemetry"
        name = source or f"camera:{self.instrument}"
        return Sample(name, topic, self.epoch, next(self._numbers), payload, kind, t)

    def start(self, image: str, t: int, *, exposure: float | None = 1.0, **more: Any) -> Sample:
        """Return the event that begins an image."""
        times = {} if exposure is None else {"exposure_time": exposure}
        return self.sample("start_integration", t, image_id=image, **times, **more)

    def readout(self, image: str, t: int) -> Sample:
        """Return the event that begins its readout."""
        return self.sample("start_readout", t, image_id=image)

    def end(self, image: str, t: int, *, dark: float = 1.25) -> Sample:
        """Return the event that ends it."""
        return self.sample("end_of_telemetry", t, image_id=image, dark_time=dark)

    def airmass(self, t: int, value: float) -> Sample:
        """Return a sample of the pointing."""
        return self.sample("target_status", t, source="pointing", airmass=value)

    def image(self, image: str, t: int, *, airmass: float = 1.2) -> list[Sample]:
        """Return all samples of an image that starts at an instant and takes a second."""
        return [
            self.airmass(t - SECOND // 2, airmass),
            self.start(image, t),
            self.airmass(t + SECOND // 2, airmass + 0.01),
            self.sample("shutter_closed", t + SECOND, image_id=image),
            self.readout(image, t + SECOND + 1000),
            self.end(image, t + SECOND + SECOND // 4),
        ]

    async def publish(self, *samples: Sample) -> Published:
        """Store samples."""
        return await self.context.bus.publish(samples)


@dataclass
class Observatory:
    """A camera, its service, and questions about both."""

    context: Context
    camera: Camera
    instrument: str = INSTRUMENT

    def such(self, **settings: Any) -> Observatory:
        """Return it with other settings of headers."""
        return dataclasses.replace(self, context=with_headers(self.context, **settings))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Let a service run for a while."""
        stop = asyncio.Event()
        running = asyncio.create_task(service.run(self.context, self.instrument, stop))
        try:
            yield
        finally:
            stop.set()
            await running

    async def command(self, name: Command, **arguments: Any) -> dict[str, Any]:
        """Give a command, as soon as there is a service."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await service.command(
                    self.context, self.instrument, name, arguments, actor="a test", wait_s=PATIENCE_S
                )
            except UnknownInstrument:
                in_time(end, "there is no service")
            await asyncio.sleep(0.02)

    async def enable(self) -> None:
        """Let headers be built."""
        await self.command(Command.START)
        await self.command(Command.ENABLE)

    async def until(self, ask: Callable[[], Awaitable[T | None]]) -> T:
        """Ask until there is an answer."""
        end = time.monotonic() + PATIENCE_S
        while not (found := await ask()):
            in_time(end, ask)
            await asyncio.sleep(0.02)
        return found

    async def exposures(self) -> dict[str, ExposureStatus]:
        """Return all exposures by image id."""
        async with self.context.database.begin() as connection:
            found = await service.exposures(
                connection, instrument=self.instrument, night=None, state=None, before=None, limit=10_000
            )
        return {one.image_id: one for one in found}

    async def published(self, image: str, revision: int = 1) -> ExposureStatus:
        """Wait until a header has so many revisions."""

        async def ask() -> ExposureStatus | None:
            one = (await self.exposures()).get(image)
            return one if one and one.revisions.get("raw", 0) >= revision else None

        return await self.until(ask)

    async def reached(self, image: str, state: ExposureState) -> ExposureStatus:
        """Wait until an exposure is in a state."""

        async def ask() -> ExposureStatus | None:
            one = (await self.exposures()).get(image)
            return one if one and one.state is state else None

        return await self.until(ask)

    async def settled(self, image: str) -> None:
        """Wait until nothing is due for an image any more."""

        async def ask() -> bool:
            query = "SELECT count(*) FROM exposure WHERE image_id = $1 AND due IS NULL"
            async with self.context.database.begin() as connection:
                return bool((await connection.exec_driver_sql(query, (image,))).scalar())

        await self.until(ask)

    async def values(self, image: str, rev: int | None = None) -> dict[str, Any]:
        """Return the values of the primary header of an image."""
        header = await service.get(self.context, self.instrument, image, rev)
        return {card.key: card.value for card in header.hdus[0].cards}

    async def reasons(self, image: str, rev: int | None = None) -> dict[str, str]:
        """Return why cards of an image have no value."""
        header = await service.get(self.context, self.instrument, image, rev)
        return {card.key: str(card.reason) for card in header.hdus[0].cards if card.value is None}

    async def causes(self, image: str) -> list[str]:
        """Return what led an image to each of its states."""
        async with self.context.database.begin() as connection:
            found = await service.find(connection, self.instrument, image)
            assert found is not None
            return [one.cause for one in await service.transitions(connection, found.id)]

    async def announced(self) -> Page:
        """Return all announcements."""
        async with self.context.database.begin() as connection:
            return await service.page(
                connection, None, limit=10_000, instrument=None, night=None, complete=None, collapse=False
            )


def with_headers(context: Context, **settings: Any) -> Context:
    """Return a context with other settings of headers."""
    headers = HeaderSettings.model_validate(context.settings.headers.model_dump() | settings)
    chosen = context.settings.model_copy(update={"headers": headers})
    return dataclasses.replace(context, settings=chosen)


@pytest.fixture
async def observatory(archive: Archive) -> Observatory:
    """Open an archive with a configured instrument."""
    directory = archive.directory / "headers"
    configure(directory, INSTRUMENT)
    context = with_headers(archive.context, directory=directory, late_s=LATE_S)
    return Observatory(context, Camera(context))
