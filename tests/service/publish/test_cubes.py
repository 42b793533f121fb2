"""Files of ingestion roots are published as the cubes that they are, whatever their headers say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from armillary.archive.cubes import service as cubes
from armillary.base.postgres.server import EmbeddedServer
from armillary.demo.solar import SolarCube
from armillary.demo.svo import Record, Svo
from armillary.publish.svo import service
from armillary.publish.svo.documents import RunReport
from armillary.publish.svo.identities import NO_CUBE, WITHHELD
from armillary.settings import SvoSettings
from tests.service.publish.conftest import PUBLIC, Publishing, totals
from tests.service.publish.test_outbox import follow
from tests.support.ingestion import Observatory, an_observatory, steps_of
from tests.support.svo import DATASET

CUBE = SolarCube(instrument="CHROMIS", filter="3950", width=8, height=6, wavelengths=2)
GIVEN = "as somebody called it"


@dataclass(frozen=True)
class Solar:
    """An archive with an ingestion root, as it is filled and as it publishes."""

    root: Observatory
    archive: Publishing

    async def take(self, cube: SolarCube = CUBE, *, name: str | None = None, **options: Any) -> str:
        """Take a cube in, and return its oid."""
        order = await self.root.take_in(self.root.put(cube, name=name), **options)
        assert order.response is not None, order.error
        assert order.response.ok, order.response.error
        return str(order.response.value["oid"])  # type: ignore[index,call-overload]

    async def retire(self, oid: str) -> None:
        """Take the file of a cube out."""
        context = self.root.context
        async with context.database.begin() as connection:
            place = await cubes.place_of_oid(connection, oid)
            assert place is not None
            await cubes.retire(connection, place, now=context.clock.now(), actor="test")


@pytest.fixture
async def solar(postgres: EmbeddedServer, tmp_path: Path, svo: Svo) -> AsyncIterator[Solar]:
    """Open an empty archive with an ingestion root that publishes CHROMIS by itself."""
    settings = SvoSettings(
        url=svo.url,
        datasets={"CHROMIS": DATASET},
        public_url=PUBLIC,
        publish=True,
        timeout_s=10.0,
        retry_first_s=0.01,
        retry_last_s=0.2,
    )
    async with an_observatory(postgres, tmp_path, svo=settings) as opened:
        await service.register(opened.context)
        yield Solar(opened, Publishing(opened.context, opened.directory))


def reasons(report: RunReport) -> dict[str, str]:
    """Return why steps of a run do what they do, by oid."""
    return {one.oid: one.reason for one in report.datasets[0].steps if one.reason}


def oids(svo: Svo) -> list[str]:
    """Return the oids there."""
    return sorted(svo.world.records[DATASET])


async def test_a_cube_has_the_oid_that_somebody_gave(solar: Solar, svo: Svo) -> None:
    await solar.take(oid=GIVEN)
    assert totals(await solar.archive.sync()) == {"created": 1}
    assert oids(svo) == [GIVEN]
    assert totals(await solar.archive.sync()) == {"unchanged": 1}


async def test_scans_that_only_data_tell_are_no_obstacle(solar: Solar, svo: Svo) -> None:
    oid = await solar.take(replace(CUBE, scans=(1, 2, 3, 7), named_scans=False))
    assert oid.endswith("_1-3,7")
    assert totals(await solar.archive.sync()) == {"created": 1}
    assert oids(svo) == [oid]


async def test_a_file_that_is_two_cubes_has_two_records_and_one_location(solar: Solar, svo: Svo) -> None:
    first = await solar.take()
    await solar.take(oid=GIVEN, additional=True)
    assert totals(await solar.archive.sync()) == {"created": 2}
    assert oids(svo) == sorted([first, GIVEN])
    assert len(svo.world.locations) == 1
    assert totals(await solar.archive.sync()) == {"unchanged": 2}
    svo.log.clear()
    await solar.take(replace(CUBE, target="Plage"))
    assert totals(await solar.archive.sync()) == {"updated": 2}
    assert {one.values["object"] for one in svo.world.records[DATASET].values()} == {"Plage"}
    await solar.retire(GIVEN)
    assert totals(await solar.archive.sync(allow_empty=True)) == {"deleted": 2}
    assert (oids(svo), len(svo.world.locations)) == ([], 0)


async def test_a_file_of_two_cubes_takes_its_location_along(solar: Solar, svo: Svo) -> None:
    await solar.take()
    await solar.take(oid=GIVEN, additional=True)
    await solar.archive.sync()
    elsewhere = (solar.root.root / CUBE.name).rename(solar.root.root / "renamed.fits")
    await solar.root.take_in(elsewhere)
    await solar.root.take_in(elsewhere, oid=GIVEN, additional=True)
    assert totals(await solar.archive.sync()) == {"updated": 2}
    (place,) = svo.world.locations.values()
    assert place.file_url == f"{PUBLIC}/download/renamed.fits"
    assert totals(await solar.archive.sync()) == {"unchanged": 2}


async def test_what_its_order_withholds_is_not_published(solar: Solar, svo: Svo) -> None:
    oid = await solar.take(submit_svo=False)
    report = await solar.archive.sync(dry_run=True)
    assert (totals(report), reasons(report)) == ({"skipped": 1}, {oid: WITHHELD})
    assert totals(await solar.archive.sync()) == {"skipped": 1}
    await follow(solar.archive)
    assert oids(svo) == []
    assert totals(await solar.archive.publish(oid)) == {"skipped": 1}


async def test_the_record_of_what_is_withheld_is_removed_within_the_guard(solar: Solar, svo: Svo) -> None:
    for minute in range(3):
        await solar.take(replace(CUBE, begin=CUBE.begin.replace(minute=minute)))
    assert totals(await solar.archive.sync()) == {"created": 3}
    known, *_ = oids(svo)
    cube = await solar.root.present(known)
    await solar.root.take_in(solar.root.root / cube.path, submit_svo=False)
    refused = await solar.archive.sync(limit=service.Limit(0, 0.0))
    assert (len(oids(svo)), refused.exit_code) == (3, 1)
    report = await solar.archive.sync()
    assert (totals(report), reasons(report)) == ({"deleted": 1, "unchanged": 2}, {known: WITHHELD})
    assert known not in oids(svo)
    assert totals(await solar.archive.sync()) == {"skipped": 1, "unchanged": 2}
    await solar.root.take_in(solar.root.root / cube.path, submit_svo=True)
    assert totals(await solar.archive.sync()) == {"created": 1, "unchanged": 2}


async def test_an_older_file_that_was_forced_is_published(solar: Solar, svo: Svo) -> None:
    oid = await solar.take(replace(CUBE, made="2026-07-01T00:00:00"))
    await follow(solar.archive)
    older = replace(CUBE, made="2026-06-24T00:00:00", target="older")
    await solar.take(older, name="older.fits")
    assert totals(await solar.archive.sync()) == {"unchanged": 1}
    await solar.take(older, name="older.fits", force=True)
    await follow(solar.archive)
    assert svo.world.records[DATASET][oid].values["object"] == "older"
    assert totals(await solar.archive.sync()) == {"unchanged": 1}
    (place,) = svo.world.locations.values()
    assert place.file_url.endswith("/older.fits")


async def test_a_cube_wins_over_a_file_of_an_adopted_tree(solar: Solar, svo: Svo) -> None:
    oid = await solar.take(oid="2026-01-01T10:00:00_3950_0-9")
    await solar.archive.take("adopted.fits", DATE="2099-01-01T00:00:00")
    report = await solar.archive.sync()
    assert totals(report) == {"created": 1, "skipped": 1}
    assert list(reasons(report).values()) == [f"superseded by {CUBE.name}"]
    (place,) = svo.world.locations.values()
    assert place.file_url == f"{PUBLIC}/download/{quote(CUBE.name)}"
    await follow(solar.archive)
    assert totals(await solar.archive.sync()) == {"unchanged": 1, "skipped": 1}
    assert oids(svo) == [oid]


async def test_files_of_adopted_trees_keep_the_rule_of_headers(solar: Solar, svo: Svo) -> None:
    await solar.archive.take("adopted.fits")
    assert totals(await solar.archive.sync()) == {"created": 1}
    assert oids(svo) == ["2026-01-01T10:00:00_3950_0-9"]


async def test_a_file_of_a_root_that_is_no_cube_is_told_and_its_record_stays(solar: Solar, svo: Svo) -> None:
    """Somebody made an adopted tree an ingestion root, and has not ingested it yet."""
    await solar.archive.take("one.fits")
    await solar.archive.sync()
    await solar.archive.sql("UPDATE root SET profile = 'sst'")
    report = await solar.archive.sync()
    assert totals(report) == {"skipped": 2}
    assert report.datasets[0].steps[0].reason == NO_CUBE
    await follow(solar.archive)
    assert len(oids(svo)) == 1


@pytest.mark.parametrize("by_itself", [True, False])
async def test_the_record_of_a_retired_file_is_deleted(solar: Solar, svo: Svo, by_itself: bool) -> None:
    oid = await solar.take()
    await solar.archive.sync()
    await solar.retire(oid)
    if by_itself:
        await follow(solar.archive)
    else:
        assert totals(await solar.archive.sync(allow_empty=True)) == {"deleted": 1}
    assert (oids(svo), len(svo.world.locations)) == ([], 0)


async def test_the_file_that_was_superseded_does_not_come_back_with_the_retirement(
    solar: Solar, svo: Svo
) -> None:
    oid = await solar.take()
    await follow(solar.archive)
    again = replace(CUBE, made="2026-07-01T00:00:00")
    await solar.take(again, name="again.fits")
    await follow(solar.archive)
    (place,) = svo.world.locations.values()
    assert place.file_url.endswith("/again.fits")
    await solar.retire(oid)
    await follow(solar.archive)
    assert oids(svo) == []


async def test_what_changes_of_a_cube_alone_is_sent_by_itself(solar: Solar, svo: Svo) -> None:
    """The file is as it was, so the feed of its versions tells nothing."""
    first = await solar.take()
    await follow(solar.archive)
    await solar.take(oid=GIVEN, additional=True)
    await follow(solar.archive)
    assert oids(svo) == sorted([first, GIVEN])
    await solar.take(submit_svo=False)
    await follow(solar.archive)
    assert oids(svo) == []
    rows = await solar.archive.sql(
        "SELECT response->'value' FROM work_order WHERE kind = 'svo_send' ORDER BY id DESC LIMIT 1"
    )
    assert rows[0][0] == dict.fromkeys((first, GIVEN), f"deleted: {WITHHELD}")
    await solar.take(submit_svo=True)
    await follow(solar.archive)
    assert oids(svo) == sorted([first, GIVEN])


async def test_an_order_tells_what_the_observatory_hears_of(solar: Solar, svo: Svo) -> None:
    path = solar.root.put(CUBE)
    told = [
        steps_of(await solar.root.take_in(path, **options))["svo"]
        for options in (
            {},
            {},
            {"oid": GIVEN, "additional": True},
            {"submit_svo": False},
            {"submit_svo": True},
        )
    ]
    nothing, withheld = "skipped: there is no news of it", f"skipped: {WITHHELD}"
    assert told == [["done"], [nothing], ["done"], [withheld], ["done"]]


async def test_a_cube_is_submitted_by_its_oid(solar: Solar, svo: Svo) -> None:
    await solar.take(oid=GIVEN)
    await solar.take(replace(CUBE, begin=CUBE.begin.replace(minute=50)))
    strange = await solar.take(replace(CUBE, instrument="CRISP", filter="6302"))
    report = await solar.archive.publish(GIVEN, strange, "nowhere")
    assert totals(report) == {"created": 1, "failed": 2}
    assert oids(svo) == [GIVEN]
    assert report.problems() == [
        f"{strange}: its instrument CRISP has no dataset; see svo.datasets",
        "nowhere: no product here has this oid",
    ]


async def test_a_record_of_before_stays_where_its_cube_fails(solar: Solar, svo: Svo) -> None:
    """A cube of which no record can be made now is known by its oid: its record is not that of nobody."""
    oid = await solar.take()
    svo.world.records[DATASET][oid] = Record(oid=oid)
    long = solar.archive.with_settings(file_url="{public}/" + "x" * 2000)
    report = await long.sync()
    assert totals(report) == {"failed": 1}
    assert oids(svo) == [oid]


async def test_a_cube_called_as_no_record_can_be_is_told(solar: Solar, svo: Svo) -> None:
    await solar.take(oid="schema")
    report = await solar.archive.sync()
    assert totals(report) == {"failed": 1}
    assert "no record can have the oid 'schema'" in report.problems()[0]
