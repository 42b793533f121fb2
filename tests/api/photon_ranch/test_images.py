"""Questions about images: conditions, dates, smart stacks, pages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.photon_ranch.conftest import Site
from tests.support.ranch import BASE, header_text, picture


async def an_image(site: Site, number: int, *, where: str = "saf", **header: Any) -> str:
    base = BASE.replace("saf-", f"{where}-").replace("00000012", f"{number:08d}")
    when = {"DATE-OBS": f"2026-11-30T02:{number:02d}:00"}
    await site.send(f"{base}-EX00.txt", header_text(**(when | header)))
    await site.send(f"{base}-EX10.jpg", picture(64, 48))
    return base


async def found(sender: Site, path: str = "/filtered_images", **asked: Any) -> list[int]:
    reply = await sender.client.get(path, params=asked)
    assert reply.status_code == 200, reply.text
    return [int(one["base_filename"][-8:]) for one in reply.json()]


@pytest.fixture
async def night(site: Site) -> Site:
    await an_image(site, 1, FILTER="w", EXPTIME=10, USERID="ann")
    await an_image(site, 2, FILTER="V", EXPTIME=20.5, USERID="ann")
    await an_image(site, 3, FILTER="V", EXPTIME="30", USERID="bob", USERNAME="50%_off")
    await an_image(site, 4, where="mrc", FILTER="V")
    await site.archive.drain()
    return site


CONDITIONS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [4, 3, 2, 1]),
    ({"site": "saf"}, [3, 2, 1]),
    ({"site": "saf", "filter": "V", "unknown": "x", "username": ""}, [3, 2]),
    ({"filter": "v"}, []),
    ({"user_id": "ann"}, [2, 1]),
    ({"username": "50%_off"}, [3]),
    ({"exposure_time_min": "20.5", "exposure_time_max": 30, "site": "saf"}, [3, 2]),
    ({"start_date": "2026-11-30 02:02:00"}, [4, 3, 2]),
    ({"start_date": "2026-11-30T02:02", "end_date": "2026-11-30T02:03Z"}, [3, 2]),
    ({"start_date": "2026-11-30+02", "end_date": "2026-11-30+02:01"}, [1]),
    ({"end_date": "2026-11-30T04:02:00+02:00"}, [2, 1]),
    ({"end_date": "2026-11-30T04:02:00 0200"}, [2, 1]),
    ({"end_date": "1796004060"}, [1]),
    ({"end_date": "2026-11-30"}, []),
    ({"filename": "saf-%0001"}, [1]),
    ({"filename": "saf-%000_"}, [3, 2, 1]),
    ({"filename": "SAF-%"}, []),
    ({"filename": "saf"}, []),
    ({"filename": "saf\\"}, []),
    ({"limit": 2}, [4, 3]),
]


async def test_conditions(night: Site) -> None:
    for asked, numbers in CONDITIONS:
        assert await found(night, **asked) == numbers, asked


@pytest.mark.parametrize(
    "asked",
    [
        {"start_date": "yesterday"},
        {"end_date": "2026-13-01"},
        {"exposure_time_min": "long"},
        {"exposure_time_max": "nan"},
        {"limit": "0"},
        {"cursor": "x"},
        {"filename": "a\x00b"},
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(site: Site, asked: dict[str, Any]) -> None:
    reply = await site.client.get("/filtered_images", params=asked)
    assert reply.status_code == 400
    assert next(iter(asked)) in reply.text


async def test_conditions_may_be_in_the_body_and_those_of_the_query_win(night: Site) -> None:
    reply = await night.client.request(
        "GET", "/filtered_images?site=mrc", json={"site": "saf", "filter": "V"}
    )
    assert [one["site"] for one in reply.json()] == ["mrc"]


async def test_a_clipped_list_says_where_it_goes_on(night: Site) -> None:
    seen, cursor = [], ""
    while cursor is not None:
        reply = await night.client.get("/filtered_images", params={"limit": 3, "cursor": cursor})
        seen += [int(one["base_filename"][-8:]) for one in reply.json()]
        cursor = reply.headers.get("x-armillary-next-cursor")
    assert seen == [4, 3, 2, 1]


async def test_a_smart_stack_is_shown_by_its_last_member(site: Site) -> None:
    await an_image(site, 1, SMARTSTK="77", SSTKNUM="1", FILTER="V")
    await an_image(site, 2, SMARTSTK="77", SSTKNUM=10, FILTER="V")
    await an_image(site, 3, SMARTSTK=77, SSTKNUM="9", FILTER="w")
    await an_image(site, 4, SMARTSTK="77", SSTKNUM="many")
    await an_image(site, 5, SMARTSTK="no")
    await an_image(site, 6, SMARTSTK="77", SSTKNUM="3", where="mrc")
    await site.archive.drain()
    assert await found(site) == [6, 5, 4, 2]
    # Members that other conditions leave out do not count.
    assert await found(site, filter="w", exposure_time_min=0, site="saf") == [5, 4, 3]
    # The latest images of a site are all there are.
    assert await found(site, "/saf/latest_images/9") == [5, 4, 3, 2, 1]
    first = (await site.client.get("/saf/latest_images/9")).json()
    assert [(one["SMARTSTK"], one["SSTKNUM"]) for one in first] == [
        ("no", ""),
        ("77", "many"),
        (77, "9"),
        ("77", 10),
        ("77", "1"),
    ]


async def test_latest_images(night: Site) -> None:
    assert await found(night, "/saf/latest_images/2/") == [3, 2]
    assert await found(night, "/saf/latest_images/0") == []
    assert await found(night, "/saf/latest_images/9", userid="ann") == [2, 1]
    assert await found(night, "/saf/latest_images/9", userid="") == [3, 2, 1]
    assert await found(night, "/saf/latest_images/99999999999999999999") == [3, 2, 1]
    for count in ("-1", "x", "1.5"):
        assert (await night.client.get(f"/saf/latest_images/{count}")).status_code == 400


async def test_headers_of_any_kind_become_images(site: Site) -> None:
    base = BASE
    text = b"".join(
        card.ljust(80)
        for card in (
            b"EXPTIME = 'long    '",
            b"FILTER  = 'it''s    '",
            b"CRVAL1  = 1E999",
            b"RAHRS   =                  2.5",
            b"DEC     = -0.5",
            b"CRVAL2",
            b"DATE-OBS= 'someday '",
            b"BIG     = 99999999999999999999999999999999",
            b"FLAG    =                    T",
            b"COMMENT first",
            b"COMMENT second",
            b"\x00\xff\xfe bad",
            b"END",
        )
    )
    await site.sent(f"{base}-EX00.txt", text)
    await site.sent(f"{base}-EX10.jpg", picture())
    told = (await site.client.get(f"/image/{base}?detail=1")).json()
    assert (told["exposure_time"], told["filter_used"], told["capture_date"]) == (None, "it's", None)
    assert (told["right_ascension"], told["ra_deg"], told["declination"]) == (2.5, 37.5, -0.5)
    assert told["sort_date"] > 0
    header = (await site.client.get(f"/fitsheader/{base}")).json()
    assert (header["FLAG"], header["COMMENT"]) == ("T", "first\nsecond")
    assert "BIG" not in header
    assert told["warnings"]


async def test_what_is_not_there_is_told_by_the_fixed_texts(site: Site) -> None:
    for path, text in (
        ("/image/none", "No results found for none"),
        ("/fitsheader/none/", "No fits header found in the db for none"),
    ):
        reply = await site.client.get(path)
        assert (reply.status_code, reply.text) == (404, text)
