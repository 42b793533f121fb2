"""Downloads of what a search finds: sizes beforehand, tar, zip, CSV and VOTable, and what is withheld."""

from __future__ import annotations

import csv
import io
import re
import tarfile
import zipfile
from datetime import date
from typing import Any

import httpx
import pytest
from astropy.io import votable

from tests.support.archive import Archive, put
from tests.support.headers import a_file

PUBLIC, SEALED = ("RELEASE", "2020-01-01", ""), ("RELEASE", "2900-01-01", "")


async def fill(archive: Archive, count: int = 5, sealed: int = 2) -> dict[str, bytes]:
    """Take files in; return the bytes of those that everybody may have, by name."""
    made = {f"open{n}.fits": a_file(cards=[PUBLIC, ("EXPTIME", 10.0 * n, "")]) for n in range(count)}
    closed = {f"closed{n}.fits": a_file(cards=[SEALED, ("EXPTIME", 500.0, "")]) for n in range(sealed)}
    paths = [put(archive.directory / "in" / name, data) for name, data in (made | closed).items()]
    report = await archive.ingest(*paths)
    assert report.ingested == count + sealed
    return made


async def test_sizes_are_told_beforehand(browser: httpx.AsyncClient, archive: Archive) -> None:
    made = await fill(archive)
    shown = (await browser.get("/frames/download")).text
    size = int(re.sub(r"\D", "", re.search(r"\(([\d\u202f]+) bytes\)", shown)[1]))  # type: ignore[index]  # it is there, or the test fails
    reply = await browser.get("/frames/download?format=zip")
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert abs(size - len(reply.content)) < 1000
    assert "2 files are withheld" in shown
    assert "closed0.fits" in shown
    with zipfile.ZipFile(io.BytesIO(reply.content)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist() if name != "README.txt"} == made
        readme = opened.read("README.txt").decode()
    assert ("closed0.fits" in readme, "open0.fits" in readme) == (True, False)


@pytest.mark.parametrize("address", ["/frames/download", "/v1/frames"])
async def test_files_come_as_tar_and_zip(browser: httpx.AsyncClient, archive: Archive, address: str) -> None:
    made = await fill(archive)
    query = "exposure_min_s=15&exposure_max_s=35"
    wanted = {name: made[name] for name in ("open2.fits", "open3.fits")}
    packed = await browser.get(f"{address}?{query}&format=tar")
    with tarfile.open(fileobj=io.BytesIO(packed.content)) as tar:
        found = {one.name: tar.extractfile(one).read() for one in tar if one.name.endswith(".fits")}  # type: ignore[union-attr]  # files only
    assert found == wanted
    zipped = await browser.get(f"{address}?{query}&format=zip")
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as opened:
        assert {one for one in opened.namelist() if one.endswith(".fits")} == set(wanted)


async def test_marked_frames_are_downloaded(browser: httpx.AsyncClient, archive: Archive) -> None:
    made = await fill(archive)
    names = ["open1.fits", "open4.fits", "closed1.fits"]
    shown = await browser.post("/frames/download", data={"file": names})
    assert shown.status_code == 200
    assert re.findall(r'name="file" value="([^"]+)"', shown.text) == names
    reply = await browser.post("/frames/download", data={"file": names, "format": "zip"})
    with zipfile.ZipFile(io.BytesIO(reply.content)) as opened:
        assert opened.read("open4.fits") == made["open4.fits"]
        assert sorted(opened.namelist()) == ["README.txt", "open1.fits", "open4.fits"]
    nothing = await browser.post("/frames/download", data={})
    assert (nothing.status_code, "No frame is marked" in nothing.text) == (400, True)
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert (
        await browser.post("/frames/download", data={"file": names}, headers=elsewhere)
    ).status_code == 403


