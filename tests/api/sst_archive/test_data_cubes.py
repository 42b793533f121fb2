"""Cubes are listed by what is asked for, page by page, and each has its headers, file and derived data."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from astropy.io import fits

from armillary.demo.solar import SolarCube
from tests.api.sst_archive.conftest import SunArchive

LIST = "/api/v1/data_cube/"


@pytest.fixture
def client(sun: SunArchive) -> Iterator[httpx.Client]:
    """Open a client that shows nothing."""
    with sun.client(None) as one:
        yield one


def taken_in(sun: SunArchive, **changes: Any) -> tuple[SolarCube, dict[str, Any]]:
    """Take a cube of its own in; return it and its product."""
    cube, path = sun.put(**changes)
    reply = sun.ingest(path)
    assert reply.status_code == 201, reply.text
    return cube, reply.json()


def listed(client: httpx.Client, **asked: Any) -> list[str]:
    reply = client.get(LIST, params=asked)
    assert reply.status_code == 200, reply.text
    found = reply.json()
    assert len(found["results"]) == min(found["count"], 20)
    return [one["oid"] for one in found["results"]]


def test_what_is_told_of_a_cube_is_the_same_everywhere(sun: SunArchive, client: httpx.Client) -> None:
    cube, new = taken_in(sun, features="Sunspot", point_id="AR77_grouped")
    sun.server.settle()
    here = f"{LIST}{new['id']}/"
    product = client.get(here).json()
    # Pictures and movie come when they are made.
    assert product | {"links": new["links"]} == new
    assert None not in (product["links"]["preview"], product["links"]["thumbnail"])
    assert client.get(here.rstrip("/")).json() == product
    reply = client.get(LIST, params={"oid": cube.oid}).json()
    assert reply == {"count": 1, "next": None, "previous": None, "results": [product]}
    assert set(product["links"]) == {
        "header", "preview", "thumbnail", "video", "r0", "spectral_line", "wcs", "download",
    }  # fmt: skip
    for name, link in product["links"].items():
        below = client.get(f"{here}{name}/")
        assert below.status_code == (404 if link is None else 200), name
        assert link in (None, f"{here}{name}/")


def test_each_parameter_chooses(sun: SunArchive, client: httpx.Client) -> None:
    first, one = taken_in(sun, features="Sunspot, Pore", events="Flare", instrument="CRISP")
    second, two = taken_in(sun, features="Pore", instrument="CHROMIS", filter="3950")
    both = {first.oid, second.oid}
    assert listed(client, oid=first.oid) == [first.oid]
    assert listed(client, oid=first.oid.lower() + "x") == []
    assert listed(client, filename=one["filename"]) == [first.oid]
    assert listed(client, filename=one["filename"][:-1] + "%") == []
    assert listed(client, oid=second.oid, instrument="chromis") == [second.oid]
    assert listed(client, oid=second.oid, instrument="CRISP") == []
    found = listed(client, date_beg=one["date_beg"], date_end=two["date_beg"])
    assert both <= set(found)
    # The latest comes first, and what is empty asks for nothing.
    assert found.index(second.oid) < found.index(first.oid)
    empty = dict.fromkeys(("filename", "instrument", "date_beg", "date_end", "features", "page", "x"), "")
    assert listed(client, oid=first.oid, **empty) == [first.oid]


def test_a_cube_fits_an_interval_that_it_overlaps(sun: SunArchive, client: httpx.Client) -> None:
    cube, _ = taken_in(sun)
    moment = timedelta(microseconds=1)

    def fits_in(begin: Any = None, end: Any = None) -> bool:
        said = {"date_beg": begin and begin.isoformat(), "date_end": end and end.isoformat()}
        asked = {name: value for name, value in said.items() if value}
        return listed(client, oid=cube.oid, **asked) == [cube.oid]

    middle = cube.begin + (cube.end - cube.begin) / 2
    assert fits_in(middle, middle)
    assert fits_in(cube.end, cube.end + timedelta(days=1))
    assert not fits_in(cube.end + moment, None)
    assert fits_in(None, cube.begin)
    assert not fits_in(None, cube.begin - moment)
    assert fits_in(cube.begin - timedelta(days=1), cube.end + timedelta(days=1))
    day = f"{cube.begin:%Y-%m-%d}"
    assert listed(client, oid=cube.oid, date_beg=day, date_end=day) == []
    # In another zone, as addresses often have it: with a blank for the plus sign.
    text = f"{cube.begin + timedelta(hours=2):%Y-%m-%dT%H:%M:%S} 02:00".replace(" ", "+")
    assert client.get(f"{LIST}?oid={cube.oid}&date_end={text}").json()["count"] == 1
    earlier = f"{cube.begin:%Y-%m-%dT%H:%M:%S}%2B02:00"
    assert client.get(f"{LIST}?oid={cube.oid}&date_end={earlier}").json()["count"] == 0


def test_pages_lead_to_each_other(sun: SunArchive, client: httpx.Client) -> None:
    point = "AR99"
    for _ in range(5):
        taken_in(sun, point_id=point)
    found, path, pages = [], f"{LIST}?page_size=2&instrument=CRISP", 0
    back: list[str | None] = []
    while path:
        reply = client.get(path).json()
        found += [one["oid"] for one in reply["results"]]
        back.append(reply["previous"])
        path, pages = reply["next"], pages + 1
        assert path is None or path.startswith(LIST)
    assert len(found) == len(set(found)) == reply["count"] >= 5
    assert pages == -(-reply["count"] // 2)
    assert back[0] is None
    assert client.get(back[-1] or "").json()["next"] is not None
    gone = client.get(LIST, params={"page": pages + 100})
    assert (gone.status_code, gone.json()["code"]) == (404, "no_such_page")
    assert client.get(LIST, params={"page_size": "100000"}).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("date_beg", "yesterday"),
        ("date_beg", "2026-02-30"),
        ("date_end", "2026-06-21T25:00:00"),
        ("date_end", "0001-01-01T00:00:00+14:00"),
        ("page", "0"),
        ("page", "-1"),
        ("page", "1.5"),
        ("page", "two"),
        ("page_size", "0"),
        ("page", "9" * 30),
        ("oid", "x" * 1025),
        ("oid", "a\x00b"),
        ("x", "nan"),
        ("radius", "-1"),
        ("x", "1e300"),
        ("instrment", "CRISP"),
        ("format", "xml"),
    ],
)
def test_a_bad_parameter_is_refused_by_its_name(client: httpx.Client, field: str, value: str) -> None:
    reply = client.get(LIST, params={"x": "1", "y": "1", field: value})
    assert reply.status_code == 400, reply.text
    assert list(reply.json()) == [field]


def test_an_interval_that_ends_before_it_begins_is_refused(client: httpx.Client) -> None:
    reply = client.get(LIST, params={"date_beg": "2026-02-02", "date_end": "2026-02-01"})
    assert (reply.status_code, list(reply.json())) == (400, ["date_end"])


def test_cubes_are_found_by_their_place_on_the_disk(sun: SunArchive, client: httpx.Client) -> None:
    cube, product = taken_in(sun, centre_arcsec=(801.0, -402.0))
    west, south, east, north = client.get(f"{LIST}{product['id']}/wcs/").json()["data"]["box"]
    assert (west < 801.0 < east, south < -402.0 < north) == (True, True)

    def found(x: float, y: float, radius: float | None = None) -> bool:
        asked = {"x": x, "y": y} | ({} if radius is None else {"radius": radius})
        return listed(client, oid=cube.oid, **asked) == [cube.oid]

    assert found(801.0, -402.0)
    assert found(west, south)
    assert not found(west - 1.0, south)
    assert found(west - 1.0, south, 1.001)
    # A corner is further away than its two sides.
    assert not found(west - 1.0, south - 1.0, 1.4)
    assert found(west - 1.0, south - 1.0, 1.42)
    assert not found(-801.0, 402.0, 100.0)
    assert client.get(LIST, params={"x": "1"}).json() == {"y": ["A place has x and y."]}


def test_the_header_of_every_hdu_comes_back_byte_for_byte(sun: SunArchive, client: httpx.Client) -> None:
    _, product = taken_in(sun)
    link = product["links"]["header"]
    with fits.open(sun.root / product["path"]) as hdus:
        places = [(hdu.fileinfo()["hdrLoc"], hdu.fileinfo()["datLoc"], hdu.name) for hdu in hdus]
    content = (sun.root / product["path"]).read_bytes()
    assert len(places) > 3
    for index, (start, stop, name) in enumerate(places):
        raw = content[start:stop]
        block = client.get(link, params={"hdu": index, "format": "fits"})
        assert (block.content, block.headers["content-type"]) == (raw, "application/fits")
        lines = client.get(link, params={"hdu": index, "format": "text"}).content.split(b"\n")
        assert lines.pop() == b""
        assert {len(line) for line in lines} == {80}
        assert lines[-1].rstrip() == b"END"
        assert b"".join(lines).ljust(len(raw)) == raw
        told = client.get(link, params={"hdu": index, "format": "json"}).json()
        assert told["header"].encode("latin-1") == raw
        assert (told["hdu"], told["name"]) == (index, "" if index == 0 else name)
    assert client.get(link).content == client.get(link, params={"hdu": 0, "format": "text"}).content
    assert told["cards"][0]["keyword"] == "XTENSION"


def test_fields_of_record_valued_cards_are_keywords_of_their_own(
    sun: SunArchive, client: httpx.Client
) -> None:
    cube, product = taken_in(sun)
    told = {"dw3": "EXTVER: 1", "dw3_naxes": 2, "dw3_axis_1": 1, "dw3_axis_2": 2, "dw3_apply": 6}
    header = client.get(product["links"]["header"], params={"format": "json"}).json()
    for metadata in (product["metadata"], header["metadata"]):
        assert {name: metadata.get(name) for name in told} == told
    cards = [card["card"] for card in header["cards"] if card["keyword"] == "DW3"]
    assert len(cards) == 6
    for condition in ("DW3.AXIS.2=2", "dw3_axis_2<3", f"date_beg={cube.date_beg}"):
        found = client.get("/v1/frames", params={"keyword": condition, "name": product["filename"]})
        assert [one["name"] for one in found.json()["frames"]] == [product["filename"]], condition


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"hdu": "first"}, 400, "hdu"),
        ({"hdu": "-1"}, 400, "hdu"),
        ({"format": "xml"}, 400, "format"),
        ({"hdu": "99"}, 404, "detail"),
        ({"hdu": "9" * 40}, 404, "detail"),
    ],
)
def test_headers_that_there_are_not(
    sun: SunArchive, client: httpx.Client, query: dict[str, str], status: int, field: str
) -> None:
    _, product = taken_in(sun)
    reply = client.get(product["links"]["header"], params=query)
    assert (reply.status_code, next(iter(reply.json()), None)) == (status, field)


def test_the_file_is_sent_with_ranges_tag_and_digest(sun: SunArchive, client: httpx.Client) -> None:
    _, product = taken_in(sun)
    content, link = (sun.root / product["path"]).read_bytes(), product["links"]["download"]
    whole = client.get(link)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["etag"].startswith('"')
    assert f'filename="{product["filename"]}"' in whole.headers["content-disposition"]
    sun.server.settle()
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert f"sha-256=:{digest}:" in client.get(link).headers["repr-digest"]
    part = client.get(link, headers={"Range": "bytes=80-159", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, content[80:160])
    assert client.get(link, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    head = client.head(link)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(content)))


def test_derived_data_have_tags_of_their_own(sun: SunArchive, client: httpx.Client) -> None:
    _, product = taken_in(sun)
    seeing = client.get(product["links"]["r0"])
    assert (seeing.status_code, seeing.json()["version"]) == (200, 4)
    line = product["links"]["spectral_line"]
    assert client.get(line).json()["version"] == 3
    picture = client.get(line, params={"format": "svg"})
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in picture.headers["content-security-policy"]
    assert ElementTree.fromstring(picture.content).tag.endswith("svg")
    assert client.get(line, params={"format": "png"}).status_code == 400
    for reply in (seeing, picture):
        again = client.get(reply.request.url, headers={"If-None-Match": reply.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert seeing.headers["etag"] != picture.headers["etag"]


def test_what_a_cube_has_not_is_null_and_not_found(sun: SunArchive, client: httpx.Client) -> None:
    _, path = sun.put(without=frozenset({"VAR-EXT-ATMOS_R0"}))
    product = sun.ingest(path).json()
    assert product["links"]["r0"] is None
    reply = client.get(f"{LIST}{product['id']}/r0/")
    assert (reply.status_code, reply.json()["code"]) == (404, "nothing_derived")


def test_a_cube_whose_file_is_gone_is_still_told_of(sun: SunArchive, client: httpx.Client) -> None:
    cube, product = taken_in(sun)
    (sun.root / product["path"]).unlink()
    assert client.get(product["links"]["download"]).status_code in (404, 503)
    assert client.get(f"{LIST}{product['id']}/").json()["oid"] == cube.oid
    assert listed(client, oid=cube.oid) == [cube.oid]
    assert client.get(product["links"]["header"]).status_code == 200


@pytest.mark.parametrize("number", ["0", "999999999", "1" * 30, "abc", "-1", "1.0", "%00", "１"])
def test_what_is_no_cube_is_not_found_anywhere(client: httpx.Client, number: str) -> None:
    replies = [
        client.get(f"{LIST}{number}/{below}")
        for below in (
            "",
            *(f"{name}/" for name in ("header", "download", "preview", "r0", "spectral_line", "wcs")),
        )
    ]
    assert {one.status_code for one in replies} == {404}
    assert len({one.text for one in replies}) == 1


def test_two_files_of_one_name_are_both_addressed_by_id(sun: SunArchive, client: httpx.Client) -> None:
    cube, path = sun.put()
    other = replace(cube, begin=cube.begin + timedelta(days=1))
    (sun.root / "other").mkdir(exist_ok=True)
    place = sun.root / sun.write(other)
    moved = place.rename(sun.root / "other" / path)
    products = [sun.ingest(one).json() for one in (path, str(moved.relative_to(sun.root)))]
    assert products[0]["filename"] == products[1]["filename"]
    for product in products:
        content = client.get(product["links"]["download"]).content
        assert content == (sun.root / product["path"]).read_bytes()
    assert sorted(listed(client, filename=path)) == sorted([cube.oid, other.oid])
