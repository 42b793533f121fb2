"""A command that is killed while it takes small files in leaves no frame without its digests and pictures."""

from __future__ import annotations

import time
from pathlib import Path

from armillary.settings import DatabaseSettings, Settings
from tests.support.archive import put
from tests.support.command import PATIENCE_S, Commands, finish
from tests.support.headers import a_file
from tests.support.patience import in_time
from tests.support.postgres import server_account
from tests.support.premade import prepare
from tests.support.running import Running

FILES = 600
RECORDED = "SELECT count(*) FROM frame"
LACKING = """
SELECT count(*) FROM version AS v WHERE NOT (
    v.data_md5 IS NOT NULL OR EXISTS (SELECT FROM work_order AS w WHERE w.key = 'digest:' || v.id))
OR NOT (
    (SELECT count(*) FROM product AS p WHERE p.version_id = v.id AND p.key IS NOT NULL) = 2
    OR EXISTS (SELECT FROM work_order AS w WHERE w.key = 'preview:' || v.id))
"""
MADE = """
SELECT count(*) FROM version AS v WHERE v.present AND v.data_md5 IS NOT NULL
    AND (SELECT count(*) FROM product AS p WHERE p.version_id = v.id AND p.key IS NOT NULL) = 2
"""
UNFINISHED = "SELECT count(*) FROM work_order WHERE state IN ('Queued', 'Started')"


def test_a_second_run_finishes_what_a_killed_one_began(tmp_path: Path) -> None:
    for number in range(FILES):
        put(tmp_path / "night" / f"n{number:04d}.fits", a_file(cards=[("OBJECT", f"field {number}", "")]))
    commands = Commands(prepare(tmp_path / "data"))
    killed = commands.start("ingest", tmp_path / "night")
    objects = commands.data / "private" / "objects"
    deadline = time.monotonic() + PATIENCE_S
    # Pictures are stored before their files are on record.
    while not any(objects.glob("*/*.jpg")) and killed.poll() is None:
        in_time(deadline, "no picture")
        time.sleep(0.002)
    killed.kill()
    finish(killed)
    database = DatabaseSettings(account=server_account())
    hand = Running("", Settings(data=commands.data, database=database))
    assert hand.sql(LACKING)[0][0] == 0

    report = commands.run("ingest", tmp_path / "night", "--json").json()
    assert report["ingested"] + report["skipped"] == FILES
    assert report["failed"] == []
    assert [hand.sql(query)[0][0] for query in (RECORDED, MADE, UNFINISHED)] == [FILES, FILES, 0]
