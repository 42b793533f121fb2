"""Files of a change set that failed are tried again over HTTP, by a role that may change nothing itself."""

from __future__ import annotations

from tests.api.conftest import Maker
from tests.api.native.test_change_sets import act, ask, card, rest
from tests.support.running import Running


def test_a_refused_file_is_edited_by_the_retry(server: Running, a_file: Maker) -> None:
    here, away = a_file(OBJECT="M 1"), a_file(OBJECT="M 1")
    change_set = ask(server, here, values={"generic": {"OBJECT": "M 5"}})["id"]
    assert rest(server, change_set, "completed")["files"]["changed"] == 1
    assert act(server, change_set, "retry", code=409)["code"] == "change_set_state"
    # As if this file had been away when its turn came.
    server.sql(
        "INSERT INTO change_set_file (change_set, file_id, state, error)"
        " SELECT $1, id, 'refused', 'away' FROM file WHERE name = $2",
        change_set,
        away,
    )
    assert [one["file"] for one in rest(server, change_set, "completed")["errors"]] == [away]
    assert act(server, change_set, "retry")["order"]
    server.settle()
    found = rest(server, change_set, "completed")
    assert (found["files"]["changed"], found["files"]["refused"], found["errors"]) == (2, 0, [])
    assert "M 5" in card(server, away, "OBJECT")
