"""fixHead's words against an archive here and a server elsewhere, which receives what fixHead sends."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from armillary.base.postgres.server import embedded
from tests.support.archive import put
from tests.support.command import Commands
from tests.support.night import gemini_file
from tests.support.postgres import server_account

NAMES = [f"N20260101S{number:04d}.fits" for number in (1, 2, 3)]
OBSERVATION = "GN-2025B-Q-101-7"
TYPED = {"COADDS": 1, "PREIMAGE": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fixhead")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(folder: Path) -> AsyncIterator[Path]:
    """Return a data directory whose database runs: every command would start it and stop it again."""
    async with embedded(folder / "data", server_account()):
        yield folder / "data"


@pytest.fixture(scope="module")
def commands(folder: Path, served: Path) -> Commands:
    """Make an archive of three files, the first two of one observation."""
    commands = Commands(served)
    for number, name in enumerate(NAMES, 1):
        observation = OBSERVATION if number < 3 else "GN-2025B-Q-101-8"
        cards = {"DATALAB": f"{observation}-{number:03d}", "OBSID": observation, "RAWIQ": "Any"} | TYPED
        put(folder / "in" / name, gemini_file(kb=1, **cards))
    assert commands.run("ingest", folder / "in", "--json").json()["ingested"] == 3
    return commands


def said(commands: Commands, *words: str, code: int = 0) -> dict[str, Any]:
    """Run fixhead; return what became of every file."""
    answers = commands.run("fixhead", *words, "--json", code=code).json()
    return {one["file"]: one["error"] or {c["keyword"]: c["new"] for c in one["changes"]} for one in answers}


def test_files_are_fixed_by_number_name_observation_and_label(commands: Commands) -> None:
    fixed = said(commands, "20260101", "1-2,9", "qa:fail", "RAWIQ:70", code=1)
    quality = {"RAWGEMQA": "BAD", "RAWPIREQ": "NO", "RAWIQ": "70-percentile"}
    assert fixed == {
        NAMES[0]: quality,
        NAMES[1]: quality,
        "N20260101S0009.fits": "No present file named 'N20260101S0009.fits' is in the archive.",
    }
    assert said(commands, NAMES[2], "release:2026-2-3") == {NAMES[2]: {"RELEASE": "2026-02-03"}}
    assert said(commands, OBSERVATION, "EXPTIME=12.5") == {name: {"EXPTIME": 12.5} for name in NAMES[:2]}
    assert said(commands, f"{OBSERVATION}-002", "OBJECT", "M 33") == {NAMES[1]: {"OBJECT": "M 33"}}
    assert said(commands, "obsid", OBSERVATION, "OBJECT:M 33")[NAMES[1]] == {}


def test_cards_keep_the_type_of_their_value_unless_quotes_say_otherwise(commands: Commands) -> None:
    assert said(commands, NAMES[2], "EXPTIME=12.5") == {NAMES[2]: {"EXPTIME": 12.5}}
    assert said(commands, NAMES[2], "EXPTIME:33") == {NAMES[2]: {"EXPTIME": 33.0}}
    assert said(commands, NAMES[2], "EXPTIME", "34") == {NAMES[2]: {"EXPTIME": 34.0}}
    assert said(commands, NAMES[2], 'EXPTIME:"35"') == {NAMES[2]: {"EXPTIME": "35"}}
    assert said(commands, NAMES[2], "EXPTIME=36") == {NAMES[2]: {"EXPTIME": 36}}
    assert said(commands, NAMES[2], "EXPTIME='37'") == {NAMES[2]: {"EXPTIME": "37"}}
    edited = commands.run("edit", NAMES[2], "EXPTIME=38", "--json").json()
    assert [(one["old"], one["new"]) for one in edited["changes"]] == [("37", 38)]
    edited = commands.run("edit", NAMES[2], "EXPTIME='39'", "--json").json()
    assert [(one["old"], one["new"]) for one in edited["changes"]] == [(38, "39")]
    assert said(commands, NAMES[2], "EXPTIME:40") == {NAMES[2]: {"EXPTIME": "40"}}
    typed = said(commands, NAMES[2], "COADDS:4", "PREIMAGE:F")[NAMES[2]]
    assert (typed, type(typed["COADDS"]), type(typed["PREIMAGE"])) == (
        {"COADDS": 4, "PREIMAGE": False}, int, bool,
    )  # fmt: skip
    quoted = said(commands, NAMES[2], "COADDS='5'", "PREIMAGE:'F'")[NAMES[2]]
    assert quoted == {"COADDS": "5", "PREIMAGE": "F"}


def test_new_keywords_need_y(commands: Commands) -> None:
    refused = said(commands, NAMES[0], "OBSERVR:me", code=1)
    assert refused == {NAMES[0]: "Some of the keywords don't exist in the file: OBSERVR"}
    assert said(commands, "-y", NAMES[0], "OBSERVR:me") == {NAMES[0]: {"OBSERVR": "me"}}


def test_looks_change_nothing_and_bad_words_are_explained(commands: Commands) -> None:
    assert commands.run("fixhead", "-l", "20260101", "1-2").out.split() == NAMES[:2]
    request = commands.run("fixhead", "--dry-run", "20260101", "1", "cond:iq20,cc50").json()
    assert request["request"][0]["values"] == {"raw_site": ["iq20", "cc50"]}
    assert "iq20" not in commands.run("history", NAMES[0]).out
    for words, message in (
        (("20260101", "1"), "say what to change"),
        (("nonsense", "qa:pass"), "'nonsense' is no number"),
        (("1", "RAWIQ:75"), "it can be 20-percentile, 70-percentile, 85-percentile, Any, UNKNOWN"),
        (("GN-2025B-Q-101-99", "qa:pass"), "no present file has obsid=GN-2025B-Q-101-99"),
        (("-N", "-S", "1", "qa:pass"), "exclude each other"),
        (("--server", "http://127.0.0.1:9", "1", "qa:pass"), "cannot reach"),
    ):
        assert message in commands.run("fixhead", *words, code=1).err


def test_a_server_of_ours_tells_what_landed(commands: Commands) -> None:
    with commands.up() as (_, address):
        token = commands.run("token", "create", "fixHead", "--scope", "edit").out.strip()
        words = ("--server", address, "--token", token, "-y", OBSERVATION, "cond:iq85,bg20", "qa:check")
        fixed = said(commands, *words)
        assert fixed.keys() == set(NAMES[:2])
        assert fixed[NAMES[0]]["RAWBG"] == "20-percentile"
        typed = said(commands, *words[:4], NAMES[0], "COADDS:3", "PREIMAGE:F")[NAMES[0]]
        assert (typed, type(typed["COADDS"]), type(typed["PREIMAGE"])) == (
            {"COADDS": 3, "PREIMAGE": False}, int, bool,
        )  # fmt: skip
        forbidden = commands.run("fixhead", "--server", address, "--token", "no", NAMES[0], "qa:pass", code=2)
        assert "refuses the cookie" in forbidden.err


@contextmanager
def old_server(answer: list[dict[str, Any]]) -> Iterator[tuple[str, list[tuple[str, str, str, bytes]]]]:
    """Serve as the old server does; give the address, and a list of all that was received."""
    received: list[tuple[str, str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def _reply(self, content: object) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            received.append((self.command, self.path, self.headers.get("Cookie", ""), body))
            text = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self._reply([{"name": "S20221215S0001.fits"}, {"name": "S20221215S0002.fits"}])

        def do_POST(self) -> None:
            self._reply(answer)

        def log_message(self, *_args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_an_old_server_receives_the_bytes_of_fixhead(folder: Path) -> None:
    answer = [{"result": True, "id": "a"}, {"result": False, "error": "no such thing", "id": "b"}]
    with old_server(answer) as (address, received):
        words = (
            "--server",
            address,
            "--token",
            "magic",
            "obsid",
            "GS-2022B-Q-1-2",
            "RAWIQ:70",
            "cond:iqany,cc50",
        )
        ended = Commands(folder / "nothing").run("fixhead", *words, code=1)
    assert ended.out == "a: accepted\n"
    assert "b: no such thing" in ended.err
    look, post = received
    assert look[:2] == ("GET", "/jsonfilenames/present/obsid=GS-2022B-Q-1-2")
    assert post[:3] == ("POST", "/update_headers", "gemini_api_authorization=magic")
    values = '{"raw_site": ["iqany", "cc50"], "generic": [["RAWIQ", "70-percentile"]]}'
    items = ", ".join(
        f'{{"filename": "S20221215S000{n}.fits", "values": {values}, "reject_new": true}}' for n in (1, 2)
    )
    assert post[3].decode() == f'{{"request": [{items}], "batch": false}}'
