"""What the search page gives to be copied finds elsewhere what the page shows."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest

from armillary.access.models import Scope
from armillary.api.http.carriers import SESSION
from tests.api.conftest import Maker
from tests.support.command import ENVIRONMENT
from tests.support.running import Running

SEARCHES: tuple[dict[str, Any], ...] = (
    {"exposure_min_s": "15", "exposure_max_s": "25"},
    {"since": "2026-01-01 09:30", "until": "2026-01-01T09:31:00Z"},
    {"night": "2026-01-01", "night_until": "2026-01-02", "limit": "2"},
    {"keyword": ["EXPTIME>15", 'OBJECT!=it\'s "$HOME" `x`']},
    {"position": "83.6331 22.0145", "radius": "1'"},
    {"selection": "GMOS-N/20260101/exposure_time=9-21"},
    {"warnings": "false", "name": "N2026*"},
    {"latest": "2", "per": "program", "qa_state": "pass"},
)


def commands_of(server: Running, query: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Return the commands of a page for somebody who may read everything, and the names that it shows."""
    with server.client() as client:
        client.cookies.set(SESSION, server.secret(Scope.READ))
        reply = client.get("/frames", params=query, headers={"Accept": "text/html"}, follow_redirects=True)
    assert reply.status_code == 200, reply.text
    found = re.findall(r'<pre id="way-([^"]+)"[^>]*>(.*?)</pre>', reply.text, re.DOTALL)
    shown = re.findall(r'<td class="mono"><a href="/files/[^"]*">([^<]+)</a>', reply.text)
    return {name: html.unescape(command) for name, command in found}, shown


def said_by(server: Running, *command: str) -> str:
    """Return what a command says that shows a token which may read everything."""
    environment = {**os.environ, **ENVIRONMENT, "ARMILLARY_TOKEN": server.secret(Scope.READ)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


@pytest.mark.parametrize("query", SEARCHES, ids=lambda query: next(iter(query), ""))
def test_copied_commands_find_what_the_page_shows(
    server: Running, a_file: Maker, own_program: str, query: dict[str, Any]
) -> None:
    for seconds in (10, 20, 30):
        a_file(GEMPRGID=own_program, EXPTIME=seconds, RELEASE="2020-01-01", OBJECT="M 1")
    commands, shown = commands_of(server, {"program": own_program, **query})
    assert shown
    told = json.loads(said_by(server, "bash", "-c", commands["curl"]))
    assert [one["name"] for one in told["frames"]] == shown
    count, *names = said_by(server, sys.executable, "-c", commands["python"]).split()
    assert (int(count), names) == (len(shown), shown)
    words = shlex.split(commands["cli"])
    assert words[0] == "armillary"
    data = ["--data", str(server.settings.data)]
    known = json.loads(said_by(server, sys.executable, "-m", *words[:2], *data, *words[2:]))
    assert [one["name"] for one in known["frames"]] == shown
