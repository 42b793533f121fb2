"""Exports to a server of the old kind: what is asked, what is sent, and what becomes of strange replies."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import json
import random
from typing import Any

import pytest

from armillary.base.work.beside import serve_beside
from armillary.exports import service, tasks
from tests.service.exports.conftest import Destined, Exporting, Servers
from tests.support.headers import a_file
from tests.support.old_server import SECRET, UPLOAD_COOKIE, OldServer, Reply, md5, receipt

NAME = "N20260101S0001.fits"
OTHER = "N20260101S0002.fits"
HTML = Reply(200, b"<html>The server is having a break</html>", "text/html")


async def test_a_new_file_is_asked_for_and_sent_as_one_bzip2_stream(
    exporting: Exporting, old: OldServer
) -> None:
    content = a_file()
    await exporting.take_in(NAME, content)
    await exporting.export()
    assert [(one.method, one.target) for one in old.asked] == [
        ("GET", f"/jsonfilelist/present/path=/filename={NAME}"),
        ("POST", f"/upload_file/{NAME}.bz2"),
    ]
    assert {one.cookie for one in old.asked} == {f"{UPLOAD_COOKIE}={SECRET}"}
    assert old.has(NAME) == content
    assert old.batches == [None]
    assert await exporting.waiting() == []
    known = (await exporting.there())[NAME]
    assert (known["how"], known["data_md5"]) == ("bytes", md5(content))
    assert known["sent_bytes"] == len(old.files["", NAME])


async def test_what_is_there_already_is_not_sent(exporting: Exporting, old: OldServer) -> None:
    content = a_file()
    old.files["", NAME] = bz2.compress(content)
    await exporting.take_in(NAME, content)
    await exporting.export()
    assert old.targets("POST") == []
    assert (await exporting.there())[NAME]["how"] == "already"


async def test_another_look_leaves_what_brought_a_version(exporting: Exporting, old: OldServer) -> None:
    await exporting.take_in(NAME)
    await exporting.export()
    before = (await exporting.there())[NAME]
    async with exporting.context.database.begin() as connection:
        wanted = service.selection_of(exporting.context, ["N20260101"])
        await service.queue_selection(exporting.context, connection, "old", wanted, actor="test")
    await exporting.export()
    assert len(old.targets("GET")) == 2
    assert len(old.targets("POST")) == 1
    assert (await exporting.there())[NAME] == before
    assert before["how"] == "bytes"


async def test_a_stored_bzip2_file_goes_out_as_it_is(exporting: Exporting, old: OldServer) -> None:
    packed = bz2.compress(a_file(), 1)
    await exporting.take_in(f"{NAME}.bz2", packed)
    await exporting.export()
    assert old.files["", NAME] == packed


async def test_several_streams_become_one(exporting: Exporting, old: OldServer) -> None:
    content = a_file()
    await exporting.take_in(f"{NAME}.bz2", bz2.compress(content[:3000]) + bz2.compress(content[3000:]))
    await exporting.export()
    assert old.has(NAME) == content


async def test_a_gzip_file_is_sent_as_bzip2(exporting: Exporting, old: OldServer) -> None:
    content = a_file()
    await exporting.take_in(f"{NAME}.gz", gzip.compress(content, mtime=0))
    await exporting.export()
    assert old.has(NAME) == content
    assert old.targets("POST") == [f"/upload_file/{NAME}.bz2"]


async def test_an_edited_file_is_sent_whole_and_never_as_an_update(
    exporting: Exporting, old: OldServer, destined: Destined
) -> None:
    exporting = exporting.with_destinations(destined(edit_secret=destined().upload_secret))
    await exporting.take_in(NAME)
    await exporting.export()
    await exporting.set(NAME, OBSERVER="somebody")
    await exporting.export()
    assert old.header_updates == []
    assert old.targets("POST") == [f"/upload_file/{NAME}.bz2"] * 2
    assert b"OBSERVER= 'somebody'" in old.has(NAME)
    assert (await exporting.there())[NAME]["data_md5"] == md5(old.has(NAME))


async def test_edits_that_wait_are_one_export(exporting: Exporting, old: OldServer) -> None:
    await exporting.take_in(NAME)
    for number in range(3):
        await exporting.set(NAME, COUNTER=number)
    await exporting.drain()
    assert [one.name for one in await exporting.waiting()] == [NAME]
    await exporting.export()
    assert len(old.asked) == 2
    assert b"COUNTER =                    2" in old.has(NAME)


async def test_an_edit_without_effect_is_not_exported(exporting: Exporting, old: OldServer) -> None:
    await exporting.take_in(NAME)
    await exporting.set(NAME, OBSERVER="somebody")
    await exporting.export()
    asked = len(old.asked)
    await exporting.set(NAME, OBSERVER="somebody")
    await exporting.export()
    assert len(old.asked) == asked


async def test_a_file_that_is_being_taken_in_there_is_asked_for_again_in_40_seconds(
    exporting: Exporting, old: OldServer
) -> None:
    old.files["", NAME] = bz2.compress(b"older")
    old.pending.add(NAME)
    await exporting.take_in(NAME)
    await exporting.export()
    (one,) = await exporting.waiting()
    assert one.in_s <= 40 <= one.after_s
    assert one.attempts == 0
    assert old.targets("POST") == []
    old.pending.clear()
    await exporting.due()
    await exporting.export()
    assert old.has(NAME) == a_content(exporting)


def a_content(exporting: Exporting) -> bytes:
    return (exporting.directory / "in" / NAME).read_bytes()


def look_reply(*names: str, **changes: Any) -> Reply:
    elements = [OldServer().element("", name, bz2.compress(b"x")) | changes for name in names]
    return Reply(body=json.dumps(elements).encode())


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (HTML, "is no JSON"),
        (Reply(), "is no JSON"),
        (look_reply(NAME, NAME), "is no list of one object"),
        (Reply(body=b'{"error": "none"}'), "is no list of one object"),
        (Reply(body=b'["a"]'), "is no list of one object"),
        (Reply(body=b"[" * 100_000), "is no JSON"),
        (look_reply(OTHER), f"does not speak of {NAME}"),
        (look_reply(NAME, data_md5=7), f"does not speak of {NAME}"),
        (look_reply(NAME, pending_ingest="maybe"), f"does not speak of {NAME}"),
        (Reply(body=b" " * (1 << 21)), "is longer than"),
    ],
    ids=["html", "nothing", "two", "object", "strings", "deep", "another", "number", "word", "endless"],
)
async def test_an_unusable_list_keeps_the_row_and_the_worker_goes_on(
    exporting: Exporting, old: OldServer, reply: Reply, why: str
) -> None:
    await exporting.take_in(NAME)
    old.say("jsonfilelist", reply)
    await exporting.export()
    (one,) = await exporting.waiting()
    assert why in one.error
    assert (one.attempts, old.files) == (1, {})
    assert one.in_s <= 60
    assert one.after_s >= 30
    await exporting.take_in(OTHER)
    await exporting.export()
    assert old.has(OTHER)
    await exporting.due()
    await exporting.export()
    assert old.has(NAME) == a_content(exporting)
    assert await exporting.waiting() == []


GOOD = receipt(f"{NAME}.bz2", b"x")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (HTML, "is no JSON"),
        (Reply(body=b"[]"), "does not tell filename, size and md5"),
        (Reply(body=json.dumps([GOOD]).encode()), "does not tell filename, size and md5"),
        (Reply(body=json.dumps([GOOD, GOOD]).encode()), "is no list of one object"),
        (Reply(body=b"null"), "is no list of one object"),
    ],
    ids=["html", "empty", "wrong sum", "two", "null"],
)
async def test_an_unusable_receipt_is_a_failure(
    exporting: Exporting, old: OldServer, reply: Reply, why: str
) -> None:
    await exporting.take_in(NAME)
    old.say("upload_file", reply)
    await exporting.export()
    (one,) = await exporting.waiting()
    assert why in one.error
    assert NAME not in await exporting.there()
    await exporting.due()
    await exporting.export()
    assert old.has(NAME) == a_content(exporting)
    assert await exporting.waiting() == []


@pytest.mark.parametrize("wrong", ["filename", "size", "md5"])
async def test_every_part_of_a_receipt_counts(exporting: Exporting, old: OldServer, wrong: str) -> None:
    await exporting.take_in(NAME)
    packed = bz2.compress(a_content(exporting))
    other = {"filename": OTHER, "size": 1, "md5": "0" * 32}
    given = receipt(f"{NAME}.bz2", packed) | {wrong: other[wrong]}
    old.say("upload_file", Reply(body=json.dumps([given]).encode()))
    await exporting.export()
    assert "does not tell" in (await exporting.waiting())[0].error
    old.say("upload_file", Reply(body=json.dumps([receipt(f"{NAME}.bz2", packed)]).encode()))
    await exporting.due()
    await exporting.export()
    assert await exporting.waiting() == []


@pytest.mark.parametrize("surface", ["jsonfilelist", "upload_file"])
async def test_another_status_than_200_lets_the_destination_rest_for_300_seconds(
    exporting: Exporting, old: OldServer, surface: str
) -> None:
    exporting = exporting.with_destinations(*exporting.context.settings.exports.destinations, parallel=1)
    await exporting.take_in(NAME)
    await exporting.take_in(OTHER)
    for status in (201, 204, 302, 400, 403, 404, 413, 500, 503):
        old.asked.clear()
        old.say(surface, Reply(status, location=f"{old.url}/jsonfilelist"))
        await exporting.export()
        assert len(old.asked) == (1 if surface == "jsonfilelist" else 2)
        spared, failed = sorted(await exporting.waiting(), key=lambda one: one.attempts)
        assert failed.error.startswith(
            f"{'GET' if surface == 'jsonfilelist' else 'POST'} {old.url}/{surface}/"
        )
        assert failed.error.endswith(f"status {status}")
        assert spared.attempts == 0
        assert spared.in_s <= 300 <= (spared.not_before - failed.started).total_seconds()
        assert failed.error in spared.error
        query = "SELECT away_until, extract(epoch FROM away_until - now()) FROM export_destination"
        ((away_until, left_s),) = await exporting.rows(query)
        assert left_s <= 300 <= (away_until - failed.started).total_seconds()
        await exporting.due()
    await exporting.export()
    assert old.has(NAME)
    assert old.has(OTHER)
    assert await exporting.rows("SELECT away_until, error FROM export_destination") == [(None, None)]


async def test_silence_and_refused_connections_are_failures_too(
    exporting: Exporting, old: OldServer, destined: Destined
) -> None:
    await exporting.take_in(NAME)
    hasty = exporting.with_destinations(destined(), look_s=0.5)
    old.say("jsonfilelist", Reply(silent=True))
    await hasty.export()
    (one,) = await exporting.waiting()
    assert "no answer within 0.5 s" in one.error
    hasty = exporting.with_destinations(destined(), upload_s=0.5)
    old.say("upload_file", Reply(silent=True))
    await exporting.due()
    await hasty.export()
    assert "ReadTimeout" in (await exporting.waiting())[0].error
    nobody = exporting.with_destinations(destined(url="http://127.0.0.1:9"))
    await exporting.due()
    await nobody.export()
    (one,) = await exporting.waiting()
    assert "GET http://127.0.0.1:9/jsonfilelist/present/path=/filename=" in one.error
    assert "ConnectError" in one.error
    assert one.attempts == 3


async def test_a_dead_destination_delays_only_itself(
    exporting: Exporting, old: OldServer, destined: Destined, another: Servers
) -> None:
    healthy = another()
    both = exporting.with_destinations(
        destined(name="dead", url="http://127.0.0.1:9"), destined(name="alive", url=healthy.url)
    )
    await service.register(both.context, alone=True)
    for name in (NAME, OTHER):
        await both.take_in(name)
    await both.export()
    assert sorted(name for _, name in healthy.files) == [NAME, OTHER]
    assert [one.name for one in await both.waiting()] == [NAME, OTHER]
    assert await both.waiting("alive") == []
    await both.set(NAME, OBSERVER="somebody")
    await both.export()
    assert b"somebody" in healthy.has(NAME)
    assert old.asked == []


async def test_delays_grow_and_nothing_is_ever_given_up(exporting: Exporting, old: OldServer) -> None:
    await exporting.take_in(NAME)
    delays = []
    for _ in range(12):
        old.say("jsonfilelist", HTML)
        await exporting.export()
        (one,) = await exporting.waiting()
        delays.append((one.in_s, one.after_s))
        await exporting.due()
    for number, (in_s, after_s) in enumerate(delays):
        full = min(60 * 2**number, 21_600)
        assert in_s <= full
        assert after_s >= full / 2
    await exporting.export()
    assert old.has(NAME) == a_content(exporting)


async def test_a_batch_goes_along(exporting: Exporting, old: OldServer) -> None:
    await exporting.take_in(NAME)
    async with exporting.context.database.begin() as connection:
        await service.plan(connection, [service.Cargo(NAME, "", "a batch & more")])
    await exporting.export()
    assert old.batches == ["a batch & more"]


async def test_rotten_bytes_are_not_spread(exporting: Exporting, old: OldServer) -> None:
    await exporting.take_in(NAME)
    path = exporting.directory / "in" / NAME
    content = bytearray(path.read_bytes())
    content[-2870] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    await exporting.export()
    (one,) = await exporting.waiting()
    assert "are not those recorded; run `armillary verify`" in one.error
    assert old.files == {}


async def test_a_large_file_is_sent_in_pieces(exporting: Exporting, old: OldServer) -> None:
    noise = random.Random(1).randbytes(2880 * 1000)
    content = a_file() + noise
    await exporting.take_in(NAME, content)
    await exporting.export()
    assert old.has(NAME) == content


async def test_a_process_that_is_to_stop_waits_for_no_destination(
    exporting: Exporting, old: OldServer
) -> None:
    await exporting.take_in(NAME)
    old.say("upload_file", Reply(silent=True))
    stop = asyncio.Event()
    exporters = tasks.workers_of(exporting.context, "test")
    serving = asyncio.create_task(serve_beside(exporters, stop, grace_s=0.1))
    assert await asyncio.to_thread(old.silent.wait, 30)
    stop.set()
    async with asyncio.timeout(30):
        await serving
    async with exporting.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE work_order SET lease_until = now() WHERE state = 'Started'")
    await exporting.export()
    assert old.has(NAME) == a_content(exporting)