async def test_too_many_files_are_said_to_be_too_many(archive: Archive, browser: httpx.AsyncClient) -> None:
    await fill(archive)
    archive.context.settings.archive.max_bundle = 3
    shown = await browser.get("/frames/download")
    assert "More than 3 files were found" in shown.text
    for address in ("/frames/download?format=zip", "/v1/frames?format=tar"):
        reply = await browser.get(address)
        assert (reply.status_code, "too_many_files" in reply.text) == (400, True)
    assert (await browser.get("/frames/download?format=csv")).status_code == 200


async def test_no_file_is_no_download(browser: httpx.AsyncClient) -> None:
    assert "No file fits" in (await browser.get("/frames/download?site=none")).text
    assert (await browser.get("/v1/frames?site=none&format=zip")).status_code == 404


HOSTILE = ("=HYPERLINK(1)", "+1-1", "-M 31", "@x", 'a "b", <c>&d', "plain")


async def test_tables_are_read_by_others(browser: httpx.AsyncClient, archive: Archive) -> None:
    """CSV by the module csv, VOTable by astropy, which raises at anything that the standard does not allow."""
    for number, text in enumerate(HOSTILE):
        cards: list[Any] = [
            ("OBJECT", text, ""), ("EXPTIME", number + 0.1, ""), ("DATE-OBS", f"2026-01-01T05:00:0{number}", ""),
            ("RA", 10.5 + number, ""), ("DEC", -20.25, ""),
        ]  # fmt: skip
        await archive.ingest(put(archive.directory / f"f{number}.fits", a_file(cards=[PUBLIC, *cards])))
    told = {one["name"]: one for one in (await browser.get("/v1/frames")).json()["frames"]}
    reply = await browser.get("/v1/frames?format=csv")
    assert reply.headers["content-type"].startswith("text/csv")
    rows = {one["name"]: one for one in csv.DictReader(io.StringIO(reply.text, newline=""))}
    assert list(rows) == list(told)
    for name, row in rows.items():
        expected = told[name]
        assert row["object"].removeprefix("'") == expected["object"]
        assert row["object"][0] not in "=+-@"
        assert float(row["exposure_s"]) == expected["exposure_s"]
        assert row["dec_deg"] == ("" if expected["dec_deg"] is None else repr(expected["dec_deg"]))
        assert row["started_at"] == (expected["started_at"] or "")
    document = (await browser.get("/v1/frames?format=votable")).content
    parsed = votable.parse(io.BytesIO(document), verify="exception")
    assert parsed.version == "1.4"
    (table,) = parsed.iter_tables()
    found = table.to_table()
    assert [str(one) for one in found["object"]] == [one["object"] for one in told.values()]
    assert [float(one) for one in found["exposure_s"]] == [one["exposure_s"] for one in told.values()]
    assert [int(one) for one in found["file_size"]] == [one["file_size"] for one in told.values()]
    assert {one.name: str(one.unit or "") for one in table.fields}["exposure_s"] == "s"
    assert {one.name: one.ucd for one in table.fields}["ra_deg"] == "pos.eq.ra"
    assert date.fromisoformat(str(found["release"][0])) == date(2020, 1, 1)


async def test_a_table_is_whole_or_says_that_it_is_not(
    browser: httpx.AsyncClient, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(archive, count=7, sealed=0)
    monkeypatch.setattr("armillary.archive.download.walk.MAX_PAGE", 3)
    every = (await browser.get("/v1/frames?format=votable")).text
    assert (every.count("<TR>"), "OVERFLOW" in every) == (7, False)
    cut = (await browser.get("/v1/frames?format=votable&limit=5")).text
    assert (cut.count("<TR>"), "OVERFLOW" in cut) == (5, True)
    names = [
        row["name"] for row in csv.DictReader(io.StringIO((await browser.get("/v1/frames?format=csv")).text))
    ]
    assert len(names) == len(set(names)) == 7


@pytest.mark.parametrize(
    "query", ["format=pdf", "format=csv&total=exact", "format=zip&limit=5", "format=csv&cursor=x"]
)
async def test_what_makes_no_sense_is_refused(browser: httpx.AsyncClient, query: str) -> None:
    assert (await browser.get(f"/v1/frames?{query}")).status_code in (400, 422)
