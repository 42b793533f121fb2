"""The virtual observatory to practise with has the habits of the real one: addresses, methods, lists, rights."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from armillary.demo.svo import Fault, Kind, User, a_dataset
from tests.support.svo import DATASET, KEY, OWNER, Hands, Wire, a_place, a_world, wired

LIST = "/metadata_chromis/"


@pytest.fixture
def wire() -> Iterator[Wire]:
    with wired() as one:
        yield one


def oids(answer: Any) -> list[str]:
    """Return the oids of a page."""
    return [one["oid"] for one in answer["objects"]]


def test_addresses_are_paths_of_the_host_with_the_prefix(wire: Wire) -> None:
    reply = wire.post({"oid": "one", "data_location": a_place()})
    assert reply.status_code == 201
    assert reply.headers["Location"] == "/service/api/svo/metadata_chromis/one/"
    told = wire.record("one")
    assert told["resource_uri"] == "/service/api/svo/metadata_chromis/one/"
    assert told["data_location"]["resource_uri"] == "/service/api/svo/data_location/1/"
    wire.svo.world.seed(DATASET, [f"n{at:03}" for at in range(30)])
    following = wire.get(LIST)["meta"]["next"]
    assert following.startswith("/service/api/svo/metadata_chromis/?")
    assert wire.ask("GET", following).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_without_the_last_slash_everything_is_sent_elsewhere(wire: Wire, method: str) -> None:
    reply = wire.ask(method, "/metadata_chromis", {} if method != "GET" else None)
    assert (reply.status_code, reply.headers["Location"]) == (301, "/service/api/svo/metadata_chromis/")


def test_a_redirect_that_is_followed_loses_the_body(wire: Wire) -> None:
    reply = wire.ask("POST", "/metadata_chromis", {"oid": "one"}, follow_redirects=True)
    assert (reply.status_code, reply.request.method) == (200, "GET")
    assert wire.svo.world.records[DATASET] == {}


def test_reading_needs_no_key_and_a_wrong_one_reads_as_nobody(wire: Wire) -> None:
    for shown in ({}, {"Authorization": "ApiKey owner:wrong"}, {"Authorization": "nonsense"}):
        reply = wire.http.get(f"{wire.svo.url}{LIST}", headers=shown)
        assert reply.status_code == 200


@pytest.mark.parametrize(
    "user",
    [
        None,
        User("owner", "wrong"),
        User("stranger", KEY),
        User("reader", "r" * 40, records=False),
    ],
    ids=lambda one: one.name if one else "nobody",
)
def test_whoever_may_not_write_gets_401_without_a_body(user: User | None) -> None:
    world = a_world()
    world.add_user(User("reader", "r" * 40, records=False))
    world.seed(DATASET, ["one"])
    with wired(world, user) as wire:
        for method, path in (("POST", LIST), ("PATCH", f"{LIST}one/"), ("DELETE", f"{LIST}one/")):
            reply = wire.ask(method, path, {"object": "x"} if method != "DELETE" else None)
            assert (reply.status_code, reply.content) == (401, b""), method
    assert world.records[DATASET]["one"].values == {}


def test_a_location_needs_the_right_and_the_group_of_its_dataset() -> None:
    world = a_world(a_dataset(DATASET, group="sst"))
    world.add_user(User("groupless", "g" * 40))
    world.add_user(User("rightless", "l" * 40, locations=False, groups=frozenset({"sst"})))
    world.add_user(User("both", "b" * 40, groups=frozenset({"sst"})))
    for name, status in (("groupless", 401), ("rightless", 401), ("both", 201)):
        with wired(world, world.users[name]) as wire:
            assert wire.post({"oid": name, "data_location": a_place()}).status_code == status
            assert (
                wire.ask(
                    "POST", "/data_location/", a_place(file_url="https://a.b/c", file_path="c")
                ).status_code
                == status
            )
    with wired(world, world.users["groupless"]) as wire:
        assert wire.ask("DELETE", "/data_location/1/").status_code == 401
        assert wire.ask("PATCH", "/data_location/1/", {"file_size": 1}).status_code == 401


def test_who_has_no_right_on_locations_writes_records_without_or_links_one() -> None:
    world = a_world()
    user = world.add_user(User("rightless", "l" * 40, locations=False))
    place = world.add_location(DATASET, "https://a.b/c", 1, "c")
    with wired(world, user) as wire:
        assert wire.post({"oid": "bare"}).status_code == 201
        assert wire.post({"oid": "own", "data_location": a_place()}).status_code == 401
        linked = {"oid": "linked", "data_location": f"/service/api/svo/data_location/{place.id}/"}
        assert wire.post(linked).status_code == 201


def test_who_has_no_right_on_tags_changes_no_record_that_has_some() -> None:
    world = a_world()
    user = world.add_user(User("tagless", "t" * 40, tags=False))
    world.seed(DATASET, ["plain", "tagged"])
    world.records[DATASET]["tagged"].tags = {world.tag("flare")}
    with wired(world, user) as wire:
        assert wire.ask("PATCH", f"{LIST}plain/", {"object": "x"}).status_code == 202
        assert wire.ask("PATCH", f"{LIST}tagged/", {"object": "x"}).status_code == 401


def test_a_key_in_the_query_works_and_leaks_into_next(wire: Wire) -> None:
    wire.svo.world.seed(DATASET, [f"n{at:03}" for at in range(30)])
    shown = {"username": "owner", "api_key": KEY}
    wire.user = None
    assert wire.ask("POST", LIST, {"oid": "x"}, params=shown).status_code == 201
    assert KEY in wire.get(LIST, **shown)["meta"]["next"]
    assert wire.svo.keys_in() == ["owner"]


def test_the_key_is_told_to_name_and_password(wire: Wire) -> None:
    basic = {"Authorization": "Basic " + base64.b64encode(b"owner:secret").decode()}
    assert wire.ask("GET", "/user/", headers=basic).json() == {"username": "owner", "api_key": KEY}
    assert wire.ask("GET", "/user/").status_code == 401


def test_writing_needs_json_and_its_content_type(wire: Wire) -> None:
    plain = {"Content-Type": "text/plain"}
    reply = wire.ask("POST", LIST, headers=plain, content=b'{"oid": "x"}')
    assert (reply.status_code, list(reply.json())) == (415, ["error_message"])
    json_type = {"Content-Type": "application/json"}
    for content in (b"{", b'{"oid": "x", "xposure": NaN}', b"[1]"):
        reply = wire.ask("POST", LIST, headers=json_type, content=content)
        assert (reply.status_code, list(reply.json())) == (400, ["error"]), content
    assert wire.svo.world.records[DATASET] == {}


def test_a_body_above_the_limit_is_a_failure_for_good(wire: Wire) -> None:
    for _ in range(2):
        reply = wire.post({"oid": "x", "fits_header": "x" * 2_700_000})
        assert (reply.status_code, list(reply.json())) == (500, ["error_message"])


@pytest.mark.parametrize("oid", ["a/b", "a b", "50%", "2026-01-01T00:00:00_6563_0-5", "ü?&#"])
def test_an_oid_is_encoded_whole(wire: Wire, oid: str) -> None:
    assert wire.post({"oid": oid}).status_code == 201
    (known,) = wire.get(LIST)["objects"]
    path = known["resource_uri"]
    assert wire.ask("GET", path).json()["oid"] == oid
    assert (":" in path) == (":" in oid)
    assert wire.ask("GET", path.replace(":", "%3A")).json()["oid"] == oid
    assert wire.ask("DELETE", path).status_code == 204


def test_an_oid_that_is_called_schema_can_never_be_read(wire: Wire) -> None:
    assert wire.post({"oid": "schema"}).status_code == 201
    assert list(wire.record("schema")) == ["fields"]
    assert wire.ask("PATCH", f"{LIST}schema/", {"object": "x"}).status_code == 405


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", f"{LIST}one/"), ("PUT", LIST), ("PATCH", LIST), ("DELETE", LIST), ("DELETE", "/tag/1/")],
)
def test_there_are_no_bulk_calls(wire: Wire, method: str, path: str) -> None:
    wire.svo.world.seed(DATASET, ["one"])
    reply = wire.ask(method, path, {} if method != "DELETE" else None)
    assert (reply.status_code, reply.content) == (405, b"")
    assert "ETag" not in wire.ask("GET", f"{LIST}one/").headers
    assert set(wire.get(f"{LIST}one/", fields="oid")) == set(wire.record("one")), "no field selection"


def test_a_dataset_tells_where_its_records_are(wire: Wire) -> None:
    told = wire.get("/dataset/CHROMIS/")
    assert told["metadata"] == {"resource_uri": "/service/api/svo/metadata_chromis/", "count": 0}
    assert {"name", "instrument", "telescope", "characteristics", "resource_uri"} <= set(told)
    unknown = wire.ask("GET", "/dataset/NONE/")
    assert (unknown.status_code, unknown.content) == (404, b"")
    wire.svo.world.add_dataset(a_dataset("PLAN", published=False))
    assert wire.get("/dataset/PLAN/")["metadata"] is None


def test_keywords_come_twenty_at_a_time_unless_all_are_asked_for(wire: Wire) -> None:
    wire.svo.world.add_dataset(a_dataset("CRISP"))
    assert len(wire.get("/keyword/")["objects"]) == 20
    every = wire.get("/keyword/", dataset__name=DATASET, limit=0)
    assert (len(every["objects"]), every["meta"]["limit"]) == (15, 0)
    assert {one["type"] for one in every["objects"]} == {
        "text",
        "boolean",
        "integer",
        "real",
        "time (ISO 8601)",
    }
    assert {"DW3.AXIS.1", "DW3 NAME"} <= {one["verbose_name"] for one in every["objects"]}
    fields = {"name", "verbose_name", "type", "unit", "description", "dataset", "id", "resource_uri"}
    assert set(every["objects"][0]) == fields


@pytest.mark.parametrize(("limit", "count"), [(None, 20), ("0", 100), ("1000", 100), ("7", 7)])
def test_a_page_of_records_has_twenty_or_a_hundred_at_most(wire: Wire, limit: str | None, count: int) -> None:
    wire.svo.world.seed(DATASET, [f"n{at:03}" for at in range(130)])
    answer = wire.get(LIST, **({"limit": limit} if limit else {}))
    assert (len(answer["objects"]), answer["meta"]["limit"]) == (count, count)
    assert wire.get(LIST, offset="500")["objects"] == []


@pytest.mark.parametrize(
    "asked", [{"limit": "-1"}, {"offset": "-1"}, {"limit": "x"}, {"order_by": "nothing"}]
)
def test_what_cannot_be_paged_is_refused(wire: Wire, asked: dict[str, str]) -> None:
    reply = wire.ask("GET", LIST, params=asked)
    assert (reply.status_code, list(reply.json())) == (400, ["error"])


def test_records_come_by_begin_and_ties_in_any_order(wire: Wire) -> None:
    wire.svo.world.seed(DATASET, [f"n{at:03}" for at in range(40)])
    assert len({tuple(oids(wire.get(LIST))) for _ in range(5)}) > 1
    first, second = (oids(wire.get(LIST, order_by="oid", offset=at)) for at in ("0", "20"))
    assert [*first, *second] == [f"n{at:03}" for at in range(40)]
    assert oids(wire.get(LIST, order_by="-oid"))[0] == "n039"


def test_filters_that_nobody_knows_say_nothing(wire: Wire) -> None:
    wire.svo.world.seed(DATASET, ["a", "b"])
    assert len(oids(wire.get(LIST, nonsense="1", file_name="x"))) == 2
    assert oids(wire.get(LIST, oid="a")) == ["a"]
    assert sorted(oids(wire.get(LIST, oid__in="a,b,c"))) == ["a", "b"]
    assert oids(wire.get(LIST, oid__startswith="b")) == ["b"]


def test_numbers_and_times_are_compared(wire: Wire) -> None:
    for at in range(4):
        wire.post({"oid": f"n{at}", "naxis": at, "date_beg": f"2026-01-0{at + 1}", "filename": f"f{at}"})
    assert oids(wire.get(LIST, naxis__range="1,2", order_by="oid")) == ["n1", "n2"]
    assert oids(wire.get(LIST, naxis__gte="3")) == ["n3"]
    assert oids(wire.get(LIST, date_beg__lt="2026-01-02")) == ["n0"]
    assert oids(wire.get(LIST, date_beg__in="2026-01-01,2026-01-04T00:00:00Z", order_by="oid")) == [
        "n0",
        "n3",
    ]
    assert oids(wire.get(LIST, filename="f2")) == ["n2"]
    assert wire.get(LIST, xposure__isnull="true")["meta"]["total_count"] == 4
    wire.post({"oid": "unset", "object": None})
    assert oids(wire.get(LIST, object__isnull="true")) == [], "text that was never set is not null"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("oid=n1", ["n1"]),
        ("not oid=n1", ["n0", "n2"]),
        ("oid=n0 or oid=n1 and naxis=1", ["n0", "n1"]),
        ("(oid=n0 or oid=n1) and naxis__gt=0", ["n1"]),
        ('object="a b"', ["n2"]),
        ("data_location__id=2", ["n1"]),
        ("not(oid=n0 or oid=n1)", ["n2"]),
        ("oid=n1 and", ["n0", "n1", "n2"]),
        ("what is that", ["n0", "n1", "n2"]),
        ("((", ["n0", "n1", "n2"]),
    ],
)
def test_search_has_a_grammar_and_what_does_not_fit_it_finds_everything(
    wire: Wire, said: str, found: list[str]
) -> None:
    wire.svo.world.seed(DATASET, ["n0", "n1", "n2"])
    for at, one in enumerate(wire.svo.world.records[DATASET].values()):
        one.values = {"naxis": at, "object": "a b" if at == 2 else ""}
    assert oids(wire.get(LIST, search=said, order_by="oid")) == found


def test_any_parameter_can_say_nothing(wire: Wire) -> None:
    wire.svo.world.seed(DATASET, ["a", "b"])
    wire.svo.world.ignores = frozenset({"oid", "search"})
    assert len(oids(wire.get(LIST, oid="a", search="oid=b"))) == 2
    assert len(wire.get(LIST, limit="1")["objects"]) == 1


def test_search_for_an_unknown_field_is_refused(wire: Wire) -> None:
    assert wire.ask("GET", LIST, params={"search": "nothing=1"}).status_code == 400


def test_a_total_is_remembered_for_a_day_and_next_with_it() -> None:
    hands = Hands()
    world = a_world(now=hands.read)
    with wired(world) as wire:
        assert wire.get(LIST)["meta"]["total_count"] == 0
        world.seed(DATASET, [f"n{at:03}" for at in range(250)])
        stale = wire.get(LIST, limit="100", offset="100")
        assert (stale["meta"]["total_count"], stale["meta"]["next"], len(stale["objects"])) == (0, None, 100)
        assert wire.get(LIST, order_by="oid")["meta"]["total_count"] == 250, "of other parameters another one"
        hands.move(hours=24, seconds=1)
        assert wire.get(LIST)["meta"]["total_count"] == 250


def test_totals_can_be_true() -> None:
    with wired(a_world(caches_totals=False)) as wire:
        assert wire.get(LIST)["meta"]["total_count"] == 0
        wire.svo.world.seed(DATASET, ["a"])
        assert wire.get(LIST)["meta"]["total_count"] == 1


def test_locations_come_a_thousand_at_a_time(wire: Wire) -> None:
    wire.svo.world.seed(DATASET, [f"n{at:04}" for at in range(1100)])
    assert len(wire.get("/data_location/")["objects"]) == 20
    every = wire.get("/data_location/", limit="0")
    assert (len(every["objects"]), every["meta"]["limit"]) == (1000, 1000)
    (one,) = wire.get("/data_location/", dataset__name=DATASET, file_path="seeded/n0007")["objects"]
    assert one["file_url"] == "https://data.example/7"
    assert len(wire.get("/data_location/", file_url="https://data.example/7", nonsense="x")["objects"]) == 1
    assert wire.get("/data_location/", dataset__name="other")["objects"] == []
    assert wire.get("/data_location/", offline="true")["objects"] == []


def test_tags_are_made_once(wire: Wire) -> None:
    made = wire.ask("POST", "/tag/", {"name": "Flare"})
    assert (made.status_code, made.json()["name"]) == (201, "Flare")
    assert wire.ask("POST", "/tag/", {"name": "Flare"}).status_code == 400
    assert wire.ask("POST", "/tag/", {"name": "x" * 31}).status_code == 400
    assert wire.ask("PATCH", made.json()["resource_uri"], {"name": "x"}).status_code == 405
    for at in range(30):
        wire.svo.world.tag(f"t{at}")
    assert (len(wire.get("/tag/")["objects"]), len(wire.get("/tag/", limit="0")["objects"])) == (20, 31)
    wire.post({"oid": "a", "tags": [made.json()["resource_uri"], {"name": "Pore"}]})
    assert [one["name"] for one in wire.get("/tag/", dataset=DATASET)["objects"]] == ["Flare", "Pore"]
    assert oids(wire.get(LIST, tags="Pore")) == ["a"]


FAULTS = [
    (Fault(Kind.STATUS, "POST", status=503, retry_after="7"), 503, False),
    (Fault(Kind.STATUS, "POST", status=429), 429, False),
    (Fault(Kind.DROP_BEFORE, "POST"), 0, False),
    (Fault(Kind.DROP_AFTER, "POST"), 0, True),
    (Fault(Kind.HALF, "POST"), 500, False),
]


@pytest.mark.parametrize(("fault", "status", "done"), FAULTS, ids=lambda one: str(getattr(one, "kind", one)))
def test_things_go_wrong_on_request(wire: Wire, fault: Fault, status: int, done: bool) -> None:
    wire.svo.fail(Fault(**vars(fault)))
    body = {"oid": "one", "data_location": a_place()}
    try:
        reply = wire.post(body)
        assert (reply.status_code, reply.headers.get("Retry-After", "")) == (status, fault.retry_after)
    except httpx.RemoteProtocolError:
        assert status == 0
    assert ("one" in wire.svo.world.records[DATASET]) == done
    left_behind = fault.kind is Kind.HALF
    assert bool(wire.svo.world.orphans()) == left_behind
    again = wire.post(body)
    assert again.status_code == (400 if done or left_behind else 201)
    if left_behind:
        assert list(again.json()["data_location"]) == ["__all__"]
    assert [one.method for one in wire.svo.writes] == ["POST", "POST"]
    assert wire.svo.counts() == {"POST": 2}


def test_an_answer_can_come_late(wire: Wire) -> None:
    wire.svo.fail(Fault(Kind.DELAY, path="tag", seconds=0.2, skip=1))
    wire.get("/tag/")
    began = time.monotonic()
    wire.get("/tag/")
    assert time.monotonic() - began >= 0.2


def test_no_key_is_logged(wire: Wire) -> None:
    wire.post({"oid": "a"})
    assert wire.svo.keys_in("nothing") == []
    assert wire.svo.keys_in(f"said {KEY}") == [OWNER.name]
    assert [one.with_key for one in wire.svo.log] == [True]
