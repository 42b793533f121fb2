"""A raw image and its header become one file, whichever comes first; a later header becomes an edit."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from structlog.testing import capture_logs

from armillary.archive.findings.service import list_findings
from armillary.edits.models import AuditQuery, Origin
from armillary.edits.service import audit
from armillary.fits.header import Header
from armillary.headers import service
from armillary.headers.errors import UnknownCard
from armillary.headers.merging.store import Merged
from armillary.headers.merging.waits import Mark, Waits
from tests.support.archive import Archive, put
from tests.support.edits import accept_one
from tests.support.exposing import INSTRUMENT, SECOND, Observatory

IMAGE = "AT_O_20261130_000001"
NAME = f"{IMAGE}_R00_S00.fits"
ORIGIN = Origin("somebody", why="a test")
PIXELS = np.arange(64, dtype=np.int16).reshape(8, 8)


def raw(**cards: Any) -> bytes:
    """Return a raw image as a camera writes it: pixels with checksums, and no word of the exposure."""
    primary = fits.PrimaryHDU()
    for key, value in cards.items():
        primary.header[key] = value
    science = fits.ImageHDU(PIXELS, name="R00_S00_Segment00")
    with io.BytesIO() as written:
        fits.HDUList([primary, science]).writeto(written, checksum=True)
        return written.getvalue()


async def merged(observatory: Observatory, archive: Archive, revision: int, name: str = NAME) -> Merged:
    """Wait until a file has a revision."""

    async def ask() -> Merged | None:
        version = await archive.version(name)
        async with archive.context.database.begin() as connection:
            found = await service.merged(connection, version.file_id)
        return found if found and found.revision == revision else None

    # There is no other worker.
    async def work() -> Merged | None:
        await archive.drain()
        return await ask()

    return await observatory.until(work)


async def header(archive: Archive, name: str = NAME) -> dict[str, Any]:
    return Header((await archive.version(name)).headers()[0]).values()


def place(archive: Archive, content: bytes, name: str = NAME) -> Path:
    return put(archive.directory / "night" / name, content)


@pytest.mark.parametrize("first", ["pixels", "header"])
async def test_pixels_and_header_become_one_file(
    observatory: Observatory, archive: Archive, first: str
) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    path = place(archive, raw())
    async with observatory.serving():
        await observatory.enable()
        if first == "pixels":
            await archive.ingest(path)
            await observatory.until(lambda: _is_noted(observatory, archive))
        await camera.publish(*camera.image(IMAGE, t))
        await observatory.published(IMAGE)
        if first == "header":
            await archive.ingest(path)
        found = await merged(observatory, archive, 1)
    assert (found.image_id, found.detector, found.conflicts) == (IMAGE, "R00_S00", [])
    values = await header(archive)
    assert (values["OBSID"], values["DARKTIME"], values["AMEND"]) == (IMAGE, 1.25, 1.21)
    assert "FILENAME" not in values
    with fits.open(path, checksum=True) as hdus:
        assert (hdus[1].data == PIXELS).all()
        assert hdus[0].header.comments["DARKTIME"] == "[s] Time from start to readout"
        assert hdus[1].verify_datasum() == hdus[1].verify_checksum() == hdus[0].verify_checksum() == 1


async def _is_noted(observatory: Observatory, archive: Archive) -> bool:
    version = await archive.version(NAME)
    async with archive.context.database.begin() as connection:
        found = await service.merged(connection, version.file_id)
    return found is not None and found.revision is None


async def test_a_later_header_is_an_edit_and_what_people_set_stays(
    observatory: Observatory, archive: Archive
) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    path = place(archive, raw(TELESCOP="another", DETSIZE="[1:8,1:8]"))
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(camera.start(IMAGE, t, exposure=0.1), camera.readout(IMAGE, t + SECOND))
        await observatory.published(IMAGE)
        await archive.ingest(path)
        found = await merged(observatory, archive, 1)
        assert [(one.key, one.ours, one.kept) for one in found.conflicts] == [
            ("TELESCOP", "another", "header")
        ]
        before = await header(archive)
        assert (before["DARKTIME"], before["DETSIZE"]) == (None, "[1:8,1:8]")
        pixels = path.read_bytes()[-2880:]
        await archive.set(NAME, AIRTEMP=4.5)
        await observatory.settled(IMAGE)
        weather = camera.sample("station", t - SECOND, source="weather", temperature=9.5)
        await camera.publish(weather, camera.end(IMAGE, t + SECOND))
        await observatory.published(IMAGE, 2)
        latest = (await observatory.exposures())[IMAGE].revisions["raw"]
        found = await merged(observatory, archive, latest)
    after = await header(archive)
    assert (after["DARKTIME"], after["AIRTEMP"]) == (1.25, 4.5)
    assert [(one.key, one.ours, one.theirs, one.kept) for one in found.conflicts] == [
        ("AIRTEMP", 4.5, 9.5, "file")
    ]
    assert path.read_bytes()[-2880:] == pixels
    async with archive.context.database.begin() as connection:
        page = await audit(
            connection,
            AuditQuery(actor="header service"),
            _operator(),
            today=archive.context.clock.now().date(),
        )
    assert page.edits[0].why == f"header of {IMAGE}, revision {latest}"
    assert {card["keyword"] for card in page.edits[0].cards or ()} >= {"DARKTIME"}
    (told,) = await service.explain(archive.context, NAME, "darktime")
    assert told.card is not None
    assert (told.card.source, told.card.topic, told.card.field) == (
        f"camera:{INSTRUMENT}",
        "end_of_telemetry",
        "dark_time",
    )
    (told,) = await service.explain(archive.context, NAME, "AIRTEMP")
    assert told.card is None
    assert told.edit is not None
    assert told.edit.actor != "header service"
    (told,) = await service.explain(archive.context, NAME, "DETSIZE")
    assert (told.card, told.edit) == (None, None)
    with pytest.raises(UnknownCard, match="NOTHERE"):
        await service.explain(archive.context, NAME, "NOTHERE")


def _operator() -> Any:
    from armillary.access.models import OPERATOR

    return OPERATOR


async def test_a_source_leads_to_the_files_that_hold_its_values(
    observatory: Observatory, archive: Archive
) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await archive.ingest(place(archive, raw()))
        await camera.publish(*camera.image(IMAGE, t))
        await merged(observatory, archive, 1)
    context = archive.context
    night = "20261130"
    async with context.database.begin() as connection:
        (found,) = await service.using(connection, INSTRUMENT, night, "pointing")
        nothing = await service.using(connection, INSTRUMENT, night, "pointing", "no_topic")
    assert (found.image_id, found.keys, found.files) == (IMAGE, ["AMEND", "AMSTART"], [NAME])
    assert nothing == []


async def test_a_file_without_a_telling_name_is_known_by_its_obsid(
    observatory: Observatory, archive: Archive
) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*camera.image(IMAGE, t))
        await observatory.published(IMAGE)
        await archive.ingest(place(archive, raw(OBSID=IMAGE), "frame17.fits"))
        found = await merged(observatory, archive, 1, "frame17.fits")
    assert (found.image_id, found.detector) == (IMAGE, "R00_S00")
    assert (await header(archive, "frame17.fits"))["DARKTIME"] == 1.25


async def test_a_card_that_the_site_protects_costs_no_other_one_its_value(
    observatory: Observatory, archive: Archive
) -> None:
    settings = observatory.context.settings
    guarded = settings.edits.model_copy(update={"protected": ["TELESCOP"]})
    chosen = settings.model_copy(update={"edits": guarded})
    observatory.context = dataclasses.replace(observatory.context, settings=chosen)
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await camera.publish(*camera.image(IMAGE, t))
        await observatory.published(IMAGE)
        await archive.ingest(place(archive, raw()))
        found = await merged(observatory, archive, 1)
    assert [(one.hdu, one.key, one.ours, one.kept) for one in found.conflicts] == [
        ("PRIMARY", "TELESCOP", None, "file")
    ]
    values = await header(archive)
    assert "TELESCOP" not in values
    assert (values["OBSID"], values["DARKTIME"]) == (IMAGE, 1.25)


async def test_what_people_set_before_the_header_came_stays(
    observatory: Observatory, archive: Archive
) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await archive.ingest(place(archive, raw()))
        await observatory.until(lambda: _is_noted(observatory, archive))
        await archive.set(NAME, AMEND=9.9, TELESCOP="mine")
        await archive.revert(NAME)
        await archive.set(NAME, AMEND=8.8)
        await camera.publish(*camera.image(IMAGE, t))
        found = await merged(observatory, archive, 1)
    assert [(one.key, one.ours, one.theirs, one.kept) for one in found.conflicts] == [
        ("AMEND", 8.8, 1.21, "file")
    ]
    values = await header(archive)
    assert (values["AMEND"], values["TELESCOP"], values["DARKTIME"]) == (8.8, "Survey 1.2m", 1.25)


async def queued(observatory: Observatory, archive: Archive, count: int) -> None:
    """Wait until so many edits are accepted that nobody has carried out."""

    async def ask() -> bool:
        return await archive.unfinished() >= count

    await observatory.until(ask)


async def test_an_edit_that_was_accepted_before_the_first_merge_is_not_overwritten(
    observatory: Observatory, archive: Archive
) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await archive.ingest(place(archive, raw()))
        await observatory.until(lambda: _is_noted(observatory, archive))
        # There is no worker yet: what is asked for waits, and the merge looks at the file as it is.
        await accept_one(archive.context, {"generic": [["AMEND", 9.9]]}, NAME, ORIGIN)
        await camera.publish(*camera.image(IMAGE, t))
        await queued(observatory, archive, 2)
        found = await merged(observatory, archive, 1)
    assert [(one.key, one.ours, one.theirs, one.kept) for one in found.conflicts] == [
        ("AMEND", 9.9, 1.21, "file")
    ]
    values = await header(archive)
    assert (values["AMEND"], values["AMSTART"], values["DARKTIME"]) == (9.9, 1.2, 1.25)


async def test_an_edit_that_was_accepted_before_a_later_merge_is_not_overwritten(
    observatory: Observatory, archive: Archive
) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await archive.ingest(place(archive, raw()))
        await camera.publish(*camera.image(IMAGE, t))
        await merged(observatory, archive, 1)
        await observatory.settled(IMAGE)
        await accept_one(archive.context, {"generic": [["AIRTEMP", 4.5]]}, NAME, ORIGIN)
        weather = camera.sample("station", t - SECOND, source="weather", temperature=9.5)
        await camera.publish(weather, camera.airmass(t + SECOND, 1.5))
        await observatory.published(IMAGE, 2)
        await queued(observatory, archive, 2)
        found = await merged(observatory, archive, 2)
    assert [(one.key, one.ours, one.theirs, one.kept) for one in found.conflicts] == [
        ("AIRTEMP", 4.5, 9.5, "file")
    ]
    values = await header(archive)
    assert (values["AIRTEMP"], values["AMEND"]) == (4.5, 1.5)


async def test_what_rules_find_is_told_with_the_header_and_listed_with_its_file(
    observatory: Observatory, archive: Archive
) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 20 * SECOND
    async with observatory.serving():
        await observatory.enable()
        await archive.ingest(place(archive, raw()))
        await camera.publish(
            camera.start(IMAGE, t, exposure=5.0), camera.end(IMAGE, t + 6 * SECOND, dark=1.25)
        )
        await observatory.published(IMAGE)
        told = await service.get(observatory.context, INSTRUMENT, IMAGE)
        await merged(observatory, archive, 1)
    found = {one.rule: one for one in told.findings}
    assert (found["time-dark"].severity, found["time-dark"].keyword) == ("error", "DARKTIME, EXPTIME")
    assert await archive.find(finding="time-dark") == [NAME]
    async with archive.context.database.begin() as connection:
        today = archive.context.clock.now().date()
        page = await list_findings(connection, {"rule": "time-dark"}, (), _operator(), today=today)
    assert [(one.file, one.version) for one in page.findings] == [(NAME, (await archive.version(NAME)).id)]


async def test_a_merge_that_does_not_come_about_is_told_once_and_tried_again(
    archive: Archive, observatory: Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera, t = observatory.camera, observatory.camera.now() - 60 * SECOND
    looks = 0

    class Counted(Waits):
        """Waits that tell how often they were asked."""

        def over(self, file: int, mark: Mark) -> bool:
            nonlocal looks
            looks += 1
            return super().over(file, mark)

    monkeypatch.setattr("armillary.headers.merging.merging.Waits", Counted)
    observatory = observatory.such(retry_first_s=0.3)
    path = place(archive, raw())
    with capture_logs() as said:
        async with observatory.serving():
            await observatory.enable()
            await archive.ingest(path)
            path.rename(path.with_suffix(".away"))
            await camera.publish(*camera.image(IMAGE, t))

            async def tried() -> bool:
                await archive.drain()
                return any(one["event"] == "header not merged" for one in said)

            await observatory.until(tried)
            before = looks
            # Each header that is announced lets files be looked at.
            for number in range(2, 6):
                image = f"AT_O_20261130_{number:06d}"
                await camera.publish(*camera.image(image, t + number * 5 * SECOND))
                await observatory.published(image)

            async def looked() -> bool:
                await archive.drain()
                return looks > before + 2

            await observatory.until(looked)
    told = [one for one in said if one["event"] == "header not merged"]
    assert [(one["file"], one["image"], one["revision"]) for one in told] == [(NAME, IMAGE, 1)]
    assert told[0]["error"]
