"""Whatever happens to a request, the end is one record and one location; the next run does what was left."""

from __future__ import annotations

import pytest

from armillary.demo.svo import Fault, Kind, Svo, running
from armillary.publish.svo.errors import SvoAway
from tests.service.publish.conftest import Publishing, totals
from tests.support.cubes import oid
from tests.support.svo import DATASET

LIST = "metadata_chromis/$"
ONE = "metadata_chromis/.+"

OF_CREATIONS = [
    Fault(Kind.DROP_BEFORE, "POST", LIST),
    Fault(Kind.DROP_AFTER, "POST", LIST),
    Fault(Kind.HALF, "POST", LIST),
    Fault(Kind.HALF, "POST", LIST, times=2),
    Fault(Kind.STATUS, "POST", LIST, status=429, retry_after="0"),
    Fault(Kind.STATUS, "POST", LIST, status=502),
    Fault(Kind.STATUS, "POST", LIST, status=503, retry_after="0"),
    Fault(Kind.STATUS, "POST", LIST, status=504),
    Fault(Kind.STATUS, "POST", LIST, status=500),
    Fault(Kind.DROP_BEFORE, "GET", "data_location"),
    Fault(Kind.STATUS, "GET", "keyword", status=503),
    Fault(Kind.STATUS, "GET", LIST, status=500),
]


def named(fault: Fault) -> str:
    return f"{fault.kind}-{fault.method}-{fault.status}-{fault.times}"


@pytest.mark.parametrize("fault", OF_CREATIONS, ids=named)
async def test_a_creation_that_meets_a_fault_ends_in_one_record_and_one_location(
    publishing: Publishing, svo: Svo, fault: Fault
) -> None:
    await publishing.take_day(2)
    svo.fail(Fault(**vars(fault)))
    assert totals(await publishing.sync()) == {"created": 2}
    assert svo.faults.waiting == []
    assert sorted(svo.world.records[DATASET]) == [oid(0), oid(1)]
    assert (len(svo.world.locations), svo.world.orphans()) == (2, [])
    assert totals(await publishing.sync()) == {"unchanged": 2}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.DROP_BEFORE, "PATCH"),
        Fault(Kind.DROP_AFTER, "PATCH"),
        Fault(Kind.STATUS, "PATCH", status=500),
        Fault(Kind.STATUS, "PATCH", status=503, retry_after="0"),
    ],
    ids=named,
)
async def test_a_change_that_meets_a_fault_is_made_once(
    publishing: Publishing, svo: Svo, fault: Fault
) -> None:
    await publishing.take("one.fits")
    await publishing.sync()
    await publishing.set("one.fits", OBJECT="Plage")
    svo.fail(Fault(**vars(fault)))
    assert totals(await publishing.sync()) == {"updated": 1}
    (record,) = svo.world.records[DATASET].values()
    assert (record.values["object"], len(svo.world.locations)) == ("Plage", 1)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.DROP_BEFORE, "DELETE", ONE),
        Fault(Kind.DROP_AFTER, "DELETE", ONE),
        Fault(Kind.DROP_AFTER, "DELETE", "data_location"),
        Fault(Kind.STATUS, "DELETE", status=500),
    ],
    ids=named,
)
async def test_a_deletion_that_meets_a_fault_leaves_nothing(
    publishing: Publishing, svo: Svo, fault: Fault
) -> None:
    await publishing.take("one.fits")
    await publishing.sync()
    svo.world.seed(DATASET, ["gone"])
    svo.fail(Fault(**vars(fault)))
    assert totals(await publishing.sync()) == {"unchanged": 1, "deleted": 1}
    assert (len(svo.world.records[DATASET]), svo.world.orphans()) == (1, [])


