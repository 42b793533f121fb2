"""Every answer that an item can get, and which one comes first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.night import gemini_file, write_as
from tests.support.running import Running

VALUES = "This looks like a malformed request. values should be a dictionary"
NEITHER = "No filename or data_label given"
BOTH = "filename and data_label both given -this is an invalid request"
NO_FILE = "No present file found for filename or datalabel"
SEVERAL = "Multiple files found for filename or datalabel - request is ambiguous"


def element(server: Running, item: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to one item, the same for both forms of a request."""
    old, new = server.post([item]), server.post({"request": [item], "batch": False})
    assert old.content == new.content
    (answer,) = old.json()
    assert list(answer) == ["result", "error", "id"][: len(answer)] or list(answer) == ["result", "id"]
    return dict(answer)


def reason(server: Running, name: str, values: Any, **options: Any) -> str:
    """Return why an item for a file is refused."""
    answer = element(server, {"filename": name, "values": values, **options})
    assert answer["result"] is False, answer
    assert answer["id"] == name
    return str(answer["error"])


@pytest.mark.parametrize("values", [None, [], "x", 5, True])
def test_values_are_judged_before_anything_else(server: Running, values: Any) -> None:
    for rest in ({}, {"filename": "x", "data_label": "y"}, {"filename": "x", "nonsense": 1}):
        assert element(server, {**rest, "values": values}) == {"result": False, "error": VALUES}
        assert element(server, rest) == {"result": False, "error": VALUES}


def test_identifiers_are_judged_next(server: Running) -> None:
    bad = {"values": {"nonsense": 1}, "nonsense": 1}
    assert element(server, bad) == {"result": False, "error": NEITHER}
    assert element(server, {"filename": "", "data_label": "", **bad}) == {"result": False, "error": BOTH}


def test_an_absent_file_is_told_before_an_invalid_item(server: Running) -> None:
    for key in ("filename", "data_label"):
        for wanted in ("absent.fits", "", "  ", "../x", "%", "a/b.fits", "x" * 10_000):
            item = {key: wanted, "values": {"nonsense": 1}, "nonsense": 1}
            assert element(server, item) == {"result": False, "error": NO_FILE, "id": wanted}


def test_a_file_is_found_by_its_exact_logical_name(server: Running, a_file: Maker) -> None:
    for container in ("", ".bz2", ".gz"):
        name = a_file(container=container)
        for asked in (name, f"{name}.bz2", f"{name}.gz"):
            assert element(server, {"filename": asked, "values": {}}) == {"result": True, "id": asked}
        for asked in (name.lower(), name[:-5], f"{name}.bz2.bz2", f" {name}", f"./{name}", f"{name}.fz"):
            answer = element(server, {"filename": asked, "values": {}})
            assert answer == {"result": False, "error": NO_FILE, "id": asked}


def test_a_file_is_found_by_its_label(server: Running, a_file: Maker) -> None:
    a_file(DATALAB="GS-2023A-Q-136-121-001")
    answer = element(server, {"data_label": "GS-2023A-Q-136-121-001", "values": {}})
    assert answer == {"result": True, "id": "GS-2023A-Q-136-121-001"}
    for asked in ("gs-2023a-q-136-121-001", "GS-2023A-Q-136-121", " GS-2023A-Q-136-121-001"):
        assert element(server, {"data_label": asked, "values": {}})["error"] == NO_FILE


def test_a_label_of_two_files_is_ambiguous(server: Running, a_file: Maker) -> None:
    a_file(DATALAB="GN-TWO-1")
    gone = a_file(DATALAB="GN-TWO-1")
    answer = {"result": False, "error": SEVERAL, "id": "GN-TWO-1"}
    assert element(server, {"data_label": "GN-TWO-1", "values": {"nonsense": 1}}) == answer
    server.sql("UPDATE version SET present = false FROM file WHERE file.id = file_id AND name = $1", gone)
    assert element(server, {"data_label": "GN-TWO-1", "values": {}}) == answer
    assert element(server, {"filename": gone, "values": {}})["error"] == NO_FILE


def test_a_name_present_in_two_places_is_ambiguous(server: Running, tmp_path: Path) -> None:
    for folder, label in (("a", "GN-PLACES-1"), ("b", "GN-PLACES-1")):
        (tmp_path / folder).mkdir()
        write_as(tmp_path / folder / "N20260102S0001.fits", gemini_file(DATALAB=label))
    server.ingest(tmp_path / "a", tmp_path / "b")
    for key, wanted in (("filename", "N20260102S0001.fits"), ("data_label", "GN-PLACES-1")):
        answer = element(server, {key: wanted, "values": {}})
        assert answer == {"result": False, "error": SEVERAL, "id": wanted}


