"""Slots, files that are sent to them, and what each file does to its image."""

from __future__ import annotations

import asyncio
import io
import json

import pytest
from PIL import Image

from tests.api.photon_ranch.conftest import Site
from tests.support.ranch import BASE, fits_file, header_text, picture

PACKAGE = [
    "image_id",
    "base_filename",
    "data_type",
    "site",
    "exposure_time",
    "filter_used",
    "right_ascension",
    "declination",
    "azimuth",
    "altitude",
    "airmass",
    "fits_01_exists",
    "fits_10_exists",
    "jpg_medium_exists",
    "jpg_small_exists",
    "s3_directory",
    "username",
    "user_id",
    "fits_filename",
    "fits_path",
    "SMARTSTK",
    "SSTKNUM",
    "capture_date",
    "sort_date",
    "jpg_url",
    "jpg_thumbnail_url",
]


async def test_a_header_and_a_picture_make_an_image(site: Site) -> None:
    await site.sent(f"{BASE}-EX00.txt", header_text())
    assert (await site.client.get(f"/image/{BASE}")).status_code == 404
    await site.sent(f"{BASE}-EX10.jpg", picture())
    reply = await site.client.get(f"/image/{BASE}/")
    assert reply.status_code == 200
    package = reply.json()
    assert list(package) == PACKAGE
    url, thumbnail = package.pop("jpg_url"), package.pop("jpg_thumbnail_url")
    assert package == {
        "image_id": 1,
        "base_filename": BASE,
        "data_type": "EX",
        "site": "saf",
        "exposure_time": 30.0,
        "filter_used": "w",
        "right_ascension": 150.25,
        "declination": -12.5,
        "azimuth": 182.0,
        "altitude": 61.5,
        "airmass": 1.138,
        "fits_01_exists": None,
        "fits_10_exists": None,
        "jpg_medium_exists": True,
        "jpg_small_exists": True,
        "s3_directory": "data",
        "username": "O'Hara",
        "user_id": "auth0|1",
        "fits_filename": f"{BASE}-EX00.fits",
        "fits_path": "saf/sq003ms/20261130/raw",
        "SMARTSTK": "no",
        "SSTKNUM": "",
        "capture_date": 1796004184567,
        "sort_date": 1796004184567,
    }
    assert (await site.client.get(url)).content == picture()
    # The web interface splits the address at hyphens and takes the fourth part for the date.
    assert url.split("-")[3] == "20261130"
    small = Image.open(io.BytesIO((await site.client.get(thumbnail)).content))
    assert small.size == (171, 128)


async def test_everything_at_once_in_any_order_is_one_image(site: Site) -> None:
    files = {
        f"{BASE}-EX10.jpg": picture(),
        f"{BASE}-EX00.txt": header_text(),
        f"{BASE}-EX10.fits.fz": fits_file(packed=True),
        f"{BASE}-EX00.fits": fits_file(),
        f"{BASE}-EX01.fits": fits_file(FILTER="V"),
        f"{BASE}-EX13.jpg": picture(64, 48),
    }
    replies = await asyncio.gather(*(site.send(name, content) for name, content in files.items()))
    assert {reply.status_code for reply in replies} == {204}
    await site.archive.drain()
    found = (await site.client.get("/filtered_images")).json()
    assert [one["base_filename"] for one in found] == [BASE]
    assert [found[0][name] for name in PACKAGE[11:15]] == [True] * 4
    detail = (await site.client.get(f"/image/{BASE}?detail=1")).json()
    assert detail["keys"] == {
        "fits_01": f"data/{BASE}-EX01.fits",
        "fits_10": f"data/{BASE}-EX10.fits.fz",
        "jpg_medium": f"data/{BASE}-EX10.jpg",
        "jpg_small": f"data/{BASE}-EX11.jpg",
    }
    # The text is what the site says of the image, whatever stands in its FITS files.
    assert detail["filter_used"] == "w"


async def test_a_fits_file_alone_gives_the_header(site: Site) -> None:
    await site.sent(f"{BASE}-EX10.fits.fz", fits_file(packed=True))
    header = (await site.client.get(f"/fitsheader/{BASE}/")).json()
    assert (header["EXPTIME"], header["FILTER"]) == ("30.0", "w")
    assert (await site.client.get(f"/fitsheader/{BASE}?typed=1")).json()["EXPTIME"] == 30.0


async def test_a_header_may_come_with_the_request_for_a_slot(site: Site) -> None:
    reply = await site.slot(f"{BASE}-EX10.jpg", header_data={"FILTER": "ip", "EXPTIME": 2, "BAD": [1]})
    assert reply.status_code == 200
    assert (await site.client.get(f"/fitsheader/{BASE}")).json() == {"FILTER": "ip", "EXPTIME": "2"}


@pytest.mark.parametrize(
    ("asked", "status", "text"),
    [
        ({}, 400, "Missing required field: object_name"),
        ({"object_name": "x", "s3_directory": "secrets"}, 403, "s3_directory must be either"),
        ({"object_name": "x", "s3_directory": ""}, 403, "s3_directory must be either"),
        ({"object_name": "x", "s3_directory": 7}, 403, "s3_directory must be either"),
        (
            {"object_name": "x", "s3_directory": "info-images", "info_channel": 4},
            403,
            "Value for info_channel must be either 1, 2, or 3. Received 4 instead.",
        ),
        ({"object_name": "../x"}, 400, "object_name"),
        ({"object_name": "/x"}, 400, "object_name"),
        ({"object_name": "a//x"}, 400, "object_name"),
        ({"object_name": "a\\x"}, 400, "object_name"),
        ({"object_name": "a\nx"}, 400, "object_name"),
        ({"object_name": "x" * 256}, 400, "object_name"),
    ],
)
async def test_a_slot_is_refused_with_the_reason(
    site: Site, asked: dict[str, object], status: int, text: str
) -> None:
    reply = await site.client.post("/upload", content=json.dumps(asked))
    assert (reply.status_code, reply.text[: len(text)]) == (status, text)


