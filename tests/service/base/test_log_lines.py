"""What a process writes into its log: records at every level, events from theirs on, and no secret."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

KEY = "arm_kZr5-T0pSecret_Zm9vYmFyMTIzNDU2Nzg5MDEyMzQ1Njc4"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln_bmF0-dXJl"


def logged(program: str) -> str:
    """Return what a program writes into its log."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr


SECRETS = f"""
import logging
from armillary.base import log
log.configure(level="DEBUG", json=JSON)
log.get_logger("armillary.some").warning("an event", path="/k/whatever/api/x", shown="{KEY}")
logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', "127.0.0.1", "/k/whatever/api/ws")
try:
    raise ValueError("{JWT}")
except ValueError as error:
    log.get_logger("armillary.some").error("request failed", exc_info=error)
"""


@pytest.mark.parametrize("json_lines", [True, False])
def test_events_tracebacks_and_foreign_records_have_none(json_lines: bool) -> None:
    said = logged(SECRETS.replace("JSON", str(json_lines)))
    assert not [secret for secret in (KEY, JWT, "whatever") if secret in said]
    assert "/k/.../api/x" in said
    assert "/k/.../api/ws" in said
    assert "ValueError: ..." in said
    if json_lines:
        assert len([json.loads(line) for line in said.splitlines()]) == 3


RECORDS = """
from armillary.base import log
log.configure(level="WARNING")
log.get_logger("armillary.some").info("an event")
log.get_logger("armillary.some").warning("a warning")
with log.bound(request="abc"):
    log.get_record("files").info("file handed out", file="n1.fits", reason="released")
log.get_record("files").info("later")
"""


def test_records_are_written_at_every_level_and_events_from_theirs_on() -> None:
    lines = [json.loads(line) for line in logged(RECORDS).splitlines()]
    assert [one["event"] for one in lines] == ["a warning", "file handed out", "later"]
    assert (lines[1]["request"], lines[1]["file"], lines[1]["reason"]) == ("abc", "n1.fits", "released")
    assert "request" not in lines[2]
    assert all(one["timestamp"].endswith("Z") for one in lines)
