"""Selections that mean nothing, names with odd characters, the same name twice, downloads of nothing and all."""

from __future__ import annotations

import hashlib
import io
import json
import math
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from armillary.access.models import Scope
from tests.api.selecting.conftest import NAMES, Lists
from tests.support.night import gemini_file, write_as

pytestmark = pytest.mark.asyncio(loop_scope="module")

SURFACES = ("jsonfilelist", "jsonfilenames", "jsonsummary", "jsonqastate", "download")
MALFORMED = {
    "selectors": [
        "NotFial", "pass", "3x3", "N20260101S0001.txt", "GN-2022A-Z-1", "nokey=x", "=", "telescope=Gemini-North",
        "'; DROP TABLE frame; --", "%00", "%FF", "x" * 1001, "..%2F..", "notdefaults",
    ],
    "dates": [
        "20260231", "20261301", "00000101", "date=", "date=2026", "date=20260101-20260102", "99991231",
        "date=2026-01-01T00:00", "night=yesterdy", "night=2026-01-01T00:00:00",
    ],
    "ranges": [
        "20260101-20260231", "daterange=20260101", "daterange=20260101-", "daterange=--", "2026-01-01--x",
        "nightrange=20260101T000000-20260102T000000", "entrytimedaterange=yesterday",
        "lastmoddaterange=2026-01-01T25:00--2026-01-02", "el=10-", "el=1-2-3", "az=x", "az=nan", "crpa=--1",
        "exposure_time=1-x", "cenwlen=inf", "coadds=-1", "raw_iq=101", "raw_bg=x",
    ],
    "positions": [
        "ra=x/dec=1", "ra=361/dec=1", "ra=1/dec=91", "dec=-91", "ra=1/dec=1/sr=x", "ra=1/dec=1/sr=181d", "sr=10",
        "ra=1-2/dec=1-2/sr=5", "ra=1/ra=2/dec=3", "ra=25:00:00/dec=0", "ra=1:60/dec=0", "ra=1/dec=2/sr=",
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", MALFORMED)
@pytest.mark.parametrize("surface", SURFACES)
async def test_malformed_selections_are_refused_by_every_surface(
    lists: Lists, surface: str, kind: str
) -> None:
    for segment in MALFORMED[kind]:
        reply = await lists.get(f"/{surface}/present/{segment}")
        assert (reply.status_code, reply.headers["content-type"]) == (400, "application/json"), segment
        answer = reply.json()
        assert reply.text == json.dumps(answer)
        assert list(answer) == ["error", "unrecognised"]
        assert answer["unrecognised"], segment
        assert answer["error"].endswith((".", "?"))


POLES = {
    "N20260108S0001.fits": (0.0, 90.0),
    "N20260108S0002.fits": (180.0, 89.9),
    "N20260108S0003.fits": (123.456, -90.0),
    "N20260108S0004.fits": (10.0, -89.95),
    "N20260108S0005.fits": (359.99, 0.0),
    "N20260108S0006.fits": (0.01, 0.0),
    "N20260108S0007.fits": (0.0, -0.02),
    "N20260108S0008.fits": (90.0, 45.0),
}
CENTRES = [
    *POLES.values(),
    (360.0, 0.0), (77.0, 90.0), (200.0, -90.0), (359.999, -0.001), (0.0, 89.95), (190.0, -89.95),
    (270.0, 45.0), (270.0, -45.0),
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def poles(lists: Lists, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    """Take in frames at the poles and on both sides of RA 0."""
    folder = tmp_path_factory.mktemp("poles")
    cards = {name: {"RA": ra, "DEC": dec, "DATE-OBS": "2026-01-08"} for name, (ra, dec) in POLES.items()}
    await _add(lists, [write_as(folder / name, gemini_file(**one)) for name, one in cards.items()])
    yield


async def _add(lists: Lists, paths: list[Path]) -> None:
    report = await lists.archive.ingest(*paths, in_place=True)
    assert (report.ingested, report.failed) == (len(paths), [])
    await lists.archive.drain()


def separation_deg(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the angle between two directions by Vincenty's formula, exact at all angles."""
    (a, p), (b, q) = ((math.radians(ra), math.radians(dec)) for ra, dec in (one, other))
    x = math.cos(q) * math.sin(b - a)
    y = math.cos(p) * math.sin(q) - math.sin(p) * math.cos(q) * math.cos(b - a)
    z = math.sin(p) * math.sin(q) + math.cos(p) * math.cos(q) * math.cos(b - a)
    return math.degrees(math.atan2(math.hypot(x, y), z))


@pytest.mark.usefixtures("poles")
@pytest.mark.parametrize("radius", [0.011, 0.06, 0.15, 1.0, 44.0, 91.0, 180.0])
async def test_cones_are_circles_at_the_poles_and_across_zero(lists: Lists, radius: float) -> None:
    for ra, dec in CENTRES:
        near = [name for name, place in POLES.items() if separation_deg((ra, dec), place) <= radius]
        for selection in (f"ra={ra}/dec={dec}/sr={radius}d", f"sr={radius * 3600:.1f}/dec={dec}/ra={ra}"):
            assert await lists.names(f"20260108/{selection}") == near, selection
        reply = await lists.get(
            f"/v1/frames?cone={ra},{dec},{radius}&since=2026-01-08&until=2026-01-09&limit=99"
        )
        assert sorted(one["name"] for one in reply.json()["frames"]) == near, (ra, dec)


ODD = [
    "has blank.fits", "päth-ü\u2603.fits", "a'b.fits", 'quo"te.fits', "50%.fits", "100%25.fits",
    "under_score.fits",
    "underXscore.fits", "a&b=c.fits", "hash#tag.fits", "question?.fits", "back\\slash.fits", "*star*.fits",
    "semi;colon,comma.fits", "+plus.fits", "brace{}[].fits", "-dash.fits", "~tilde.fits", "=slash=.fits",
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def odd(lists: Lists, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, bytes]]:
    """Take in files with names that mean something to shells, URLs, patterns and SQL."""
    folder = tmp_path_factory.mktemp("odd") / "od d"
    folder.mkdir()
    contents = {
        name: gemini_file(DATALAB=f"GN-ODD-{number}", RELEASE="2020-01-01") for number, name in enumerate(ODD)
    }
    await _add(lists, [write_as(folder / name, content) for name, content in contents.items()])
    yield contents


async def test_odd_names_are_found_fetched_and_shown(lists: Lists, odd: dict[str, bytes]) -> None:
    for name, content in odd.items():
        address = quote(name, safe="")
        assert await lists.names(f"filename={address}") == [name]
        assert (await lists.get(f"/file/{address}")).content == content
        header = await lists.get(f"/fullheader/{address}")
        assert header.text.startswith(f"Filename: {name}\n")
        assert (await lists.get(f"/v1/files/{address}/thumbnail")).status_code == 200
        frames = (await lists.get("/v1/frames", params={"data_label": f"GN-ODD-{ODD.index(name)}"})).json()
        assert [one["name"] for one in frames["frames"]] == [name]


async def test_odd_names_are_kept_in_downloads(lists: Lists, odd: dict[str, bytes]) -> None:
    for name, content in odd.items():
        files = _unpacked((await lists.get(f"/download/filename={quote(name, safe='')}")).content)
        assert list(files) == [name, "md5sums.txt", "README.txt"]
        assert files[name] == content
        assert files["md5sums.txt"].decode() == f"{hashlib.md5(content).hexdigest()}  {name}\n"


async def test_a_part_of_an_odd_name_is_no_pattern(lists: Lists, odd: dict[str, bytes]) -> None:
    assert await lists.names("filepre=under_") == ["under_score.fits"]
    assert await lists.names("filepre=50%25") == ["50%.fits"]
    assert await lists.names("filepre=%25") == []
    found = (await lists.get("/v1/frames", params={"name": "under_*"})).json()["frames"]
    assert [one["name"] for one in found] == ["under_score.fits"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def twice(lists: Lists, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, bytes]]:
    """Take in one name at two paths."""
    tree, contents = tmp_path_factory.mktemp("twice"), {}
    for folder in ("one", "two"):
        (tree / folder).mkdir()
        contents[folder] = gemini_file(DATALAB=f"GN-TWICE-{folder}", RELEASE="2020-01-01")
        write_as(tree / folder / TWICE, contents[folder])
    report = await lists.archive.ingest(tree, in_place=True)
    assert report.ingested == 2
    await lists.archive.drain()
    yield contents


TWICE = "N20260109S0001.fits"


async def test_a_name_in_two_places_is_listed_twice_and_fetched_by_its_path(
    lists: Lists, twice: dict[str, bytes]
) -> None:
    listed = (await lists.get(f"/jsonfilelist/present/filename={TWICE}")).json()
    assert sorted(one["path"] for one in listed) == ["one", "two"]
    assert await lists.names(f"filename={TWICE}") == [TWICE]
    assert (await lists.get(f"/file/three/{TWICE}")).status_code == 404
    assert (await lists.get(f"/fullheader/{TWICE}")).status_code == 400
    for path in (f"/file/{TWICE}", f"/file/{TWICE}.bz2"):
        reply = await lists.get(path)
        assert (reply.status_code, reply.json()["code"]) == (400, "file_ambiguous")
        assert "one/" in reply.json()["detail"]
    for kind in ("preview", "thumbnail"):
        assert (await lists.get(f"/v1/files/{TWICE}/{kind}")).status_code == 409
    for folder, content in twice.items():
        header = await lists.get(f"/fullheader/{folder}/{TWICE}")
        assert f"GN-TWICE-{folder}" in header.text
        for encoded in (f"{folder}/{TWICE}", f"{folder}%2F{TWICE}"):
            told = (await lists.get(f"/v1/files/{encoded}")).json()
            assert [one["path"] for one in told["present"]] == [folder]
            assert (await lists.get(f"/v1/files/{encoded}/content")).content == content
            assert len((await lists.get(f"/v1/files/{encoded}/versions")).json()["versions"]) == 1
            labels = (await lists.get(f"/v1/files/{encoded}/headers/0?format=text")).text
            assert f"GN-TWICE-{folder}" in labels
        assert (await lists.get(f"/file/{folder}/{TWICE}")).content == content
        one = (await lists.get(f"/jsonfilelist/present/path={folder}/filename={TWICE}")).json()
        assert [element["path"] for element in one] == [folder]


async def test_a_download_holds_both_files_of_a_name(lists: Lists, twice: dict[str, bytes]) -> None:
    for reply in (
        await lists.get(f"/download/filename={TWICE}"),
        await lists.client.post("/download", data={"files": TWICE}),
    ):
        files = _unpacked(reply.content)
        assert {f"{folder}/{TWICE}": content for folder, content in twice.items()}.items() <= files.items()
    files = _unpacked((await lists.client.post("/download", data={"files": f"two/{TWICE}"})).content)
    assert files.keys() == {f"two/{TWICE}", "md5sums.txt", "README.txt"}


async def test_a_download_of_everything_is_everything_that_is_present(
    lists: Lists, odd: dict[str, bytes], twice: dict[str, bytes]
) -> None:
    secret = await lists.token("everything", Scope.READ)
    listed = (await lists.get("/jsonfilelist/present", secret)).json()
    assert len(listed) >= len(NAMES) + len(odd) + len(twice)
    for path in ("/download", "/download/", "/download/present"):
        files = _unpacked((await lists.get(path, secret)).content)
        sums = dict(line.split("  ", 1)[::-1] for line in files.pop("md5sums.txt").decode().splitlines())
        files.pop("README.txt")
        assert sums == {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
        assert sorted(sums) == sorted(f"{one['path']}/{one['filename']}".removeprefix("/") for one in listed)
        assert sorted(sums.values()) == sorted(one["file_md5"] for one in listed)


async def test_a_download_of_nothing_says_so(lists: Lists) -> None:
    replies = [await lists.get("/download/20010101"), await lists.get("/download/notpresent")]
    for content in (b"", b"files=", b"files=,%20,", b"other=1", b"files=absent.fits"):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        replies.append(await lists.client.post("/download", content=content, headers=form))
    for reply in replies:
        assert (reply.status_code, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert reply.text.startswith("No files to download")


def _unpacked(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
