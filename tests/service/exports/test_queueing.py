"""What is recorded is queued in the same transaction for those who want it, and nothing twice."""

from __future__ import annotations

import asyncio
import bz2
import json
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Location
from armillary.archive.intake import service as intake
from armillary.archive.products import service as products
from armillary.archive.query.grammar import UnknownSelector
from armillary.exports import sending, service
from armillary.exports.errors import UnknownDestination
from armillary.exports.models import Cargo
from tests.service.exports.conftest import Destined, Exporting, Servers
from tests.support.archive import put
from tests.support.headers import a_file
from tests.support.memory_store import MemoryStore
from tests.support.old_server import SECRET, OldServer, Reply

NAME = "N20260101S0001.fits"
PLANS = "SELECT args FROM work_order WHERE kind = 'plan_exports' ORDER BY id"


async def test_without_destinations_nothing_is_noted(exporting: Exporting) -> None:
    nobody = exporting.with_destinations()
    await service.register(nobody.context, alone=True)
    await nobody.take_in(NAME)
    assert await nobody.rows(PLANS) == []


AGAIN = """
INSERT INTO version SELECT (jsonb_populate_record(v, jsonb_build_object(
    'id', 1000, 'present', $1::boolean, 'canonical', $1::boolean))).* FROM version AS v LIMIT 1
"""


async def test_only_what_is_committed_and_canonical_is_noted(exporting: Exporting) -> None:
    await exporting.take_in(NAME)
    before = len(await exporting.rows(PLANS))
    assert before == 1
    async with exporting.context.database.engine.connect() as connection:
        await connection.exec_driver_sql("UPDATE version SET present = false, canonical = false")
        await connection.exec_driver_sql(AGAIN, (True,))
        assert len((await connection.exec_driver_sql(PLANS)).all()) == 2
        await connection.rollback()
    assert len(await exporting.rows(PLANS)) == 1
    async with exporting.context.database.begin() as connection:
        await connection.exec_driver_sql(AGAIN, (False,))
    assert len(await exporting.rows(PLANS)) == 1


async def test_each_destination_gets_what_its_pattern_says_where_its_path_says(
    exporting: Exporting, destined: Destined, another: Servers
) -> None:
    raw, dated, kept = another(), another(), another()
    many = exporting.with_destinations(
        destined(name="raw", url=raw.url, pattern="raw/*"),
        destined(name="dated", url=dated.url, path="nights/{date:%Y/%m-%d}/{path}"),
        destined(name="flat", url=kept.url, pattern="*S0002*", path=""),
    )
    await service.register(many.context, alone=True)
    for place in (f"raw/{NAME}", "raw/deep/N20260102S0002.fits", "N20260103S0003.fits"):
        put(many.directory / "in" / place, a_file())
    await many.ingest(many.directory / "in")
    await many.export()
    paths = {(await many.version(name)).location.path for name in (NAME, "N20260102S0002.fits")}
    assert paths == {"raw", "raw/deep"}
    assert set(raw.files) == {("raw", NAME), ("raw/deep", "N20260102S0002.fits")}
    assert set(dated.files) == {
        ("nights/2026/01-01/raw", NAME),
        ("nights/2026/01-02/raw/deep", "N20260102S0002.fits"),
        ("nights/2026/01-03", "N20260103S0003.fits"),
    }
    assert set(kept.files) == {("", "N20260102S0002.fits")}


async def test_the_night_serves_where_a_name_has_no_date(
    exporting: Exporting, destined: Destined, old: OldServer
) -> None:
    dated = exporting.with_destinations(destined(path="{date:%Y%m%d}"))
    await dated.take_in("x.fits", a_file())
    await dated.export()
    (one,) = await dated.waiting()
    assert "neither the name x.fits nor its header tells the date" in one.error
    async with dated.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE frame SET night = '2026-02-03'")
    await dated.due()
    await dated.export()
    assert set(old.files) == {("20260203", "x.fits")}


async def test_what_changes_while_it_is_sent_is_sent_again(exporting: Exporting, old: OldServer) -> None:
    await exporting.take_in(NAME)
    await exporting.drain()
    receive, loop = old.upload, asyncio.get_running_loop()

    def upload(path: str, filename: str, data: bytes) -> Reply:
        old.upload = receive  # type: ignore[method-assign]
        # While this request waits for its answer, the file is edited over there.
        asyncio.run_coroutine_threadsafe(exporting.set(NAME, OBSERVER="quick"), loop).result(30)
        asyncio.run_coroutine_threadsafe(exporting.drain(), loop).result(30)
        return receive(path, filename, data)

    old.upload = upload  # type: ignore[method-assign]
    await exporting.export()
    assert old.targets("POST") == [f"/upload_file/{NAME}.bz2"] * 2
    assert b"OBSERVER= 'quick   '" in old.has(NAME)
    assert await exporting.waiting() == []