@pytest.mark.parametrize("body", [b'{"object_name": NaN}', b"[1]", b'{"object_name": 1e999}'])
async def test_a_body_that_json_does_not_have_is_refused(site: Site, body: bytes) -> None:
    assert (await site.client.post("/upload", content=body)).status_code == 400


async def test_a_slot_is_for_one_key_and_one_time(site: Site) -> None:
    slot = (await site.slot("a.token")).json()
    fields, file = slot["fields"], {"file": b"x"}
    assert fields["key"] == "data/a.token"
    for changed in ({"key": "data/b.token"}, {"signature": "x"}, {"policy": fields["policy"][:-4]}):
        reply = await site.client.post(slot["url"], data=fields | changed, files=file)
        assert reply.status_code == 403, changed
    reply = await site.client.post(slot["url"], data=fields, content=None)
    assert reply.status_code == 400
    wrong = await site.client.post(slot["url"], data=fields | {"x-armillary-sha256": "0" * 64}, files=file)
    assert wrong.status_code == 400
    assert (await site.client.post(slot["url"], data=fields, files=file)).status_code == 204


async def test_arrivals_are_listed_whatever_their_names(site: Site) -> None:
    await site.sent("saf20261130.token", b"done")
    await site.sent(f"{BASE}-EX00.txt", header_text())
    await site.sent(f"{BASE}-EX00.txt", header_text())
    rows = (await site.client.get("/recentuploads?site=saf")).json()
    assert [row["filename"] for row in rows] == [f"data/{BASE}-EX00.txt"] * 2
    assert list(rows[0]) == ["site", "upload_timestamp_s", "expire_timestamp_s", "filename", "size_bytes"]
    assert rows[0]["expire_timestamp_s"] - rows[0]["upload_timestamp_s"] == 48 * 3600
    assert len((await site.client.get("/recentuploads", params={"site": "all"})).json()) == 3
    missing = await site.client.get("/recentuploads")
    assert (missing.status_code, missing.text) == (
        404,
        "Please be sure to include the sitecode query parameter.",
    )


async def test_damaged_files_keep_their_bytes_and_leave_a_warning(site: Site) -> None:
    await site.sent(f"{BASE}-EX10.jpg", b"no picture at all")
    await site.sent(f"{BASE}-EX00.fits", b"no FITS at all")
    async with site.archive.context.database.begin() as connection:
        row = (await connection.exec_driver_sql("SELECT * FROM image")).one()
    assert row.fits_01_key is None
    assert row.jpg_small_key is None
    assert any("EX00.fits" in warning for warning in row.warnings)


async def test_a_thumbnail_follows_its_picture(site: Site) -> None:
    for width in (640, 320):
        await site.sent(f"{BASE}-EX10.jpg", picture(width, 480))
        url = (await site.client.get(f"/image/{BASE}")).json()["jpg_thumbnail_url"]
        small = Image.open(io.BytesIO((await site.client.get(url)).content))
        assert small.size == (round(width * 128 / 480), 128)


async def test_a_thumbnail_that_the_site_sends_is_not_replaced(site: Site) -> None:
    own = picture(50, 40)
    await site.sent(f"{BASE}-EX11.jpg", own)
    await site.sent(f"{BASE}-EX10.jpg", picture())
    url = (await site.client.get(f"/image/{BASE}")).json()["jpg_thumbnail_url"]
    assert (await site.client.get(url)).content == own


async def test_information_images_have_slots(site: Site) -> None:
    assert (await site.client.get("/infoimage/saf/2")).status_code == 204
    name = f"{BASE}-EX10.jpg"
    await site.sent(name, picture(), s3_directory="info-images", info_channel="2")
    assert (await site.client.get("/infoimage/saf/1")).status_code == 204
    told = (await site.client.get("/infoimage/saf/2")).json()
    assert {key: told[key] for key in ("site", "channel", "base_filename", "s3_directory")} == {
        "site": "saf",
        "channel": "2",
        "base_filename": BASE,
        "s3_directory": "info-images",
    }
    assert (told["jpg_medium_exists"], told["jpg_small_exists"]) == (True, False)
    assert (await site.client.get(told["jpg_url"])).content == picture()
    # Another image clears the slot when its bytes come, not before.
    other = BASE.replace("12", "13")
    slot = await site.slot(f"{other}-EX11.jpg", s3_directory="info-images", info_channel=2)
    assert slot.status_code == 200
    assert (await site.client.get("/infoimage/saf/2")).json()["base_filename"] == BASE
    await site.sent(f"{other}-EX11.jpg", picture(), s3_directory="info-images", info_channel=2)
    told = (await site.client.get("/infoimage/saf/2")).json()
    assert (told["base_filename"], told["jpg_medium_exists"], told["jpg_small_exists"]) == (
        other,
        False,
        True,
    )
