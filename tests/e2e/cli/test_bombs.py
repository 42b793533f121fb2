"""Small files that unfold to gigabytes cost bounded memory and time, and who asks for pictures is told why."""

from __future__ import annotations

import bz2
import gzip
import os
import subprocess
import time
from pathlib import Path

import httpx

from tests.support import bombs
from tests.support.archive import put
from tests.support.command import ENVIRONMENT, PATIENCE_S, Commands
from tests.support.headers import a_file
from tests.support.premade import prepare

ALLOWED = 400 << 20
MARGIN = 800 << 20
"""What a process may take besides: twice what it does."""
TOO_MUCH_MEMORY = f"A preview takes more than {ALLOWED} bytes of memory; raise archive.preview_memory"


def the_files() -> dict[str, tuple[bytes, str]]:
    """Return bombs, each with the reason why it has no preview; empty if it has one."""
    small = bytes(3000)
    large_tile = bombs.tiles([bombs.blank_gzip(640)], image=(100, 100), tile=(100, 100), kind="GZIP_1")
    one_tile = bombs.tiles([small], image=(20_000, 20_000), tile=(20_000, 20_000), kind="RICE_1")
    overflow = bombs.tiles([small], image=(40_000, 40_000), tile=(40_000, 40_000), kind="RICE_1")
    claims = bombs.tiles(
        [small], image=(100, 100), tile=(100, 100), kind="RICE_1", claims=[(2**31 - 1, 2**31 - 1)]
    )
    return {
        "lies.fits.bz2": (bz2.compress(large_tile), TOO_MUCH_MEMORY),
        "one-tile.fits": (one_tile, TOO_MUCH_MEMORY),
        "overflow.fits": (overflow, "more than can be decoded"),
        "claims.fits": (claims, "cannot be decoded"),
        "wide.fits.bz2": (bombs.blank(bombs.an_image(8, 60_000_000, 2), 120_000_000), TOO_MUCH_MEMORY),
        "tall.fits.bz2": (bombs.blank(bombs.an_image(8, 2, 60_000_000), 120_000_000), ""),
        "blank.fits.bz2": (bombs.blank(bombs.an_image(16, 8_000, 8_000), 128_000_000), ""),
    }


def peak_of(process: subprocess.Popen[str]) -> int:
    """Wait for a command; return the bytes that it, or one of the processes that it waited for, had at most."""
    end = time.monotonic() + PATIENCE_S
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_maxrss * 1024
        if time.monotonic() > end:
            process.kill()
            raise AssertionError("it does not end")
        time.sleep(0.05)


def test_bombs_cost_bounded_memory_and_the_reason_is_told(tmp_path: Path) -> None:
    files = the_files()
    for name, (data, _) in files.items():
        assert len(data) < 70_000
        put(tmp_path / "night" / name, data)
    put(tmp_path / "night" / "good.fits", a_file())
    put(
        tmp_path / "night" / "too-large.fits.bz2",
        bombs.blank(bombs.an_image(8, 500, 2_000_000), 1_000_000_000),
    )
    put(
        tmp_path / "night" / "as-large.fits.gz",
        gzip.compress(bombs.an_image(8, bombs.MIB, 960)) + bombs.blank_gzip(960),
    )
    commands = Commands(prepare(tmp_path / "data"))
    limits = {
        "ARMILLARY_ARCHIVE__PREVIEW_MEMORY": str(ALLOWED),
        "ARMILLARY_ARCHIVE__MAX_UNPACKED": "200000000",
    }
    with (tmp_path / "said").open("w+") as said:
        ingest = commands.start(
            "ingest", tmp_path / "night", env=ENVIRONMENT | limits, stdout=said, stderr=subprocess.STDOUT
        )
        peak = peak_of(ingest)
        said.seek(0)
        text = said.read()
    assert "8 ingested, 0 skipped, 2 failed" in text
    told = " ".join(text.split())
    assert told.count("unpacks to more than 200000000 bytes; raise archive.max_unpacked") == 2
    assert peak < ALLOWED + MARGIN

    failures = commands.run("status", "--json").json()["failures"]
    meant = {name.removesuffix(".bz2"): reason for name, (_, reason) in files.items() if reason}
    # The last are those of tiles, also of what has a preview.
    assert {one["file"] for one in failures} <= {name.removesuffix(".bz2") for name in files}
    failed = commands.run("orders", "list", "--state", "Failed", "--kind", "preview", "--json").json()
    reasons = [reason for one in failed["orders"] for reason in {*meant.values()} if reason in one["error"]]
    assert sorted(reasons) == sorted(meant.values())
    secret = commands.run("token", "create", "reader", "--scope", "read").out.strip()
    with commands.up() as (_, address):
        headers = {"X-Api-Key": secret}
        with httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=PATIENCE_S) as client:
            for name, (_, reason) in files.items():
                logical = name.removesuffix(".bz2")
                for kind in ("preview", "thumbnail"):
                    reply = client.get(f"/v1/files/{logical}/{kind}")
                    if reason:
                        assert (reply.status_code, reply.json()["code"]) == (404, "no_preview")
                        assert reason in reply.json()["detail"]
                    else:
                        assert reply.headers["content-type"] == "image/jpeg", reply.text