async def test_an_outage_in_the_middle_ends_the_run_and_the_next_one_finishes(
    publishing: Publishing, svo: Svo
) -> None:
    await publishing.take_day(6)
    svo.fail(Fault(Kind.STATUS, "POST", LIST, skip=2, times=1000, status=503))
    svo.fail(Fault(Kind.STATUS, "GET", ONE, times=1000, status=503))
    report = await publishing.sync()
    assert report.exit_code == 1
    assert report.totals["created"] == 2
    assert "does not answer" in report.problems()[0]
    assert len(svo.log) < 60, "an observatory that is away is not asked for every record"
    svo.faults.clear()
    assert totals(await publishing.sync()) == {"unchanged": 2, "created": 4}
    assert totals(await publishing.sync()) == {"unchanged": 6}
    assert svo.world.orphans() == []


async def test_a_run_that_cannot_begin_says_so(publishing: Publishing) -> None:
    nowhere = publishing.with_settings(url="http://127.0.0.1:9/service/api/svo")
    with pytest.raises(SvoAway, match="Try again later"):
        await nowhere.sync()


async def test_a_server_that_is_silent_is_given_up(publishing: Publishing, svo: Svo) -> None:
    svo.fail(Fault(Kind.DELAY, "GET", "dataset", times=5, seconds=1.0))
    impatient = publishing.with_settings(timeout_s=0.05)
    with pytest.raises(SvoAway, match="ReadTimeout"):
        await impatient.sync()


async def test_records_that_cannot_be_read_whole_are_not_deleted(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("one.fits")
    await publishing.sync()
    svo.world.seed(DATASET, [f"n{at:04}" for at in range(150)])
    await publishing.take("two.fits", DATE_BEG="2026-01-01T23:00:00")
    svo.fail(Fault(Kind.STATUS, "GET", LIST, skip=1, times=1000, status=503))
    report = await publishing.sync()
    assert "could not be read whole" in report.datasets[0].refusal
    assert report.totals["created"] == 1, "creations go on"
    assert report.exit_code == 1
    assert len(svo.world.records[DATASET]) == 152


async def test_records_that_come_while_they_are_read_are_not_passed_over(
    publishing: Publishing, svo: Svo
) -> None:
    await publishing.take("one.fits")
    await publishing.sync()
    svo.world.seed(DATASET, [f"n{at:04}" for at in range(150)])
    seen: list[int] = []

    class Growing(dict):  # type: ignore[type-arg]
        """Records of which another one comes between two pages."""

        def values(self):  # type: ignore[no-untyped-def]
            found = list(super().values())
            seen.append(len(found))
            if len(seen) == 1:
                svo.world.seed(DATASET, ["a-new-one"])
            return found

    svo.world.records[DATASET] = Growing(svo.world.records[DATASET])
    report = await publishing.sync(dry_run=True)
    assert report.datasets[0].remote == 152
    assert "could not be read whole" not in report.datasets[0].refusal, "it was read again"


async def test_a_server_that_always_gives_the_first_page_is_not_read_for_ever(
    publishing: Publishing, svo: Svo
) -> None:
    await publishing.take("one.fits")
    svo.world.seed(DATASET, [f"n{at:04}" for at in range(150)])
    svo.world.ignores = frozenset({"offset"})
    report = await publishing.sync()
    assert "another page than the one asked for" in report.datasets[0].refusal
    assert (report.exit_code, len(svo.world.records[DATASET])) == (1, 151)


async def test_a_redirect_of_a_question_is_followed_without_the_key(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("one.fits")
    with running(svo.world) as other:
        elsewhere = f"{other.url}/dataset/{DATASET}/"
        svo.fail(Fault(Kind.STATUS, "GET", "dataset", status=302, location=elsewhere))
        assert totals(await publishing.sync()) == {"created": 1}
    assert [(one.path.rpartition("svo")[2], one.with_key) for one in other.log] == [
        ("/dataset/CHROMIS/", False)
    ]
    assert all(one.with_key == (one.method != "GET") for one in svo.log)


async def test_a_redirect_of_a_write_is_not_followed(publishing: Publishing, svo: Svo) -> None:
    await publishing.take("one.fits")
    svo.fail(Fault(Kind.STATUS, "POST", status=301))
    report = await publishing.sync()
    assert "sent elsewhere" in report.problems()[0]
    assert svo.world.records[DATASET] == {}
