"""Downloads of many files: what is in the tar, what is withheld, what happens to files that change meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import httpx
import pytest
from astropy.io import fits

from armillary.access.models import ANYBODY, OPERATOR, Scope
from armillary.archive.download.bundle import bundle, choose
from armillary.archive.query.grammar import parse
from armillary.archive.query.listing import Lister
from tests.api.selecting.conftest import FILES, NAMES, Lists
from tests.support.night import gemini_file

pytestmark = pytest.mark.asyncio(loop_scope="module")

N1, N2, N3, N4, S1, S2 = NAMES
STORED = dict(zip(NAMES, FILES, strict=True))


def unpacked(content: bytes) -> dict[str, bytes]:
    """Return the members of a tar by name, in its order."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar.getmembers()}  # type: ignore[union-attr]


def checked(reply: httpx.Response) -> dict[str, bytes]:
    """Return the files of a download after a look at their sums."""
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/x-tar")
    members = unpacked(reply.content)
    assert list(members)[-2:] == ["md5sums.txt", "README.txt"]
    files = {name: data for name, data in members.items() if name not in ("md5sums.txt", "README.txt")}
    sums = "".join(f"{hashlib.md5(data).hexdigest()}  {name}\n" for name, data in files.items())
    assert members["md5sums.txt"].decode() == sums
    return files


async def test_a_download_holds_files_as_stored_and_lists_the_withheld(lists: Lists) -> None:
    reply = await lists.get("/download/20260101/GMOS-N/present")
    files = checked(reply)
    # Engineering data are open to everybody.
    assert list(files) == [STORED[name] for name in (N1, N2, N4)]
    for name in (N1, N2, N4):
        assert files[STORED[name]] == lists.paths[name].read_bytes()
    readme = unpacked(reply.content)["README.txt"].decode()
    assert f"  {STORED[N3]}\n" in readme
    assert STORED[N1] not in readme
    assert "attachment" in reply.headers["content-disposition"]


async def test_a_token_that_reads_gets_everything(lists: Lists) -> None:
    secret = await lists.token("tar reader", Scope.READ)
    files = checked(await lists.get("/download/N20260101", secret))
    assert list(files) == [STORED[name] for name in (N1, N2, N3, N4)]
    granted = await lists.token("tar pi", grants={"program": "GN-2026A-Q-2"})
    assert STORED[N3] in checked(await lists.get("/download/N20260101", granted))


async def test_nothing_but_withheld_files_is_a_tar_and_no_refusal(lists: Lists) -> None:
    reply = await lists.get("/download/GS-2026A-Q-9")
    assert checked(reply) == {}
    assert STORED[S1] in unpacked(reply.content)["README.txt"].decode()


async def test_sums_and_archive_satisfy_the_tools_of_the_system(lists: Lists, tmp_path: Path) -> None:
    (tmp_path / "download.tar").write_bytes((await lists.get("/download/N20260101/notengineering")).content)
    for command in (["tar", "xf", "download.tar"], ["md5sum", "--check", "--strict", "md5sums.txt"]):
        await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize("selection", ["20100101", "notpresent", "N2026/BIAS"])
async def test_nothing_to_send_is_a_plain_text(lists: Lists, selection: str) -> None:
    reply = await lists.get(f"/download/{selection}")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert reply.text.startswith("No files to download")