async def test_an_export_is_unique_per_file_path_and_destination(exporting: Exporting) -> None:
    cargoes = [Cargo(NAME, ""), Cargo(NAME, ""), Cargo(NAME, "raw")]
    async with exporting.context.database.begin() as connection:
        await service.plan(connection, cargoes)
        await service.plan(connection, cargoes)
    rows = await exporting.rows("SELECT unique_key FROM work_order WHERE kind = 'export:old' ORDER BY 1")
    assert [row[0] for row in rows] == [f"export:old:{NAME}", f"export:old:raw/{NAME}"]


async def test_the_batch_of_the_work_that_recorded_a_version_is_known(exporting: Exporting) -> None:
    async with exporting.context.database.begin() as connection:
        await catalog.store_root(connection, exporting.context)
        place = Location((await catalog.store_root(connection, exporting.context)).id, "", NAME)
    put(exporting.context.settings.data / "store" / NAME, a_file())
    async with exporting.context.database.begin() as connection:
        await intake.submit_ingests(connection, [place], actor="test")
        await connection.exec_driver_sql("UPDATE work_order SET batch = 'night 7' WHERE kind = 'ingest'")
    await exporting.drain()
    rows = await exporting.rows("SELECT batch, args->>'batch' FROM work_order WHERE kind = 'export:old'")
    assert rows == [("night 7", "night 7")]


async def test_a_file_that_is_gone_or_moved_is_no_more_to_be_sent(
    exporting: Exporting, old: OldServer
) -> None:
    await exporting.take_in(NAME)
    await exporting.drain()
    async with exporting.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE version SET present = false")
    await exporting.export()
    assert await exporting.waiting() == []
    rows = await exporting.rows("SELECT response->'value'->>'how' FROM work_order WHERE kind = 'export:old'")
    assert rows == [("superseded",)]
    assert old.asked == []


async def test_a_file_whose_digests_are_still_computed_waits_for_them(
    exporting: Exporting, old: OldServer
) -> None:
    await exporting.take_in(NAME)
    async with exporting.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE version SET data_md5 = NULL")
        version = await catalog.find_version(connection, NAME)
        assert version is not None
        await products.submit_products(connection, [version.id], actor="test", previews=False)
        await connection.exec_driver_sql(
            "UPDATE work_order SET not_before = now() + interval '1 hour'"
            " WHERE kind = 'digest' AND state = 'Queued'"
        )
    await exporting.export()
    (one,) = await exporting.waiting()
    assert (one.attempts, old.asked) == (0, [])
    assert "digests" in one.error
    async with exporting.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE work_order SET not_before = now()")
    await exporting.export()
    assert old.has(NAME)