def test_a_path_tells_files_of_one_name_apart(server: Running, tmp_path: Path) -> None:
    name = "Light_001.fits"
    for folder in ("night1", "night2"):
        (tmp_path / "lights" / folder).mkdir(parents=True)
        write_as(tmp_path / "lights" / folder / name, gemini_file(DATALAB=f"GN-LIGHT-{folder}"))
    server.ingest(tmp_path / "lights")
    answer = element(server, {"filename": name, "values": {}})
    assert answer == {"result": False, "error": SEVERAL, "id": name}
    for asked in ({"filename": f"night1/{name}"}, {"data_label": "GN-LIGHT-night2"}):
        (shown,) = asked.values()
        assert element(server, {**asked, "values": {"qa_state": "Pass"}}) == {"result": True, "id": shown}
    wanted = {"values": {"qa_state": "Usable"}}
    with server.client(scope=Scope.EDIT) as client:
        reply = client.post(f"/v1/files/night2%2F{name}/edits", json=wanted)
        assert (reply.status_code, reply.json()["name"]) == (202, f"night2/{name}")
        reply = client.post(f"/v1/files/{name}/edits", json=wanted)
    assert (reply.status_code, reply.json()["code"]) == (409, "file_ambiguous")
    assert f"night1/{name}, " in reply.json()["detail"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"qa_stat": "Pass"}, "Unknown action: qa_stat (did you mean 'qa_state'?)"),
        ({"zzz": 1}, "Unknown action: zzz"),
        ({"filename": "x"}, "Unknown action: filename"),
        ({"data_label": "x"}, "Unknown action: data_label"),
        ({"reject_new": True}, "Unknown action: reject_new"),
        ({"extension": 1}, "Unknown action: extension"),
        ({"qa_state": "Pass", "": 1}, "Unknown action: "),
        ({"qa_state": "Psas"}, "Illegal value 'Psas' for action 'qa_state' (did you mean 'pass'?)"),
        ({"qa_state": None}, "Illegal value 'None' for action 'qa_state'"),
        ({"qa_state": ["Pass"]}, "Illegal value '['Pass']' for action 'qa_state'"),
        ({"qa_state": " pass"}, "Illegal value ' pass' for action 'qa_state'"),
        ({"raw_site": "iq10"}, "Illegal value 'iq10' for action 'raw_site'"),
        ({"raw_site": "iq20,cc50"}, "Illegal value 'iq20,cc50' for action 'raw_site'"),
        ({"raw_site": ["iq20", "cc20"]}, "Illegal value 'cc20' for action 'raw_site'"),
        ({"raw_site": [["iq20"]]}, "Illegal value '['iq20']' for action 'raw_site'"),
        ({"raw_site": None}, "Illegal value 'None' for action 'raw_site'"),
        ({"raw_site": {}}, "Illegal value '{}' for action 'raw_site'"),
        ({"release": "2026-02-30"}, "Invalid Release date: 2026-02-30"),
        ({"release": "2026-02-03T00:00:00"}, "Invalid Release date: 2026-02-03T00:00:00"),
        ({"release": "20260203"}, "Invalid Release date: 20260203"),
        ({"release": " 2026-02-03"}, "Invalid Release date:  2026-02-03"),
        ({"release": "٢٠٢٦-02-03"}, "Invalid Release date: ٢٠٢٦-02-03"),
        ({"release": ""}, "Invalid Release date: "),
        ({"release": None}, "Invalid Release date: None"),
        ({"release": 20260203}, "Invalid Release date: 20260203"),
        ({"generic": {"RELEASE": "soon"}}, "Invalid Release date: soon"),
        ({"generic": {"TOOLONGKEY": 1}}, "Invalid keyword: TOOLONGKEY"),
        ({"generic": {"A B": 1}}, "Invalid keyword: A B"),
        ({"generic": {"ſ": 1}}, "Invalid keyword: ſ"),
        ({"generic": {"A\n": 1}}, "Invalid keyword: A\n"),
        ({"generic": [[5, 1]]}, "Invalid keyword: 5"),
        ({"generic": {"": 1}}, "Protected keyword: "),
        ({"generic": {"naxis1": 1}}, "Protected keyword: NAXIS1"),
        ({"generic": {"CHECKSUM": "x"}}, "Protected keyword: CHECKSUM"),
        ({"generic": {"HIERARCH": 1}}, "Protected keyword: HIERARCH"),
        ({"generic": {"ZIMAGE": True}}, "Protected keyword: ZIMAGE"),
        ({"generic": {"EXTNAME": "x"}}, "Protected keyword: EXTNAME"),
        ({"generic": {"TFORM999": "x"}}, "Protected keyword: TFORM999"),
        ({"generic": {"A": []}}, "Invalid value for keyword A"),
        ({"generic": {"A": {}}}, "Invalid value for keyword A"),
        ({"generic": {"A": "ü"}}, "Invalid value for keyword A"),
        ({"generic": {"A": "\t"}}, "Invalid value for keyword A"),
        ({"generic": {"A": "x" * 1001}}, "Invalid value for keyword A"),
        ({"generic": {"A": 2**63}}, "Invalid value for keyword A"),
        ({"generic": {"A": -(2**63) - 1}}, "Invalid value for keyword A"),
        ({"generic": {"A": float("nan")}}, "Invalid value for keyword A"),
        ({"generic": {"A": float("inf")}}, "Invalid value for keyword A"),
        ({"generic": {"COMMENT": 5}}, "Invalid value for keyword COMMENT"),
        ({"generic": [["A", 1, "comment"]]}, "Illegal value '[['A', 1, 'comment']]' for action 'generic'"),
        ({"generic": [["A"]]}, "Illegal value '[['A']]' for action 'generic'"),
        ({"generic": [{"A": 1}]}, "Illegal value '[{'A': 1}]' for action 'generic'"),
        ({"generic": ["AB"]}, "Illegal value '['AB']' for action 'generic'"),
        ({"generic": "A=1"}, "Illegal value 'A=1' for action 'generic'"),
        ({"generic": None}, "Illegal value 'None' for action 'generic'"),
    ],
    ids=repr,
)
def test_an_invalid_item_is_refused_with_its_reason(
    server: Running, shared_file: str, values: dict[str, Any], expected: str
) -> None:
    found = reason(server, shared_file, values)
    assert found == expected or found.startswith(
        (f"{expected} (did you mean '", f"{expected}; it should be ")
    )


