"""Records and locations of the virtual observatory to practise with: what they accept, and how they read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from armillary.demo.svo import a_dataset
from tests.support.svo import DATASET, Wire, a_place, a_world, wired

LIST = "/metadata_chromis/"


@pytest.fixture
def wire() -> Iterator[Wire]:
    with wired() as one:
        yield one


@pytest.mark.parametrize(
    ("field", "sent", "read"),
    [
        ("date_beg", "2026-01-01T10:00:00.123999", "2026-01-01T10:00:00.123Z"),
        ("date_beg", "2026-01-01T10:00:00+02:00", "2026-01-01T08:00:00Z"),
        ("date_beg", "2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z"),
        ("date_beg", "2026-01-01", "2026-01-01T00:00:00Z"),
        ("date_beg", "", None),
        ("date_beg", None, None),
        ("object", "  quiet Sun ", "quiet Sun"),
        ("object", True, "True"),
        ("object", None, ""),
        ("fits_header", "  SIMPLE  = T \n", "SIMPLE  = T"),
        ("naxis", 1.0, 1),
        ("naxis", "", None),
        ("xposure", True, 1.0),
        ("xposure", 3, 3.0),
        ("xposure", "", None),
        ("extend", False, False),
        ("extend", None, None),
    ],
)
def test_values_read_back_so(wire: Wire, field: str, sent: Any, read: Any) -> None:
    assert wire.post({"oid": "a", field: sent}).status_code == 201
    told = wire.record("a")[field]
    assert (told, type(told)) == (read, type(read))


def test_what_was_never_set_reads_as_empty_text_or_null(wire: Wire) -> None:
    wire.post({"oid": "a"})
    told = wire.record("a")
    assert (told["object"], told["fits_header"], told["naxis"], told["date_end"]) == ("", "", None, None)


def test_a_number_that_json_does_not_know_reads_as_null(wire: Wire) -> None:
    wire.svo.world.seed(DATASET, ["a"], xposure=float("nan"))
    assert wire.record("a")["xposure"] is None


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("naxis", 1.5),
        ("naxis", "1"),
        ("naxis", True),
        ("xposure", "1.5"),
        ("xposure", 10**400),
        ("extend", "T"),
        ("extend", 1),
        ("date_beg", "yesterday"),
        ("date_beg", 20260101),
        ("object", ["a"]),
    ],
)
def test_one_bad_field_refuses_the_whole_record(wire: Wire, field: str, sent: Any) -> None:
    reply = wire.post({"oid": "a", "filename": "good", field: sent, "data_location": a_place()})
    assert reply.status_code == 400
    assert list(reply.json()) == ["metadata_chromis"]
    assert list(reply.json()["metadata_chromis"]) == [field]
    assert (wire.svo.world.records[DATASET], wire.svo.world.locations) == ({}, {}), "nothing is left behind"


def test_unknown_fields_are_told_back_and_not_kept(wire: Wire) -> None:
    echo = wire.post({"oid": "a", "nonsense": 7, "date_beg": "2026-01-01T10:00:00.123456+02:00"}).json()
    assert (echo["nonsense"], echo["date_beg"]) == (7, "2026-01-01T10:00:00.123456+02:00")
    told = wire.record("a")
    assert "nonsense" not in told
    assert told["date_beg"] == "2026-01-01T08:00:00.123Z"


def test_an_oid_is_needed_and_there_is_one_of_each(wire: Wire) -> None:
    for body in ({}, {"oid": ""}, {"oid": 7}):
        assert list(wire.post(body).json()["metadata_chromis"]) == ["oid"]
    assert wire.post({"oid": "a"}).status_code == 201
    again = wire.post({"oid": "a", "data_location": a_place()})
    assert (again.status_code, list(again.json()["metadata_chromis"])) == (400, ["oid"])
    assert wire.svo.world.locations == {}


def test_a_record_that_is_absent_is_not_made_by_a_change(wire: Wire) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        reply = wire.ask(method, f"{LIST}none/", {"object": "x"} if method == "PATCH" else None)
        assert (reply.status_code, reply.content) == (404, b"")


def test_a_change_takes_fields_and_null_clears_one_but_never_the_oid(wire: Wire) -> None:
    wire.post({"oid": "a", "object": "x", "naxis": 3, "xposure": 1.5})
    reply = wire.ask("PATCH", f"{LIST}a/", {"naxis": None, "object": None})
    assert (reply.status_code, reply.json()["naxis"], reply.json()["xposure"]) == (202, None, 1.5)
    assert wire.record("a")["object"] == ""
    assert wire.ask("PATCH", f"{LIST}a/", {"oid": "a", "naxis": 1}).status_code == 400
    assert wire.record("a")["naxis"] is None


def test_deleting_a_record_leaves_its_location(wire: Wire) -> None:
    wire.post({"oid": "a", "data_location": a_place()})
    assert wire.ask("DELETE", f"{LIST}a/").status_code == 204
    assert wire.ask("DELETE", f"{LIST}a/").status_code == 404
    assert [one.id for one in wire.svo.world.orphans()] == [1]
    again = wire.post({"oid": "a", "data_location": a_place()})
    assert (again.status_code, list(again.json()["data_location"])) == (400, ["__all__"])


def test_deleting_a_location_sets_the_links_to_null(wire: Wire) -> None:
    wire.post({"oid": "a", "data_location": a_place()})
    assert wire.ask("DELETE", "/data_location/1/").status_code == 204
    assert wire.record("a")["data_location"] is None


def test_a_location_reads_with_its_size_as_text(wire: Wire) -> None:
    wire.post({"oid": "a", "data_location": a_place()})
    told = wire.record("a")["data_location"]
    assert (told["file_size"], told["thumbnail_url"], told["offline"]) == ("2880", None, False)
    assert told["dataset"] == "/service/api/svo/dataset/CHROMIS/"


@pytest.mark.parametrize(
    ("field", "value", "good"),
    [
        ("file_url", "https://data.example/a b", False),
        ("file_url", "http://archive/one.fits", False),
        ("file_url", "http://localhost:8000/one.fits", True),
        ("file_url", "one.fits", False),
        ("file_url", "https://data.example/" + "x" * 1990, False),
        ("file_path", "/absolute", False),
        ("file_path", "directory/", False),
        ("file_path", "a:b", False),
        ("file_path", "a\\b", False),
        ("file_path", "what?", False),
        ("file_path", "a/con.fits", False),
        ("file_path", "a\nb", False),
        ("file_path", "a/b c+(d).fits", True),
        ("file_size", -1, False),
        ("file_size", "12", True),
        ("file_size", 1.5, False),
        ("offline", "true", False),
        ("offline", True, True),
        ("thumbnail_url", "https://data.example/t.png", True),
        ("thumbnail_url", "x", False),
    ],
)
def test_a_location_is_checked(wire: Wire, field: str, value: Any, good: bool) -> None:
    reply = wire.post({"oid": "a", "data_location": a_place(**{field: value})})
    assert reply.status_code == (201 if good else 400)
    if not good:
        assert list(reply.json()["data_location"]) == [field]
    assert wire.ask("POST", "/data_location/", a_place(**{field: value})).status_code == 400


def test_a_location_needs_its_dataset_and_other_datasets_are_not_refused() -> None:
    world = a_world(a_dataset(DATASET), a_dataset("CRISP"))
    with wired(world) as wire:
        place = a_place()
        del place["dataset"]
        assert list(wire.post({"oid": "a", "data_location": place}).json()["data_location"]) == ["dataset"]
        assert wire.post({"oid": "a", "data_location": a_place(dataset="/nothing/")}).status_code == 400
        other = a_place(dataset="/service/api/svo/dataset/CRISP/")
        assert wire.post({"oid": "a", "data_location": other}).status_code == 201
        whole = f"{wire.svo.url}/dataset/CHROMIS/"
        assert wire.post({"oid": "b", "data_location": a_place(dataset=whole)}).status_code == 201


@pytest.mark.parametrize("field", ["file_url", "file_path"])
def test_url_and_path_are_unique_in_a_dataset(wire: Wire, field: str) -> None:
    wire.post({"oid": "a", "data_location": a_place()})
    other = a_place(file_url="https://data.example/2", file_path="two") | {field: a_place()[field]}
    reply = wire.post({"oid": "b", "data_location": other})
    assert (reply.status_code, list(reply.json()["data_location"])) == (400, ["__all__"])
    elsewhere = wire.ask("POST", "/data_location/", other)
    assert elsewhere.status_code == 400


def test_a_nested_location_with_its_uri_changes_that_row_for_all(wire: Wire) -> None:
    wire.post({"oid": "a", "data_location": a_place()})
    wire.post({"oid": "b", "data_location": "/service/api/svo/data_location/1/"})
    part = {"resource_uri": "/service/api/svo/data_location/1/", "file_size": 5}
    assert wire.ask("PATCH", f"{LIST}a/", {"data_location": part}).status_code == 202
    assert [wire.record(oid)["data_location"]["file_size"] for oid in "ab"] == ["5", "5"]
    assert wire.record("a")["data_location"]["file_url"] == a_place()["file_url"], "a partial object"


def test_a_nested_location_without_a_uri_is_new_and_leaves_the_old_one(wire: Wire) -> None:
    wire.post({"oid": "a", "data_location": a_place()})
    new = a_place(file_url="https://data.example/2", file_path="two")
    wire.ask("PATCH", f"{LIST}a/", {"data_location": new})
    assert wire.record("a")["data_location"]["id"] == 2
    assert [one.id for one in wire.svo.world.orphans()] == [1]


def test_a_uri_links_and_null_takes_the_link_away(wire: Wire) -> None:
    place = wire.svo.world.add_location(DATASET, "https://a.b/c", 1, "c")
    wire.post({"oid": "a", "data_location": a_place()})
    whole = f"{wire.svo.url}/data_location/{place.id}/"
    assert wire.ask("PATCH", f"{LIST}a/", {"data_location": whole}).status_code == 202
    assert wire.record("a")["data_location"]["id"] == place.id
    assert wire.ask("PATCH", f"{LIST}a/", {"data_location": None}).json()["data_location"] is None
    bad = wire.ask("PATCH", f"{LIST}a/", {"data_location": "/service/api/svo/data_location/99/"})
    assert (bad.status_code, list(bad.json())) == (400, ["error"])


def test_lists_can_show_locations_by_their_uris_alone() -> None:
    with wired(a_world(full_lists=False)) as wire:
        wire.post({"oid": "a", "data_location": a_place()})
        (told,) = wire.get(LIST)["objects"]
        assert told["data_location"] == "/service/api/svo/data_location/1/"
        assert wire.record("a")["data_location"]["file_size"] == "2880"