async def test_digests_that_come_between_two_looks_are_seen(
    exporting: Exporting, old: OldServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await exporting.take_in(NAME)
    digest = (await exporting.version(NAME)).data_md5
    async with exporting.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE version SET data_md5 = NULL")

    async def just_done(connection: AsyncConnection, keys: list[str]) -> set[str]:
        await connection.exec_driver_sql("UPDATE version SET data_md5 = $1", (digest,))
        return set()

    monkeypatch.setattr(sending, "busy_keys", just_done)
    await exporting.export()
    assert old.has(NAME)


async def test_digests_that_cannot_be_had_are_a_failure(exporting: Exporting, old: OldServer) -> None:
    await exporting.take_in(NAME)
    async with exporting.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE version SET data_md5 = NULL")
    await exporting.export()
    (one,) = await exporting.waiting()
    assert one.error == f"{NAME} has no digests; `armillary verify` tells why."
    assert (one.attempts, old.asked) == (1, [])


async def test_a_selection_is_queued_whatever_the_pattern(
    exporting: Exporting, destined: Destined, old: OldServer
) -> None:
    choosy = exporting.with_destinations(destined(pattern="nothing"))
    await service.register(choosy.context)
    for name in (NAME, "N20260101S0002.fits", "S20260101S0003.fits"):
        await choosy.take_in(name)
    await choosy.export()
    assert old.asked == []
    async with choosy.context.database.begin() as connection:
        wanted = service.selection_of(choosy.context, ["N20260101"])
        queued = await service.queue_selection(choosy.context, connection, "old", wanted, actor="me")
        assert len(queued) == 2
        with pytest.raises(UnknownDestination, match="Did you mean 'old'"):
            await service.queue_selection(choosy.context, connection, "olf", wanted, actor="me")
        with pytest.raises(UnknownSelector, match="nonsense"):
            service.selection_of(choosy.context, ["nonsense"])
    await choosy.export()
    assert {name for _, name in old.files} == {NAME, "N20260101S0002.fits"}


async def test_a_web_process_asks_and_a_worker_queues(exporting: Exporting, old: OldServer) -> None:
    await exporting.take_in(NAME)
    await exporting.export()
    old.files.clear()
    async with exporting.context.database.begin() as connection:
        order = await service.ask_for_selection(connection, exporting.context, "old", [NAME], actor="me")
    assert await exporting.finish([order]) == [{"queued": 1}]
    old.say("jsonfilelist", Reply(500))
    await exporting.export()
    assert len(await exporting.waiting()) == 1
    async with exporting.context.database.begin() as connection:
        order = await service.ask_for_retry(connection, "old", actor="me")
    assert await exporting.finish([order]) == [{"retried": 1}]
    await exporting.export()
    assert old.has(NAME)


async def test_a_destination_that_is_configured_no_more_gets_nothing_new(
    exporting: Exporting, destined: Destined, another: Servers
) -> None:
    other = another()
    changed = exporting.with_destinations(destined(name="new", url=other.url))
    await service.register(changed.context, alone=True)
    await changed.take_in(NAME)
    await changed.export()
    assert other.has(NAME)
    async with changed.context.database.begin() as connection:
        known = {one.name: one.active for one in await service.destinations(connection)}
    assert known == {"new": True, "old": False}
    await service.register(exporting.context)
    async with changed.context.database.begin() as connection:
        assert all(one.active for one in await service.destinations(connection))


@pytest.mark.parametrize("suffix", ["", ".bz2"])
async def test_an_object_store_is_a_source_too(
    exporting: Exporting, old: OldServer, tmp_path: Path, suffix: str
) -> None:
    content = a_file()
    objects = MemoryStore()
    (tmp_path / "objects").mkdir()
    async with exporting.context.database.begin() as connection:
        root = await catalog.ensure_root(connection, "objects", tmp_path / "objects", in_place=True)
    exporting.context.stores.opened["objects"] = objects
    await objects.write(f"raw/{NAME}{suffix}", bz2.compress(content) if suffix else content)
    async with exporting.context.database.begin() as connection:
        place = Location(root.id, "raw", f"{NAME}{suffix}")
        await intake.submit_ingests(connection, [place], actor="test", patient=False)
    await exporting.export()
    assert old.has(NAME, "raw") == content
    await exporting.set(NAME, OBSERVER="somebody")
    await exporting.export()
    assert b"OBSERVER= 'somebody'" in old.has(NAME, "raw")


async def test_no_secret_is_in_the_database_or_the_log(
    exporting: Exporting, old: OldServer, destined: Destined, capfd: pytest.CaptureFixture[str]
) -> None:
    await exporting.take_in(NAME)
    old.say("jsonfilelist", Reply(500))
    await exporting.export()
    await exporting.due()
    await exporting.export()
    assert old.has(NAME)
    tables = ("work_order", "export", "export_destination")
    texts = [
        str(row[0]) for table in tables for row in await exporting.rows(f"SELECT to_jsonb(t) FROM {table} t")
    ]
    said = capfd.readouterr()
    assert all(SECRET not in text for text in (*texts, said.out, said.err, json.dumps(texts)))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read"),
        (b"", "There is no cookie in"),
        (b"two words", "is no value of a cookie"),
        (b"a;b", "is no value of a cookie"),
        (b"\xff\xfe", "it is no text"),
    ],
)
async def test_a_missing_or_unfit_secret_is_told_without_telling_it(
    exporting: Exporting, secret_file: Path, content: bytes | None, why: str
) -> None:
    if content is None:
        secret_file.unlink()
    else:
        secret_file.write_bytes(content)
    await exporting.take_in(NAME)
    await exporting.export()
    (one,) = await exporting.waiting()
    assert why in one.error
    assert str(secret_file) in one.error
    assert "two words" not in one.error


async def test_a_secret_may_come_from_the_environment(
    exporting: Exporting, old: OldServer, destined: Destined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_UPLOAD_COOKIE", SECRET)
    there = exporting.with_destinations(destined(upload_secret="env:OUR_UPLOAD_COOKIE"))
    await there.take_in(NAME)
    await there.export()
    assert old.has(NAME)


async def test_files_of_other_media_are_not_exported(exporting: Exporting) -> None:
    async with exporting.context.database.begin() as connection:
        cargoes = [Cargo("N20260101S0001.fits", ""), Cargo("N20260101S0001.jpg", "")]
        assert await service.plan(connection, cargoes) == 1
    assert [one.name for one in await exporting.waiting()] == ["N20260101S0001.fits"]
