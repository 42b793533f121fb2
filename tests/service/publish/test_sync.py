"""The virtual observatory says what the archive says, after one run; and the next one sends nothing."""

from __future__ import annotations

from typing import Any

import pytest

from armillary.base.alone import alone
from armillary.demo.svo import Fault, Kind, Record, Svo, User, a_dataset
from armillary.errors import ArmillaryError
from armillary.publish.svo import service
from armillary.publish.svo.errors import ReadOnlyRun, SyncRuns
from armillary.publish.svo.planning import Limit
from armillary.publish.svo.transport import reach
from tests.service.publish.conftest import PUBLIC, Publishing, totals
from tests.support.archive import put
from tests.support.cubes import BEGIN, a_cube, cards_of, oid
from tests.support.headers import a_primary
from tests.support.svo import DATASET, KEY

OID = f"{BEGIN}_3950_0-9"


def records(svo: Svo) -> dict[str, Any]:
    """Return the records there by oid."""
    return svo.world.records[DATASET]


def place(svo: Svo, one: str = OID) -> Any:
    """Return the location of a record."""
    return svo.world.locations[records(svo)[one].location]


async def test_the_first_sync_creates_and_the_second_writes_nothing(publishing: Publishing, svo: Svo) -> None:
    await publishing.take_day(3)
    assert totals(await publishing.sync()) == {"created": 3}
    assert sorted(records(svo)) == [oid(0), oid(1), oid(2)]
    writes = len(svo.writes)
    assert writes == 3
    assert totals(await publishing.sync()) == {"unchanged": 3}
    assert len(svo.writes) == writes, "a sync without news sends nothing but GET"


