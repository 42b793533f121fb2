"""Frames of one file name in several directories: each is a file of its own where paths identify files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from armillary.access.models import Grants, Principal
from armillary.archive.catalog.service import find_present, find_version, list_roots, root_by_id, subject_of
from armillary.archive.download.service import version_to_serve
from armillary.archive.errors import FileAmbiguous, FileEmbargoed, FileNotFound, NamesNotUnique
from armillary.archive.intake import bulk
from armillary.archive.intake.service import set_identity
from armillary.archive.models import Identity
from armillary.edits.changesets import service
from armillary.edits.changesets.models import Action, Wanted
from armillary.edits.models import EditRequest, Target
from armillary.edits.service import checked, rules_of, submit_edit
from armillary.errors import ArmillaryError
from armillary.fits.bzip2 import compress_bzip2
from armillary.fits.models import CardChange
from armillary.operations.status import status_of
from tests.support.archive import OLD_NS, ORIGIN, Archive, put, sha256
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
    wanted = EditRequest(target=Target(None, "L-Vega"), cards=(CardChange("OBSERVER", "me"),))
    accepted, _ = await submit_edit(archive.context, checked(wanted, rules), ORIGIN)
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


async def unique_root(archive: Archive) -> str:
    """Return the name of the one adopted root."""
    async with archive.context.database.begin() as connection:
        (root,) = [one for one in await list_roots(connection) if one.name != "store"]
    return root.name


async def change_identity(archive: Archive, name: str, identity: Identity) -> None:
    changed = await set_identity(archive.context, name, identity)
    await archive.finish(changed.orders)


async def contested_of(archive: Archive) -> dict[str, tuple[str, ...]]:
    """Return what the status tells of names with several contents."""
    return {one.name: one.places for one in (await status_of(archive.context)).contested}


async def test_a_second_content_of_a_unique_name_is_reported_by_ingest_and_status(
    unique_archive: Archive,
) -> None:
    archive = unique_archive
    run = await archive.submit(two_nights(archive))
    report = bulk.collect(run, await archive.run(list(run.orders)))
    await bulk.tell_contested(archive.context, run)
    root = await unique_root(archive)
    places = [f"{root}/night1/{NAME}", f"{root}/night2/{NAME}"]
    assert report.contested == {NAME: places}
    assert report.to_json()["contested"] == [{"name": NAME, "places": places}]
    assert await contested_of(archive) == {NAME: tuple(places)}
    with pytest.raises(FileAmbiguous, match=r"night1.*night2"):
        await archive.history(NAME)
    assert (await archive.set(f"night1/{NAME}", OBSERVER="me"))["changed"]


async def test_what_is_no_longer_contested_is_reported_no_more(unique_archive: Archive) -> None:
    archive = unique_archive
    tree = two_nights(archive)
    await archive.ingest(tree)
    (tree / "night1" / NAME).rename(tree / "night1" / "Light_002.fits")
    run = await archive.submit(tree)
    report = bulk.collect(run, await archive.run(list(run.orders)))
    await bulk.tell_contested(archive.context, run)
    assert (report.contested, await contested_of(archive)) == ({}, {})


async def test_copies_of_a_unique_name_are_not_contested(unique_archive: Archive) -> None:
    archive = unique_archive
    for night in ("night1", "night2"):
        put(archive.directory / "nights" / night / NAME, a_light("Vega"))
    await archive.ingest(archive.directory / "nights")
    assert await contested_of(archive) == {}
    assert (await archive.version(NAME)).name == NAME
    # What was a copy is none after an edit of the other.
    await archive.set(f"night1/{NAME}", OBSERVER="me")
    assert list(await contested_of(archive)) == [NAME]


async def test_the_store_and_known_roots_keep_names_as_identity(archive: Archive) -> None:
    await archive.ingest(two_nights(archive))
    async with archive.context.database.begin() as connection:
        roots = {one.name: one.identity for one in await list_roots(connection)}
    assert roots.pop("store") is Identity.UNIQUE
    assert set(roots.values()) == {Identity.BY_PATH}


async def test_paths_become_the_identity_of_a_root_of_unique_names(unique_archive: Archive) -> None:
    archive = unique_archive
    tree = two_nights(archive)
    put(tree / "night1" / "Light_002.fits", a_light("Mizar"))
    await archive.ingest(tree)
    await archive.set("Light_002.fits", OBSERVER="me")
    await change_identity(archive, await unique_root(archive), Identity.BY_PATH)
    assert sorted(one["object"] for one in (await archive.page()).frames) == ["Deneb", "Mizar", "Vega"]
    ids = {(await archive.version(f"night{night}/{NAME}")).file_id for night in (1, 2)}
    assert len(ids) == 2
    assert await contested_of(archive) == {}
    before = sha256(tree / "night1" / "Light_002.fits")
    await archive.revert("night1/Light_002.fits")
    assert sha256(tree / "night1" / "Light_002.fits") != before
    assert await archive.verify() == {NAME: "", "Light_002.fits": ""}


async def test_names_cannot_become_the_identity_where_they_mean_several_contents(archive: Archive) -> None:
    tree = two_nights(archive)
    await archive.ingest(tree)
    root = await unique_root(archive)
    with pytest.raises(NamesNotUnique, match=rf"{NAME}: .*night1/.*night2/.*Rename"):
        await change_identity(archive, root, Identity.UNIQUE)
    assert len((await archive.page()).frames) == 2
    (tree / "night1" / NAME).rename(tree / "night1" / "Light_003.fits")
    await archive.ingest(tree)
    await change_identity(archive, root, Identity.UNIQUE)
    assert (await archive.version(NAME)).location.path == "night2"
    assert (await archive.set(NAME, OBSERVER="me"))["changed"]
    assert sorted(await archive.find()) == [NAME, "Light_003.fits"]


async def test_copies_become_one_file_where_names_identify(archive: Archive) -> None:
    tree = archive.directory / "nights"
    for night in ("night1", "night2"):
        put(tree / night / NAME, a_light("Vega"))
    await archive.ingest(tree)
    root = await unique_root(archive)
    await change_identity(archive, root, Identity.UNIQUE)
    assert await archive.find() == [NAME]
    assert {one.location.path for one in (await archive.history(NAME)).versions} == {"night1", "night2"}
    await change_identity(archive, root, Identity.BY_PATH)
    assert await archive.find() == [NAME, NAME]
    assert await archive.verify() == {NAME: ""}


async def test_a_copy_in_the_store_stays_a_file_of_the_store(unique_archive: Archive) -> None:
    archive = unique_archive
    tree = put(archive.directory / "nights" / "night1" / NAME, a_light("Vega")).parent.parent
    await archive.ingest(tree, copy=True)
    await archive.ingest(tree)
    await change_identity(archive, await unique_root(archive), Identity.BY_PATH)
    root = await unique_root(archive)
    here, there = (
        await archive.version(f"{root}/night1/{NAME}"),
        await archive.version(f"store/night1/{NAME}"),
    )
    assert (here.present, there.present, here.file_id == there.file_id) == (True, True, False)
    assert await archive.find() == [NAME, NAME]


async def test_a_grant_of_a_file_known_by_its_path_is_of_that_file_alone(archive: Archive) -> None:
    tree = archive.directory / "nights"
    for number, night in enumerate(("night1", "night2"), 1):
        data = a_file(cards=[("RELEASE", "2999-01-01", ""), ("OBJECT", f"star {number}", "")], extensions=0)
        put(tree / night / NAME, data)
    await archive.ingest(tree)
    async with archive.context.database.begin() as connection:
        with pytest.raises(FileAmbiguous):
            await subject_of(connection, NAME)
        subject = await subject_of(connection, f"night1/{NAME}")
    for granted, seen in ((subject, ["star 1"]), (NAME, [])):
        viewer = Principal("friend", grants=Grants(files=frozenset({granted})))
        frames = (await archive.page(viewer=viewer)).frames
        assert [one["object"] for one in frames if one["visible"]] == seen
        async with archive.context.database.begin() as connection:
            for one in frames:
                called = f"{one['path']}/{NAME}"
                now = archive.context.clock.now()
                if one["object"] in seen:
                    assert (await version_to_serve(connection, called, viewer, now=now)).reason == "canhaveit"
                else:
                    with pytest.raises(FileEmbargoed):
                        await version_to_serve(connection, called, viewer, now=now)


async def created(archive: Archive, wanted: Wanted) -> int:
    """Create a change set, and work until it rests."""
    async with archive.context.database.begin() as connection:
        change_set = await service.ask(connection, archive.context, wanted, ORIGIN)
        await connection.execute(text("DELETE FROM work_order WHERE id = :id"), {"id": change_set})
        await service.create(connection, archive.context, change_set, wanted, ORIGIN)
    await archive.drain()
    return change_set


async def test_a_change_set_edits_the_very_files_that_it_means(archive: Archive) -> None:
    await archive.ingest(two_nights(archive))
    values = {"generic": [["OBSERVER", "me"]]}
    with pytest.raises(FileAmbiguous):
        await created(archive, Wanted(values=values, names=(NAME,)))
    await created(archive, Wanted(values=values, names=(f"night1/{NAME}",)))
    assert [len((await archive.history(f"night{night}/{NAME}")).edits) for night in (1, 2)] == [1, 0]
    change_set = await created(archive, Wanted(values=values, selection=("present",)))
    assert [len((await archive.history(f"night{night}/{NAME}")).edits) for night in (1, 2)] == [2, 1]
    async with archive.context.database.begin() as connection:
        await service.act(connection, change_set, Action.REVERT, actor="me")
    await archive.drain()
    assert [
        (await archive.history(f"night{night}/{NAME}")).edits[-1].reverts is None for night in (1, 2)
    ] == [
        True,
        False,
    ]
