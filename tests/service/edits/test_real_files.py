"""Edits and reverts of every real file in every container, judged by independent readers."""

from __future__ import annotations

import bz2
import gzip
import io
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from astropy.io import fits

from armillary.edits.revert import submit_revert
from armillary.fits.containers import logical_name
from tests.support.archive import ORIGIN, Archive, put, sha256
from tests.support.edits import accept_one
from tests.support.headers import a_file
from tests.support.realdata import fits_bytes, needs_realdata, real_fits

pytestmark = needs_realdata


def _cases() -> Iterator[tuple[str, Path, str]]:
    for path in real_fits():
        plain = path.name.removesuffix(".gz")
        yield path.name, path, "as it is"
        for kind in ("bz2", "bz2 of two streams", "gz"):
            if not path.name.endswith(".gz"):
                yield f"{plain}.{kind[:3].strip()}", path, kind


def _stored(path: Path, kind: str) -> bytes:
    data = path.read_bytes()
    half = len(data) // 2
    match kind:
        case "bz2":
            return bz2.compress(data, 5)
        case "bz2 of two streams":
            return bz2.compress(data[:half], 1) + bz2.compress(data[half:], 9)
        case "gz":
            return gzip.compress(data, 6, mtime=12345)
        case _:
            return data


def _pixels(data: bytes) -> list[bytes]:
    """Return the data bytes of every HDU, fill included, as astropy locates them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(io.BytesIO(data), disable_image_compression=True) as hdus:
            places = [hdu.fileinfo() for hdu in hdus]
    return [data[place["datLoc"] : place["datLoc"] + place["datSpan"]] for place in places]


def _content(path: Path) -> bytes:
    match path.suffix:
        case ".bz2":
            return bz2.decompress(path.read_bytes())
        case _:
            return fits_bytes(path)


def _header(data: bytes, keyword: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(io.BytesIO(data), disable_image_compression=True) as hdus:
            logical = 1 if len(hdus) > 1 and "ZSIMPLE" in hdus[1].header else 0
            return hdus[logical].header[keyword]


async def _all_in(archive: Archive) -> dict[str, Path]:
    """Take every real file in, in every container; return where each is by its logical name.

    Containers of one file have names of their own, so that all fit into one archive.
    """
    paths = {}
    for name, source, kind in _cases():
        stored = put(archive.directory / "in" / f"{kind.replace(' ', '-')}-{name}", _stored(source, kind))
        paths[logical_name(stored.name)] = stored
    report = await archive.ingest(archive.directory / "in")
    assert (report.ingested, report.failed) == (len(paths), [])
    return paths


async def test_edits_leave_data_alone_and_reverts_give_the_bytes_back(archive: Archive) -> None:
    paths = await _all_in(archive)
    before = {name: (_content(path), sha256(path)) for name, path in paths.items()}
    growth = [[f"ARM{number:05}", number] for number in range(40)]
    wish = {"generic": [["OBSERVER", "A. Newcomer"], *growth]}
    accepted = [await accept_one(archive.context, wish, name, ORIGIN) for name in paths]
    await archive.finish([one.order_ids[0] for one in accepted])
    for name, path in paths.items():
        after = _content(path)
        assert _header(after, "OBSERVER") == "A. Newcomer", name
        assert _header(after, "ARM00039") == 39, name
        assert _pixels(after) == _pixels(before[name][0]), name
    assert await archive.verify() == dict.fromkeys(paths, "")

    await archive.finish([await submit_revert(archive.context, name, None, ORIGIN) for name in paths])
    for name, path in paths.items():
        assert sha256(path) == before[name][1], name
    assert await archive.verify() == dict.fromkeys(paths, "")
    await archive.drain()
    for name in paths:
        version, first = await archive.version(name), (await archive.history(name)).versions[0]
        assert version.file_sha256 == before[name][1], name
        assert version.data_md5 == first.data_md5, name


@pytest.mark.peer
@pytest.mark.needs("fitsverify", "fitsverify")
async def test_peers_find_no_new_fault_in_edited_files(archive: Archive) -> None:
    paths = await _all_in(archive)
    before = {name: _faults(archive, _content(path)) for name, path in paths.items()}
    wish = {"generic": [["OBSERVER", "A. Newcomer"], ["AIRMASS", 1.5], ["ARMNEW", True]]}
    accepted = [await accept_one(archive.context, wish, name, ORIGIN) for name in paths]
    await archive.finish([one.order_ids[0] for one in accepted])
    for name, path in paths.items():
        assert _faults(archive, _content(path)) <= before[name], name
        _unpacks(path)


def _unpacks(path: Path) -> None:
    if path.suffix in (".bz2", ".gz"):
        tool = "bzip2" if path.suffix == ".bz2" else "gzip"
        subprocess.run([tool, "-t", path], check=True)


def _faults(archive: Archive, data: bytes) -> int:
    """Return how many errors and warnings fitsverify counts."""
    plain = archive.directory / "judged.fits"
    plain.write_bytes(data)
    said = subprocess.run(["fitsverify", "-q", plain], capture_output=True, text=True, check=False).stdout
    if "verification OK" in said:
        return 0
    words = said.split()
    return int(words[words.index("warnings") - 1]) + int(words[words.index("errors") - 1].strip(","))


async def test_checksums_of_edited_files_verify(archive: Archive) -> None:
    path = put(archive.directory / "in" / "a.fits", a_file(extensions=2))
    await archive.ingest(path)
    await archive.set("a.fits", OBSERVER="x")
    await archive.edit("a.fits", {"generic": [["GAIN", 1.5]]}, extension="CCD1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True) as hdus:
            hdus.verify("exception")
            assert hdus[2].header["GAIN"] == 1.5


async def test_all_real_files_get_in_by_adoption(archive: Archive) -> None:
    tree = shutil.copytree(real_fits()[0].parent, archive.directory / "in")
    adopted = await archive.ingest(tree)
    assert (adopted.ingested, adopted.failed) == (len(real_fits()), [])
    assert set((await archive.verify()).values()) == {""}


async def test_all_real_files_get_in_by_copy(archive: Archive) -> None:
    copied = await archive.ingest(real_fits()[0].parent, copy=True)
    assert (copied.ingested, copied.failed) == (len(real_fits()), [])
    stored = archive.directory / "data" / "store"
    for path in real_fits():
        assert (stored / path.name).read_bytes() == path.read_bytes()