def test_endless_integers_are_refused_with_their_item_alone(server: Running, shared_file: str) -> None:
    digits = "9" * 5000
    bad = f'{{"filename": "{shared_file}", "values": {{"generic": {{"A": {digits}}}}}}}'
    good = f'{{"filename": "{shared_file}", "values": {{}}}}'
    reply = server.post(f"[{bad}, {good}]".encode()).json()
    assert reply[0]["error"] == "Invalid value for keyword A"
    assert reply[1] == {"result": True, "id": shared_file}


@pytest.mark.parametrize("value", [1, "true", [], {}, 0.0])
def test_reject_new_is_a_boolean_or_null(server: Running, shared_file: str, value: Any) -> None:
    assert "reject_new" in reason(server, shared_file, {}, reject_new=value)
    good = {"filename": shared_file, "values": {}, "reject_new": None}
    assert element(server, good) == {"result": True, "id": shared_file}


@pytest.mark.parametrize(
    "value", [-1, 1.5, True, "", " ", "\x00", "SCI\ud800", "é", [], ["SCI"], ["SCI", "1"], ["SCI", True], {}]
)
def test_an_extension_has_one_of_three_forms(server: Running, shared_file: str, value: Any) -> None:
    assert "extension" in reason(server, shared_file, {}, extension=value)


@pytest.mark.parametrize("key", ["if_data_md5", "expect_data_md5"])
@pytest.mark.parametrize("value", ["", "x", 5, "A" * 32, "a" * 31, ["a" * 32]])
def test_digests_are_md5s(server: Running, shared_file: str, key: str, value: Any) -> None:
    assert key in reason(server, shared_file, {}, **{key: value})


def test_an_unknown_item_key_is_named(server: Running, shared_file: str) -> None:
    assert reason(server, shared_file, {}, rejectnew=True) == (
        "Unknown item key: rejectnew (did you mean 'reject_new'?)"
    )
    assert reason(server, shared_file, {}, comment="x") == "Unknown item key: comment"


def test_items_are_independent_and_answered_in_order(server: Running, a_file: Maker) -> None:
    first, second = a_file(), a_file()
    reply = server.post(
        [
            {"filename": first, "values": {"qa_state": "Fail"}},
            {"filename": first, "values": {"qa_state": "nonsense"}},
            {"filename": "absent.fits", "values": {}},
            {"values": None},
            {"filename": second, "values": {"raw_site": []}},
        ]
    )
    assert [one["result"] for one in reply.json()] == [True, False, False, False, True]
    states = [(i["index"], i["state"], i["accepted"], i["changed"]) for i in server.status(reply)["items"]]
    assert states == [
        (0, "completed", True, True),
        (1, "failed", False, None),
        (2, "failed", False, None),
        (3, "failed", False, None),
        (4, "completed", True, False),
    ]
