"""Files are taken in by a request: at once or later, with what is asked of them, and refused by field."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from armillary.access.models import Scope
from tests.api.sst_archive.conftest import INGEST, SunArchive

ORDERS = f"{INGEST}orders/"


def test_a_new_file_is_created_and_the_same_again_is_told(sun: SunArchive) -> None:
    cube, path = sun.put(point_id="AR14100_mosaic", features="Sunspot")
    reply = sun.ingest(path)
    assert reply.status_code == 201, reply.text
    product = reply.json()
    assert (product["oid"], product["path"], product["filename"]) == (cube.oid, path, path)
    assert (product["size"], product["instrument"]) == ((sun.root / path).stat().st_size, {"name": "CRISP"})
    assert product["date_beg"] == cube.begin.isoformat().replace("+00:00", "Z")
    assert product["metadata"]["date_beg"] == cube.date_beg
    assert (product["metadata"]["filter1"], product["grouping_tag"]) == ("6302", "mosaic")
    assert product["observation"]["date_beg"] == product["date_beg"]
    again = sun.ingest(path)
    # Links to pictures come when these are made.
    assert (again.status_code, again.json() | {"links": product["links"]}) == (200, product)


def test_later_and_its_order(sun: SunArchive) -> None:
    cube, path = sun.put()
    reply = sun.ingest(path, mode="async")
    assert (reply.status_code, reply.headers["Location"]) == (202, f"{ORDERS}{reply.json()['order']}/")
    sun.server.settle()
    with sun.client() as client:
        order = client.get(reply.headers["Location"]).json()
        listed = client.get(ORDERS, params={"path": path}).json()
        assert client.get(reply.headers["Location"].rstrip("/")).json() == order
    assert (order["id"], order["root"], order["path"]) == (reply.json()["order"], "sst", path)
    assert (order["state"], order["revision"], order["oid"]) == ("Completed", 1, cube.oid)
    assert [
        one["name"] for one in order["steps"] if one["name"] not in ("header", "metadata", "derived")
    ] == [*("read", "product", "access", "tags", "previews", "svo", "snapshot")]
    assert listed == {"results": [order], "next": None}


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "relative_path"),
    ({"relative_path": ""}, "relative_path"),
    ({"relative_path": 7}, "relative_path"),
    ({"relative_path": "../outside.fits"}, "relative_path"),
    ({"relative_path": "/etc/passwd"}, "relative_path"),
    ({"relative_path": "a/../../b.fits"}, "relative_path"),
    ({"relative_path": "nul\u0000.fits"}, "relative_path"),
    ({"relative_path": "absent.fits"}, "relative_path"),
    ({"relative_path": "note.txt"}, "relative_path"),
    ({"relative_path": "link.fits"}, "relative_path"),
    ({"relative_path": "directory.fits"}, "relative_path"),
    ({"relative_path": "x.fits", "root": "elsewhere"}, "root"),
    ({"relative_path": "x.fits", "owner_email_addresses": "a@b.c"}, "owner_email_addresses"),
    ({"relative_path": "x.fits", "force": "yes"}, "force"),
    ({"relative_path": "x.fits", "priority": 1.5}, "priority"),
    ({"relative_path": "x.fits", "mode": "soon"}, "mode"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
def test_a_bad_request_is_refused_by_its_field(sun: SunArchive, body: dict[str, Any], field: str) -> None:
    outside = sun.root.parent / "outside.fits"
    outside.write_bytes(b"SIMPLE")
    (sun.root / "note.txt").write_text("no FITS")
    (sun.root / "directory.fits").mkdir(exist_ok=True)
    if not (sun.root / "link.fits").is_symlink():
        (sun.root / "link.fits").symlink_to(outside)
    with sun.client() as client:
        reply = client.post(INGEST, json=body)
    assert reply.status_code == 400, reply.text
    assert list(reply.json()) == [field]
    assert str(sun.root) not in reply.text
    assert all(isinstance(one, str) and one for one in reply.json()[field])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"relative_path": NaN}', b"\xff", b"[" * 10_000])
def test_a_body_that_is_no_object_is_refused(sun: SunArchive, body: bytes) -> None:
    with sun.client() as client:
        reply = client.post(INGEST, content=body)
    assert (reply.status_code, list(reply.json())) == (400, ["non_field_errors"])


def test_who_may(sun: SunArchive) -> None:
    _, path = sun.put()
    for scope, status in ((None, 401), (Scope.READ, 403), (Scope.ADMIN, 201)):
        with sun.client(scope) as client:
            assert client.post(INGEST, json={"relative_path": path}).status_code == status
            assert client.get(ORDERS).status_code == (status if status != 201 else 200)


def test_a_file_that_is_no_cube_is_told_with_the_step(sun: SunArchive) -> None:
    _, path = sun.put(without=frozenset({"FILTER1"}))
    reply = sun.ingest(path)
    assert reply.status_code == 422, reply.text
    told = reply.json()
    assert (told["kind"], told["step"]) == ("permanent", "read")
    assert "FILTER1" in told["message"]
    assert str(sun.root) not in told["message"]
    with sun.client() as client:
        order = client.get(f"{ORDERS}{told['order']}/").json()
    assert (order["state"], order["error"]) == ("Failed", {k: told[k] for k in ("kind", "step", "message")})


def test_a_failed_order_is_tried_again_with_what_it_was_asked(sun: SunArchive) -> None:
    cube, path = sun.put(without=frozenset({"FILTER1"}))
    number = sun.ingest(path, oid="my-oid", owner_email_addresses=["a@example.org"]).json()["order"]
    sun.write(replace(cube, without=frozenset()))
    with sun.client() as client:
        failed = client.get(f"{ORDERS}{number}/").json()
        reply = client.post(f"{ORDERS}{number}/retry/")
        assert (reply.status_code, reply.json()) == (202, {"order": number})
        sun.server.settle()
        order = client.get(f"{ORDERS}{number}/").json()
    assert failed["options"] == {"oid": "my-oid", "owner_email_addresses": ["a@example.org"]}
    assert (order["state"], order["oid"], order["revision"]) == ("Completed", "my-oid", 2)


def test_an_order_that_waits_can_be_cancelled(sun: SunArchive) -> None:
    _, path = sun.put()
    with sun.client() as client:
        number = (
            sun.ingest(path).json()["id"]
            and client.get(ORDERS, params={"path": path}).json()["results"][0]["id"]
        )
        with sun.server.held(path):
            assert sun.ingest(path, mode="async", force=True).json()["order"] == number
            assert client.post(f"{ORDERS}{number}/cancel/").status_code == 202
            order = await_state(sun, number, "Failed")
    assert order["error"]["kind"] == "cancelled"


def await_state(sun: SunArchive, number: int, state: str) -> dict[str, Any]:
    """Return an order once it is in a state."""
    end = time.monotonic() + 60
    with sun.client() as client:
        while True:
            order: dict[str, Any] = client.get(f"{ORDERS}{number}/").json()
            if order["state"] == state:
                return order
            assert time.monotonic() < end, order
            time.sleep(0.05)


def test_pages_of_orders_and_orders_that_are_not(sun: SunArchive) -> None:
    for _ in range(3):
        sun.ingest(sun.put()[1])
    with sun.client() as client:
        first = client.get(ORDERS, params={"limit": 2, "state": "completed"}).json()
        second = client.get(first["next"]).json()
        assert len(first["results"]) == 2
        assert not {one["id"] for one in first["results"]} & {one["id"] for one in second["results"]}
        assert client.get(f"{ORDERS}999999/").status_code == 404
        assert client.get(ORDERS, params={"state": "Odd"}).status_code == 400
        assert client.get(ORDERS, params={"limit": 0}).status_code == 400
