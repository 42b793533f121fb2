"""The conversations of the observing database.

The classic one speaks through Java's HttpURLConnection: old-form POSTs of indented JSON with one item per data
label and ``qa_state`` as it shows it (``Check``), then GETs of ``/jsonqastate/SITE/present/RAW/...`` by label,
program, observation, prefix of a night and range of a week. Of a poll it decodes every element: ``data_label``,
``filename``, ``qa_state`` in any case, ``entrytime``, ``data_md5`` as 32 hexadecimal digits. Of a reply to a POST
it decodes ``result``, ``id`` and, if there, ``error``. Its successor speaks through http4s, compact and in chunks.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from armillary.access.models import Scope
from tests.api.clients.wire import Reply, Wire, http4s_post, java_get, java_post
from tests.api.conftest import Maker
from tests.support.running import COOKIE, PATIENCE_S, Running

KEYS = ["data_label", "filename", "data_md5", "entrytime", "qa_state"]
INSTANT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?\+00:00")


@pytest.fixture
def wire(server: Running) -> Iterator[Wire]:
    with Wire(server) as one:
        yield one


def update(label: str, state: str) -> str:
    """Return one item as the encoder of the database indents it."""
    return (
        f'  {{\n    "data_label" : "{label}",\n    "values" : {{\n      "qa_state" : "{state}"\n    }}\n  }}'
    )


def post(server: Running, wire: Wire, *updates: tuple[str, str]) -> Reply:
    """Post states of data labels."""
    text = "[\n" + ",\n".join(update(*one) for one in updates) + "\n]"
    assert json.loads(text) == [{"data_label": label, "values": {"qa_state": s}} for label, s in updates]
    return java_post(wire, "/update_headers", text, f"{COOKIE}={server.secret(Scope.EDIT)}")


def poll(wire: Wire, selection: str, site: str = "Gemini-South") -> list[dict[str, Any]]:
    """Return the decoded elements of a list, refusing what the database could not decode."""
    reply = java_get(wire, f"/jsonqastate/{site}/present/RAW/{selection}")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.body == json.dumps(reply.json).encode()
    for element in reply.json:
        assert list(element) == KEYS
        assert INSTANT.fullmatch(element["entrytime"])
        assert re.fullmatch("[0-9a-f]{32}", element["data_md5"])
        assert element["qa_state"].lower() in ("undefined", "pass", "usable", "fail", "check")
    return list(reply.json)


def changed(wire: Wire, label: str, before: dict[str, Any]) -> dict[str, Any]:
    """Poll until time, digest and state of a data set are new, as the database does after a POST."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        (now,) = poll(wire, label)
        if all(now[key] != before[key] for key in ("entrytime", "data_md5", "qa_state")):
            return now
    raise AssertionError(f"{label} still is {now}")


SOUTH = {"TELESCOP": "Gemini-South", "OBSERVAT": "Gemini-South", "INSTRUME": "GMOS-S"}


def test_a_state_is_posted_and_polled_until_it_shows(server: Running, wire: Wire, a_file: Maker) -> None:
    label = "GS-2023A-Q-501-121-001"
    name = a_file(DATALAB=label, container=".bz2", **SOUTH)
    (before,) = poll(wire, label)
    assert (before["qa_state"], before["filename"], before["data_label"]) == ("Pass", f"{name}.bz2", label)
    for state in ("Fail", "Usable", "Check", "Undefined", "Pass"):
        reply = post(server, wire, (label, state))
        assert (reply.status, reply.body) == (200, f'[{{"result": true, "id": "{label}"}}]'.encode())
        after = changed(wire, label, before)
        assert after["qa_state"].lower() == state.lower()
        assert after["entrytime"] > before["entrytime"]
        before = after
    # The digest is that of the bytes which the server hands out.
    with server.client(scope=Scope.READ) as client:
        content = client.get(f"/file/{name}").content
    assert before["data_md5"] == hashlib.md5(content).hexdigest()


def test_a_batch_of_labels_is_answered_one_by_one(server: Running, wire: Wire, a_file: Maker) -> None:
    labels = [f"GS-2023A-Q-502-1-{number:03d}" for number in (1, 2)]
    for label in labels:
        a_file(DATALAB=label, **SOUTH)
    absent = "GS-2023A-Q-502-1-003"
    reply = post(server, wire, (labels[0], "Fail"), (absent, "Pass"), (labels[1], "Usable"))
    assert reply.body == (
        f'[{{"result": true, "id": "{labels[0]}"}}, '
        f'{{"result": false, "error": "No present file found for filename or datalabel", "id": "{absent}"}}, '
        f'{{"result": true, "id": "{labels[1]}"}}]'.encode()
    )
    assert poll(wire, absent) == []


def test_every_selection_of_the_database_finds_its_data_sets(wire: Wire, a_file: Maker) -> None:
    program, label = "GS-2023A-Q-503", "GS-2023A-Q-503-7-001"
    cards = {"GEMPRGID": program, "OBSID": f"{program}-7", "DATALAB": label, "DATE-OBS": "2023-08-20"}
    name = a_file(**cards, **SOUTH)
    prefix = name.partition(".")[0]
    for selection in (f"progid={program}", f"obsid={program}-7", label, prefix, "20230815-20230821"):
        assert [one["filename"] for one in poll(wire, selection)] == [name], selection
        assert poll(wire, selection, site="Gemini-North") == [], selection
    assert poll(wire, "20230822-20230829") == []


def test_the_successor_posts_compact_json_in_chunks(server: Running, wire: Wire, a_file: Maker) -> None:
    label = "G-2026B-0504-Q-0001-0001"
    a_file(DATALAB=label)
    cookie = f"{COOKIE}={server.secret(Scope.EDIT)}"
    text = f'[{{"data_label":"{label}","values":{{"qa_state":"Usable"}}}}]'
    reply = http4s_post(wire, "/update_headers", text, cookie)
    assert (reply.status, reply.body) == (200, f'[{{"result": true, "id": "{label}"}}]'.encode())
    refused = http4s_post(wire, "/update_headers", text, f"{COOKIE}=wrong")
    assert refused.status == 403
    assert java_get(wire, f"/jsonqastate/present/{label}").status == 200
