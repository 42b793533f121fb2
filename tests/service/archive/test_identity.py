"""Frames of one file name in several directories: each is a file of its own where paths identify files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from armillary.archive.catalog.service import find_present, find_version, root_by_id
from armillary.archive.errors import FileAmbiguous, FileNotFound
from armillary.edits.models import Target
from armillary.edits.service import edit_request, rules_of, submit_edit
from armillary.errors import ArmillaryError
from armillary.fits.bzip2 import compress_bzip2
from tests.support.archive import OLD_NS, ORIGIN, Archive, put
from tests.support.headers import a_file

NAME = "Light_001.fits"


def a_light(star: str, *, night: int = 1) -> bytes:
    """Return a frame as a camera program counts them anew every night."""
    return a_file(
        cards=[
            ("OBJECT", star, ""),
            ("DATE-OBS", f"2021-01-{night:02}T00:00:00", ""),
            ("DATALAB", f"L-{star}", ""),
        ],
        extensions=0,
    )


def two_nights(archive: Archive) -> Path:
    """Write two frames of one name in two directories."""
    tree = archive.directory / "nights"
    put(tree / "night1" / NAME, a_light("Vega", night=1))
    put(tree / "night2" / NAME, a_light("Deneb", night=2))
    return tree


async def root_of(archive: Archive) -> str:
    """Return the name of the root of the one adopted tree."""
    page = await archive.page()
    async with archive.context.database.begin() as connection:
        version = await find_version(connection, f"{page.frames[0]['path']}/{NAME}".lstrip("/"))
        return (await root_by_id(connection, version.location.root_id)).name


async def test_both_frames_are_found(archive: Archive) -> None:
    report = await archive.ingest(two_nights(archive))
    assert (report.ingested, report.failed) == (2, [])
    assert [one["path"] for one in (await archive.page(object="Vega")).frames] == ["night1"]
    assert [one["path"] for one in (await archive.page(object="Deneb")).frames] == ["night2"]
    assert [one["path"] for one in (await archive.page(name=NAME)).frames] == ["night2", "night1"]
    assert [one["path"] for one in (await archive.page(name=f"night1/{NAME}")).frames] == ["night1"]


async def test_each_is_edited_and_reverted_by_its_path(archive: Archive) -> None:
    tree = two_nights(archive)
    before = (tree / "night1" / NAME).read_bytes(), (tree / "night2" / NAME).read_bytes()
    await archive.ingest(tree)
    assert (await archive.set(f"night1/{NAME}", OBJECT="Altair"))["changed"]
    assert (await archive.set(f"night2/{NAME}", OBJECT="Sadr"))["changed"]
    assert [one["path"] for one in (await archive.page(object="Altair")).frames] == ["night1"]
    assert len((await archive.history(f"night1/{NAME}")).edits) == 1
    await archive.revert(f"night1/{NAME}")
    await archive.revert(f"night2/{NAME}")
    assert ((tree / "night1" / NAME).read_bytes(), (tree / "night2" / NAME).read_bytes()) == before


async def test_a_bare_name_is_refused_with_the_paths_that_may_be_meant(archive: Archive) -> None:
    await archive.ingest(two_nights(archive))
    with pytest.raises(FileAmbiguous, match=rf"/night1/{NAME}, .*/night2/{NAME}\.") as refused:
        await archive.history(NAME)
    with pytest.raises(FileAmbiguous, match=r"night1/.*night2/"):
        await archive.set(NAME, OBJECT="Altair")
    told = refused.value.message.partition("path: ")[2].rstrip(".").split(", ")
    found = [(await archive.version(path)).location.path for path in told]
    assert found == ["night1", "night2"], "a path of the message is a name"


async def test_a_file_at_the_top_of_its_root_can_be_called_too(archive: Archive) -> None:
    tree = two_nights(archive)
    put(tree / NAME, a_light("Altair"))
    await archive.ingest(tree)
    assert (await archive.version(f"./{NAME}")).location.path == ""
    root = await root_of(archive)
    assert (await archive.version(f"{root}/{NAME}")).location.path == ""
    assert (await archive.version(f"{root}/night1/{NAME}")).location.path == "night1"


async def test_a_path_that_leads_nowhere_means_no_other_night(archive: Archive) -> None:
    await archive.ingest(two_nights(archive))
    with pytest.raises(FileNotFound):
        await archive.version(f"night3/{NAME}")
    with pytest.raises(ArmillaryError, match="No present file"):
        await archive.set(f"night3/{NAME}", OBJECT="x")


async def test_copies_of_the_same_bytes_are_no_ambiguity_for_those_who_read(archive: Archive) -> None:
    tree = archive.directory / "nights"
    for night in ("night1", "night2"):
        put(tree / night / NAME, a_light("Vega"))
    put(tree / "night3" / f"{NAME}.bz2", b"".join(compress_bzip2([a_light("Vega")])))
    assert (await archive.ingest(tree)).ingested == 3
    async with archive.context.database.begin() as connection:
        assert (await find_present(connection, NAME)).name == NAME
    with pytest.raises(FileAmbiguous):
        await archive.set(NAME, OBJECT="x")


async def test_a_data_label_that_is_unique_is_enough(archive: Archive) -> None:
    await archive.ingest(two_nights(archive))
    rules = rules_of(archive.context.settings.edits)
    wanted = edit_request(Target(None, "L-Vega"), {"generic": [["OBSERVER", "me"]]}, rules)
    accepted, _ = await submit_edit(archive.context, wanted, ORIGIN)
    assert (await archive.finish([accepted.order_id]))[0]["changed"]
    assert len((await archive.history(f"night1/{NAME}")).edits) == 1


@pytest.mark.parametrize("again", ["moved", "copied"])
async def test_a_file_that_moves_with_its_bytes_stays_the_same(archive: Archive, again: str) -> None:
    tree = two_nights(archive)
    await archive.ingest(tree)
    before = (tree / "night1" / NAME).read_bytes()
    await archive.set(f"night1/{NAME}", OBSERVER="me")
    moved = tree / "2021" / "first" / NAME
    moved.parent.mkdir(parents=True)
    if again == "moved":
        (tree / "night1" / NAME).rename(moved)
    else:
        shutil.copy2(tree / "night1" / NAME, moved)
        (tree / "night1" / NAME).unlink()
    file_id = (await archive.version(f"night1/{NAME}")).file_id
    assert (await archive.ingest(tree)).ingested == 1
    now = await archive.version(f"2021/first/{NAME}")
    assert (now.file_id, now.present) == (file_id, True)
    with pytest.raises(FileNotFound):
        await archive.version(f"night1/{NAME}")
    assert sorted(one["path"] for one in (await archive.page(name=NAME)).frames) == ["2021/first", "night2"]
    await archive.revert(f"2021/first/{NAME}")
    assert moved.read_bytes() == before


async def test_a_renamed_directory_keeps_its_files(archive: Archive) -> None:
    tree = two_nights(archive)
    put(tree / "night1" / "Light_002.fits", a_light("Mizar"))
    await archive.ingest(tree)
    names = (NAME, "Light_002.fits")
    ids = [(await archive.version(f"night1/{name}")).file_id for name in names]
    (tree / "night1").rename(tree / "2021-01-01")
    assert (await archive.ingest(tree)).ingested == 2
    assert [(await archive.version(f"2021-01-01/{name}")).file_id for name in names] == ids
    assert len((await archive.page()).frames) == 3


async def test_what_was_deleted_and_comes_back_elsewhere_is_the_same_file(archive: Archive) -> None:
    tree = two_nights(archive)
    await archive.ingest(tree)
    file_id = (await archive.version(f"night1/{NAME}")).file_id
    (tree / "night1" / NAME).unlink()
    await archive.ingest(tree)
    assert not (await archive.version(f"night1/{NAME}")).present
    put(tree / "restored" / NAME, a_light("Vega", night=1))
    await archive.ingest(tree)
    assert (await archive.version(f"restored/{NAME}")).file_id == file_id


async def test_a_place_whose_file_is_replaced_keeps_its_history(archive: Archive) -> None:
    tree = two_nights(archive)
    await archive.ingest(tree)
    put(tree / "night1" / NAME, a_light("Mizar"), mtime_ns=OLD_NS + 1)
    await archive.ingest(tree)
    assert len((await archive.history(f"night1/{NAME}")).versions) == 2
    assert len((await archive.history(f"night2/{NAME}")).versions) == 1


async def test_what_takes_the_place_of_a_moved_file_is_another(archive: Archive) -> None:
    tree = two_nights(archive)
    await archive.ingest(tree)
    file_id = (await archive.version(f"night1/{NAME}")).file_id
    (tree / "kept").mkdir()
    (tree / "night1" / NAME).rename(tree / "kept" / NAME)
    put(tree / "night1" / NAME, a_light("Mizar"), mtime_ns=OLD_NS + 1)
    assert (await archive.ingest(tree)).ingested == 2
    assert (await archive.version(f"kept/{NAME}")).file_id == file_id
    new = await archive.version(f"night1/{NAME}")
    assert new.file_id != file_id
    assert new.previous_id is None
    assert len((await archive.history(f"night1/{NAME}")).versions) == 1
    assert sorted(one["object"] for one in (await archive.page(name=NAME)).frames) == [
        "Deneb",
        "Mizar",
        "Vega",
    ]


async def test_two_containers_in_one_directory_are_one_logical_name(archive: Archive) -> None:
    tree = two_nights(archive)
    put(tree / "night1" / f"{NAME}.bz2", b"".join(compress_bzip2([a_light("Vega")])))
    report = await archive.ingest(tree)
    assert (report.ingested, len(report.failed)) == (2, 1)
    assert "two containers of one file" in report.failed[0][1]