async def test_too_much_to_send_is_a_plain_text(lists: Lists) -> None:
    lists.settings(max_bundle=2)
    try:
        reply = await lists.get("/download/N20260101")
        assert (reply.status_code, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert "More than 2 files" in reply.text
        assert len(checked(await lists.get("/download/GN-2026A-Q-1"))) == 2
    finally:
        lists.settings(max_bundle=2000)


async def test_a_form_names_files_in_any_of_its_ways(lists: Lists) -> None:
    wanted = [STORED[N1], STORED[N2]]
    forms: list[dict[str, object]] = [
        {"data": {"files": wanted}},
        {"data": {"files": f"{N1},{N2}", "submit": "Download"}},
        {"files": [("files", (None, wanted[0])), ("files", (None, wanted[1])), ("x", (None, STORED[N4]))]},
    ]
    for form in forms:
        reply = await lists.client.post("/download", **form)  # type: ignore[arg-type]
        assert list(checked(reply)) == wanted
    assert list(checked(await lists.client.post("/download/", data={"files": [N3, N1]}))) == [STORED[N1]]


async def test_forms_without_files_and_odd_ones_are_answered(lists: Lists) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for data in ({}, {"files": ""}, {"files": "nosuch.fits"}, {"x": N1}):
        reply = await lists.client.post("/download", data=data, headers=form)
        assert (reply.status_code, reply.text[:20]) == (200, "No files to download")
    assert (await lists.client.post("/download", data={"files": "a\x00b"})).status_code == 400
    large = b"x" * ((1 << 20) + 1)
    assert (await lists.client.post("/download", content=large, headers=form)).status_code == 413
    broken = {"Content-Type": "multipart/form-data"}
    assert (await lists.client.post("/download", content=b"\xff\xfe", headers=broken)).status_code == 200


async def test_a_file_edited_meanwhile_is_one_consistent_version(lists: Lists, tmp_path: Path) -> None:
    names = [f"N20260105S000{number}.fits" for number in (1, 2, 3)]
    await _add(lists, tmp_path, *names)
    context = lists.archive.context
    lister = Lister(OPERATOR, context.clock.now().date(), context.settings.archive)
    async with context.database.begin() as connection:
        members = await choose(connection, parse(["20260105"], today=lister.today), lister)
    stream = bundle(context, members, OPERATOR, asked="a test")
    # The first file is on its way when all of them change.
    received = [await anext(stream), await anext(stream)]
    for name in names:
        await lists.archive.edit(name, {"qa_state": "Fail", "generic": [["OBJECT", "Changed"]]})
    received += [chunk async for chunk in stream]
    assert max(map(len, received)) <= 1 << 20
    files = unpacked(b"".join(received))
    sums = dict(line.split("  ")[::-1] for line in files["md5sums.txt"].decode().splitlines())
    objects = []
    for name in names:
        with fits.open(io.BytesIO(files[name]), checksum=True) as hdus:
            objects.append((hdus[0].header["OBJECT"], hdus[0].header["RAWGEMQA"]))
        assert sums[name] == hashlib.md5(files[name]).hexdigest()
    assert objects == [("M 1", "USABLE"), ("Changed", "BAD"), ("Changed", "BAD")]


async def test_a_release_that_is_taken_back_holds_for_the_files_to_come(lists: Lists, tmp_path: Path) -> None:
    names = [f"N20260106S000{number}.fits" for number in (1, 2)]
    await _add(lists, tmp_path, *names, RELEASE="2020-01-01")
    context = lists.archive.context
    lister = Lister(ANYBODY, context.clock.now().date(), context.settings.archive)
    async with context.database.begin() as connection:
        members = await choose(connection, parse(["20260106"], today=lister.today), lister)
    stream = bundle(context, members, ANYBODY, asked="a test")
    first = await anext(stream)
    await lists.archive.edit(names[1], {"release": "2900-01-01"})
    files = unpacked(first + b"".join([chunk async for chunk in stream]))
    assert list(files) == [names[0], "md5sums.txt", "README.txt"]
    assert names[1] in files["README.txt"].decode()


async def test_a_file_that_is_gone_is_listed_and_the_rest_goes_on(lists: Lists, tmp_path: Path) -> None:
    names = [f"N20260107S000{number}.fits" for number in (1, 2)]
    await _add(lists, tmp_path, *names, RELEASE="2020-01-01")
    (await lists.archive.path(names[0])).unlink()
    reply = await lists.get("/download/N20260107")
    assert list(checked(reply)) == [names[1]]
    readme = unpacked(reply.content)["README.txt"].decode()
    assert "gone" in readme.split(names[0])[0]


async def test_a_client_that_leaves_leaves_no_file_open(lists: Lists) -> None:
    context = lists.archive.context
    lister = Lister(OPERATOR, context.clock.now().date(), context.settings.archive)
    async with context.database.begin() as connection:
        members = await choose(connection, parse(["N20260101"], today=lister.today), lister)
    seen: list[str] = []
    stored = [(await lists.archive.path(name)).resolve() for name in (N1, N2, N3, N4)]
    for chunks in (1, 2, 5):
        stream = bundle(context, members, OPERATOR, asked="a test")
        for _ in range(chunks):
            await anext(stream)
        seen += _open_among(stored)
        await stream.aclose()
        assert _open_among(stored) == []
    assert seen


def _open_among(paths: list[Path]) -> list[str]:
    """Return those of some files that this process holds open; what else it holds is its own affair."""
    held = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            held.append(str(descriptor.readlink()))
    return [one for one in held if Path(one) in paths]


async def _add(lists: Lists, directory: Path, *names: str, **cards: str) -> None:
    """Take more files in, each with its name's date."""
    paths = []
    for name in names:
        day = f"{name[1:5]}-{name[5:7]}-{name[7:9]}"
        (directory / name).write_bytes(gemini_file(**({"DATE-OBS": day} | cards)))
        paths.append(directory / name)
    report = await lists.archive.ingest(*paths, in_place=True)
    assert not report.failed, report.failed
    await lists.archive.drain()