async def test_a_record_holds_what_the_header_says(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("a:b c.fits", DW3="AXIS.1: 2", NOTE="not listed")
    await publishing.sync()
    values = records(svo)[OID].values
    assert (values["telescop"], values["object"]) == ("Swedish 1-m Solar Telescope", "Sunspot")
    assert (values["nscans"], values["xposure"], values["extend"]) == (10, 0.012, True)
    assert values["date_end"].isoformat() == "2026-01-01T10:30:00.123456+00:00"
    assert values["dw3_axis_1"] == 2.0
    assert "note" not in values
    header = records(svo)[OID].fits_header
    assert header.startswith("SIMPLE  =                    T")
    assert "NOTE    = 'not listed'" in header
    assert place(svo).file_url == f"{PUBLIC}/download/a%3Ab%20c.fits"
    assert place(svo).file_path == "2026-01-01/CHROMIS/ab c.fits"
    assert (place(svo).offline, place(svo).file_size) == (
        False,
        len(a_cube(DW3="AXIS.1: 2", NOTE="not listed")),
    )


async def test_what_differs_is_changed_and_nothing_else(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("one.fits")
    await publishing.sync()
    await publishing.set("one.fits", OBJECT="Plage", NSCANS=None)
    plain = await publishing.sync(updating=False)
    assert totals(plain) == {"skipped": 1}
    assert records(svo)[OID].values["object"] == "Sunspot"
    report = await publishing.sync()
    assert totals(report) == {"updated": 1}
    (step,) = report.datasets[0].steps
    changed = {one.field: (one.old, one.new) for one in step.differences}
    assert changed["object"] == ("Sunspot", "Plage")
    assert changed["nscans"] == (10, None), "what vanished here becomes null there"
    assert set(changed) == {"object", "nscans", "fits_header"}
    assert (records(svo)[OID].values["object"], records(svo)[OID].values["nscans"]) == ("Plage", None)
    assert totals(await publishing.sync()) == {"unchanged": 1}


async def test_a_renamed_file_keeps_record_and_location(publishing: Publishing, svo: Svo) -> None:
    old = await publishing.take("old.fits")
    await publishing.sync()
    number = place(svo).id
    old.unlink()
    await publishing.take("new.fits", DATE="2026-01-03T00:00:00")
    report = await publishing.sync()
    assert totals(report) == {"updated": 1, "skipped": 1}
    assert "superseded by new.fits" in [one.reason for one in report.datasets[0].steps]
    assert place(svo).file_url == f"{PUBLIC}/download/new.fits"
    assert (place(svo).id, svo.world.orphans()) == (number, [])
    assert totals(await publishing.sync()) == {"unchanged": 1, "skipped": 1}


async def test_an_older_file_of_the_same_oid_changes_nothing(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("new.fits", DATE="2026-01-03T00:00:00")
    await publishing.take("old.fits", DATE="2026-01-02T00:00:00", OBJECT="older")
    assert totals(await publishing.sync()) == {"created": 1, "skipped": 1}
    assert records(svo)[OID].values["object"] == "Sunspot"


async def test_a_record_without_a_product_is_deleted_with_its_location(
    publishing: Publishing, svo: Svo
) -> None:
    await publishing.take_day(2)
    await publishing.sync()
    await publishing.retire("cube0001.fits")
    kept = await publishing.sync(deleting=False)
    assert totals(kept) == {"unchanged": 1}
    assert len(records(svo)) == 2
    report = await publishing.sync()
    assert totals(report) == {"unchanged": 1, "deleted": 1}
    assert (list(records(svo)), svo.world.orphans()) == ([oid(0)], [])


async def test_a_file_that_is_missing_on_disk_is_offline_there(publishing: Publishing, svo: Svo) -> None:
    await publishing.take_day(2)
    await publishing.sync()
    await publishing.sql("UPDATE version SET present = false WHERE filename = 'cube0001.fits'")
    assert totals(await publishing.sync()) == {"unchanged": 1, "updated": 1}
    assert (place(svo, oid(0)).offline, place(svo, oid(1)).offline) == (False, True)


async def test_a_dry_run_plans_the_same_and_sends_nothing_but_get(publishing: Publishing, svo: Svo) -> None:
    await publishing.take_day(2)
    await publishing.sync()
    await publishing.retire("cube0000.fits")
    await publishing.take("new.fits", DATE_BEG="2026-01-01T09:59:00")
    await publishing.set("cube0001.fits", OBJECT="Plage")
    svo.log.clear()
    dry = await publishing.sync(dry_run=True)
    assert set(svo.counts()) == {"GET"}
    assert not any(one.with_key for one in svo.log)
    wet = await publishing.sync()
    assert totals(dry) == totals(wet) == {"created": 1, "updated": 1, "deleted": 1}
    told = [[(one.action, one.oid, one.differences) for one in r.datasets[0].steps] for r in (dry, wet)]
    assert told[0] == told[1]


async def test_the_transport_of_a_dry_run_refuses_all_else(publishing: Publishing, svo: Svo) -> None:
    async with reach(publishing.context.settings.svo, dry_run=True) as transport:
        for method in ("POST", "PATCH", "DELETE", "PUT"):
            with pytest.raises(ReadOnlyRun):
                await transport.write(method, "tag/", {})
    assert svo.log == []


async def test_every_record_is_read_whatever_the_total_says(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("one.fits")
    await publishing.sync()
    svo.world.seed(DATASET, [f"n{number:05}" for number in range(5000)])
    svo.log.clear()
    report = await publishing.sync(dry_run=True)
    assert report.datasets[0].remote == 5001
    assert "5000 records would be deleted, and 500 may be" in report.datasets[0].refusal
    pages = [
        one for one in svo.log if one.path.endswith("/metadata_chromis/") and "order_by=oid" in one.query
    ]
    assert len(pages) == 51
    stale = [
        count for (path, _), (count, _) in svo.world.totals.items() if path.endswith("/metadata_chromis/")
    ]
    assert min(stale) == 0, "the server still says that there is none"


async def test_one_bad_record_keeps_no_other(publishing: Publishing, svo: Svo) -> None:
    await publishing.take_day(3)
    svo.fail(Fault(Kind.STATUS, "POST", "metadata", skip=1, status=400))
    report = await publishing.sync()
    assert (totals(report), report.exit_code) == ({"created": 2, "failed": 1}, 1)
    assert sorted(records(svo)) == [oid(0), oid(2)]
    assert oid(1) in report.problems()[0]
    assert totals(await publishing.sync()) == {"created": 1, "unchanged": 2}


async def test_a_record_that_is_too_large_is_not_sent(publishing: Publishing, svo: Svo) -> None:
    await publishing.take_day(1)
    history = [f"HISTORY {number:070}" for number in range(32_000)]
    put(
        publishing.directory / "big" / "big.fits",
        a_primary(*cards_of(DATE_BEG="2026-01-01T23:00:00"), *history),
    )
    await publishing.ingest(publishing.directory / "big")
    report = await publishing.sync()
    assert totals(report) == {"created": 1, "failed": 1}
    assert "takes 2500000 at most" in report.problems()[0]
    assert len(svo.writes) == 1


async def test_a_url_of_another_record_is_free_when_that_is_deleted(publishing: Publishing, svo: Svo) -> None:
    await publishing.take_day(2)
    taken = svo.world.add_location(DATASET, f"{PUBLIC}/download/cube0001.fits", 1, "elsewhere")
    records(svo)["theirs"] = Record("theirs", location=taken.id)
    report = await publishing.sync(deleting=False)
    assert totals(report) == {"created": 1, "failed": 1}
    assert "is that of another record" in report.problems()[0]
    assert totals(await publishing.sync()) == {"created": 1, "unchanged": 1, "deleted": 1}
    assert (sorted(records(svo)), len(svo.world.locations)) == ([oid(0), oid(1)], 2)


async def test_an_unknown_instrument_skips_its_dataset_alone(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("one.fits")
    await publishing.take("other.fits", INSTRUME="TRIPPEL")
    both = publishing.with_settings(datasets={"TRIPPEL": "NOWHERE", "CHROMIS": DATASET})
    report = await both.sync()
    assert totals(report) == {"created": 1, "failed": 1}
    assert report.exit_code == 1
    assert "has no dataset 'NOWHERE'" in report.problems()[0]


async def test_a_product_without_an_oid_is_told_and_its_record_stays(
    publishing: Publishing, svo: Svo
) -> None:
    await publishing.take("one.fits")
    await publishing.sync()
    await publishing.set("one.fits", FILTER1="")
    report = await publishing.sync(allow_empty=True)
    assert totals(report) == {"failed": 1, "skipped": 1}
    assert "has no FILTER1" in report.problems()[0]
    assert list(records(svo)) == [OID]


async def test_restricted_products_are_offline_until_their_release(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("one.fits", RELEASE="2199-01-01")
    thumbs = publishing.with_settings(thumbnail_url="{public}/thumb/{name}.png")
    await thumbs.sync()
    assert (place(svo).offline, place(svo).thumbnail_url) == (True, None)
    await publishing.set("one.fits", RELEASE="2026-01-01")
    assert totals(await thumbs.sync()) == {"updated": 1}
    assert (place(svo).offline, place(svo).thumbnail_url) == (False, f"{PUBLIC}/thumb/one.fits.png")


async def test_hidden_products_are_not_published_before_their_release(
    publishing: Publishing, svo: Svo
) -> None:
    await publishing.take("one.fits", RELEASE="2199-01-01")
    await publishing.sql("UPDATE root SET visibility = 'hidden'")
    await publishing.sql("UPDATE frame SET visibility = 'hidden'")
    assert totals(await publishing.sync()) == {"skipped": 1}
    assert records(svo) == {}
    await publishing.set("one.fits", RELEASE="2026-01-01")
    assert totals(await publishing.sync()) == {"created": 1}


async def test_two_files_of_one_name_have_paths_of_their_own(publishing: Publishing, svo: Svo) -> None:
    by_path = publishing.with_settings(file_url="{public}/download/{path}")
    put(publishing.directory / "in" / "a" / "one.fits", a_cube())
    put(publishing.directory / "in" / "b" / "one.fits", a_cube(DATE_BEG="2026-01-01T11:00:00"))
    await publishing.ingest(publishing.directory / "in")
    plain = await publishing.sync()
    assert totals(plain) == {"created": 1, "failed": 1}
    assert "put {path} or {oid} into svo.file_url" in plain.problems()[0]
    assert totals(await by_path.sync()) == {"updated": 1, "created": 1}
    paths = sorted(one.file_path for one in svo.world.locations.values())
    assert paths[0].startswith("2026-01-01/CHROMIS/one")
    assert len(set(paths)) == 2
    assert totals(await by_path.sync()) == {"unchanged": 2}


async def test_files_that_swap_their_names_swap_their_locations(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("a.fits", "x", OBJECT="first")
    await publishing.take("b.fits", "x", OBJECT="second", DATE_BEG="2026-01-01T11:00:00")
    await publishing.sync()
    second = "2026-01-01T11:00:00_3950_0-9"
    for name, begin in (("a.fits", "2026-01-01T11:00:00"), ("b.fits", BEGIN)):
        await publishing.set(name, **{"DATE-BEG": begin, "OBJECT": "second" if begin != BEGIN else "first"})
    assert totals(await publishing.sync()) == {"updated": 2}
    assert place(svo, OID).file_url.endswith("b.fits")
    assert place(svo, second).file_url.endswith("a.fits")
    assert (len(svo.world.locations), svo.world.orphans()) == (2, [])
    assert totals(await publishing.sync()) == {"unchanged": 2}


async def test_lists_that_tell_addresses_of_locations_are_read_as_well(
    publishing: Publishing, svo: Svo
) -> None:
    svo.world.full_lists = False
    await publishing.take_day(2)
    await publishing.sync()
    assert totals(await publishing.sync()) == {"unchanged": 2}


async def test_words_become_tags_where_they_are_published(publishing: Publishing, svo: Svo) -> None:
    tagged = publishing.with_settings(tags=True)
    await publishing.take("one.fits", FEATURES="Sunspot, Plage", EVENTS="MISSING")
    await tagged.sync()
    assert {svo.world.tags[one] for one in records(svo)[OID].tags} == {"Sunspot", "Plage"}
    assert totals(await tagged.sync()) == {"unchanged": 1}
    await publishing.set("one.fits", FEATURES="Plage")
    assert totals(await tagged.sync()) == {"updated": 1}
    assert {svo.world.tags[one] for one in records(svo)[OID].tags} == {"Plage"}


async def test_products_are_submitted_one_by_one_or_all(publishing: Publishing, svo: Svo) -> None:
    await publishing.take_day(3)
    svo.world.seed(DATASET, ["surplus"])
    assert totals(await publishing.publish(oid(1))) == {"created": 1}
    await publishing.set("cube0001.fits", OBJECT="Plage")
    report = await publishing.publish(oid(1), "nothing")
    assert totals(report) == {"updated": 1, "failed": 1}
    assert report.problems() == ["nothing: no product here has this oid"]
    assert totals(await publishing.publish(dry_run=True)) == {"created": 2, "unchanged": 1}
    assert totals(await publishing.publish()) == {"created": 2, "unchanged": 1}
    assert sorted(records(svo)) == [oid(0), oid(1), oid(2), "surplus"], "nothing is deleted"


async def test_a_product_that_is_fits_by_another_profile_is_called_by_its_name(
    publishing: Publishing, svo: Svo
) -> None:
    await publishing.take("cam.fits", TELESCOP="Other", SOLARNET=None, INSTRUME="CAM")
    named = publishing.with_settings(datasets={"cam": DATASET})
    assert totals(await named.sync()) == {"created": 1}
    assert list(records(svo)) == ["cam.fits"]


REFUSALS = [
    ({}, 12, 100, "12 records would be deleted, and 11 may be"),
    ({"limit": Limit.of_text("12")}, 12, 100, ""),
    ({"limit": Limit.of_text("5%")}, 12, 100, "and 5 may be"),
    ({}, 10, 1, ""),
]


@pytest.mark.parametrize(("options", "surplus", "kept", "refusal"), REFUSALS)
async def test_deletions_are_within_bounds(
    publishing: Publishing, svo: Svo, options: dict[str, Any], surplus: int, kept: int, refusal: str
) -> None:
    await publishing.take_day(kept)
    await publishing.sync()
    svo.world.seed(DATASET, [f"n{at}" for at in range(surplus)])
    await publishing.take("late.fits", DATE_BEG="2026-01-01T22:00:00")
    report = await publishing.sync(**options)
    assert refusal in report.datasets[0].refusal
    assert totals(report) == {"created": 1, "unchanged": kept} | (
        {"skipped": surplus} if refusal else {"deleted": surplus}
    )
    assert (report.exit_code, len(records(svo))) == ((1, kept + 1 + surplus) if refusal else (0, kept + 1))


async def test_nothing_is_deleted_where_nothing_is_here(publishing: Publishing, svo: Svo) -> None:
    svo.world.seed(DATASET, ["a", "b"])
    report = await publishing.sync()
    assert (totals(report), report.exit_code) == ({"skipped": 2}, 1)
    assert "--allow-empty" in report.datasets[0].refusal
    assert totals(await publishing.sync(allow_empty=True)) == {"deleted": 2}


async def test_deletions_can_be_declined(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("one.fits")
    svo.world.seed(DATASET, ["a"])
    asked: list[int] = []
    report = await publishing.sync(confirm=lambda _report, count: bool(asked.append(count)))
    assert (asked, totals(report), report.exit_code) == ([1], {"created": 1, "skipped": 1}, 1)
    assert set(records(svo)) == {"a", OID}


async def test_who_may_not_write_is_told_once(publishing: Publishing, svo: Svo, key: Any) -> None:
    await publishing.take_day(3)
    key("wrong-key-of-nobody")
    report = await publishing.sync()
    assert report.exit_code == 2
    (problem,) = report.problems()
    assert all(word in problem for word in ("key", "permission", "group"))
    assert len(svo.writes) == 1
    assert KEY not in problem
    assert "wrong-key-of-nobody" not in f"{report.to_json()}{problem}"


async def test_a_refusal_after_a_success_is_that_of_one_record(publishing: Publishing, svo: Svo) -> None:
    await publishing.take_day(3)
    await publishing.sync()
    tagless = svo.world.add_user(User("owner", KEY, tags=False))
    svo.world.users["owner"] = tagless
    records(svo)[oid(1)].tags = {svo.world.tag("flare")}
    for number in range(3):
        await publishing.set(f"cube{number:04}.fits", OBJECT="Plage")
    report = await publishing.sync()
    assert (totals(report), report.exit_code) == ({"updated": 2, "failed": 1}, 1)
    assert "right to write tags or locations" in report.problems()[0]


async def test_an_unknown_dataset_of_the_command_is_refused(publishing: Publishing) -> None:
    with pytest.raises(ArmillaryError, match=r"svo\.datasets has: CHROMIS"):
        await service.run(publishing.context, service.Options(), datasets=["CRISP"])


async def test_unused_locations_of_ours_are_removed(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("one.fits")
    svo.world.add_location(DATASET, f"{PUBLIC}/download/gone.fits", 1, "gone")
    theirs = svo.world.add_location(DATASET, "https://others.example/x.fits", 1, "theirs")
    assert totals(await publishing.sync()) == {"created": 1}
    assert [one.id for one in svo.world.orphans()] == [theirs.id]


async def test_a_location_that_is_there_is_used_again(publishing: Publishing, svo: Svo) -> None:
    path = put(publishing.directory / "in" / "one.fits", a_cube())
    await publishing.ingest(path)
    left = svo.world.add_location(DATASET, f"{PUBLIC}/download/one.fits", 1, "2026-01-01/CHROMIS/other.fits")
    assert totals(await publishing.sync()) == {"created": 1}
    assert (place(svo).id, place(svo).file_size) == (left.id, path.stat().st_size)
    assert place(svo).file_path == "2026-01-01/CHROMIS/one.fits"
    assert len(svo.world.locations) == 1


async def test_two_records_can_share_a_location(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("one.fits")
    await publishing.sync()
    shared = records(svo)[OID].location
    other = "theirs"
    records(svo)[other] = Record(other, location=shared)
    report = await publishing.sync()
    assert totals(report) == {"unchanged": 1, "deleted": 1}
    assert place(svo).id == shared, "the location of a deleted record stays as long as another one uses it"


async def test_a_shared_location_is_not_moved_for_the_others(publishing: Publishing, svo: Svo) -> None:
    svo.world.add_dataset(a_dataset("CRISP"))
    both = publishing.with_settings(datasets={"CHROMIS": DATASET, "CRISP": "CRISP"})
    old = await publishing.take("old.fits")
    await both.sync()
    shared = place(svo)
    svo.world.records["CRISP"]["theirs"] = Record("theirs", location=shared.id)
    old.unlink()
    await publishing.take("new.fits", DATE="2026-01-03T00:00:00")
    assert totals(await both.sync(deleting=False)) == {"updated": 1, "skipped": 1}
    assert place(svo).file_url == f"{PUBLIC}/download/new.fits"
    assert place(svo).id != shared.id
    assert svo.world.locations[shared.id] == shared


@pytest.mark.parametrize("said", ["search", "dataset__name", "file_url", "file_path", "order_by"])
async def test_what_the_server_ignores_misleads_nobody(publishing: Publishing, svo: Svo, said: str) -> None:
    svo.world.add_dataset(a_dataset("OTHER"))
    svo.world.add_location("OTHER", f"{PUBLIC}/download/cube0000.fits", 1, "2026-01-01/CHROMIS/cube0000.fits")
    svo.world.ignores = frozenset({said})
    await publishing.take_day(3)
    assert totals(await publishing.sync()) == {"created": 3}
    await publishing.set("cube0001.fits", OBJECT="Plage")
    await publishing.retire("cube0002.fits")
    assert totals(await publishing.sync()) == {"unchanged": 1, "updated": 1, "deleted": 1}
    assert sorted(records(svo)) == [oid(0), oid(1)]
    left = [one.dataset for one in svo.world.orphans()]
    # A location of which nobody can say who uses it stays.
    assert left == (["OTHER", DATASET] if said == "search" else ["OTHER"])


async def test_a_dry_run_keeps_no_other_run_waiting(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("one.fits")
    async with alone(publishing.context.database, service.LOCK):
        assert totals(await publishing.sync(dry_run=True)) == {"created": 1}
        with pytest.raises(SyncRuns):
            await publishing.sync()
    assert svo.writes == []
