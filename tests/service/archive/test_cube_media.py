"""Picture, thumbnail and movie of a cube come from what is named, from what lies beside it, or from its data."""

from __future__ import annotations

import gzip
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from armillary.archive.catalog.models import Product
from armillary.archive.catalog.service import ensure_root, get_product, versions_by_id
from armillary.archive.errors import BadMediaOption
from armillary.archive.products import service as products
from armillary.archive.products.leftovers import settle_products
from armillary.archive.products.objects import directory_of
from armillary.archive.products.origins import NO_IMAGE, NO_TIME
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.sandbox.pool import Sandbox
from armillary.base.work.steps import StepOutcome
from tests.support.archive import OLD_NS, Archive, an_archive, put
from tests.support.media import a_cube, a_picture, a_table, needs_av, played, put_movie, shown

NAME = "nb_3950.fits"
SHAPE = (6, 4, 3, 40, 50)
NO_ENCODER = "No encoder of movies is installed: install armillary[media]."


class Cubes:
    """An archive whose root holds a cube."""

    def __init__(self, archive: Archive) -> None:
        self.archive, self.directory = archive, archive.directory / "cubes"

    async def take_in(self, content: bytes, name: str = NAME) -> int:
        """Put a cube into the root and take it in; return its version."""
        report = await self.archive.ingest(put(self.directory / "night" / name, content), in_place=True)
        assert report.failed == []
        return (await self.archive.version(name)).id

    def put(self, name: str, content: bytes, *, later: int = 0) -> Path:
        """Put a file beside the cube."""
        return put(self.directory / "night" / name, content, mtime_ns=OLD_NS + later)

    async def make(self, version: int, *, former: int | None = None, **options: Any) -> products.MediaOutcome:
        """Ask for the media of a version, and make them."""
        async with self.archive.context.database.begin() as connection:
            orders = await products.submit_cube_media(
                connection, version, options, actor="test", former=former
            )
            if orders:
                assert await products.media_outcome(connection, version, orders) is None
        await self.archive.drain()
        async with self.archive.context.database.begin() as connection:
            outcome = await products.media_outcome(connection, version, orders)
        assert outcome is not None
        return outcome

    async def standing(self, version: int, **options: Any) -> dict[str, tuple[bool, str, str | None]]:
        """Return how the media of a version stand."""
        chosen = products.MediaOptions.of(options)
        async with self.archive.context.database.begin() as connection:
            (found,) = [one for one in await self._versions(connection) if one.id == version]
            told = await products.media_standing(self.archive.context, connection, found, chosen)
        return {one.kind: (one.up_to_date, one.reason, one.source) for one in told}

    async def _versions(self, connection: Any) -> list[Any]:
        ids = await connection.scalars(text("SELECT id FROM version"))
        return list((await versions_by_id(connection, ids.all())).values())

    async def product(self, version: int, kind: str) -> Product | None:
        async with self.archive.context.database.begin() as connection:
            return await get_product(connection, version, kind)

    async def content(self, version: int, kind: str) -> bytes:
        """Return the bytes of a product that is there."""
        found = await self.product(version, kind)
        assert found is not None
        assert found.reason is None
        return await products.fetch(self.archive.context, found)

    async def digests(self, version: int) -> dict[str, str | None]:
        """Return by what the products of a version are known, None where there is none."""
        found = {kind: await self.product(version, kind) for kind in ("image", "thumbnail_png", "video")}
        return {
            kind: None if one is None or one.reason is not None else one.sha256 for kind, one in found.items()
        }


async def a_root(archive: Archive) -> Cubes:
    """Let the directory of cubes be a root."""
    cubes = Cubes(archive)
    cubes.directory.mkdir()
    async with archive.context.database.begin() as connection:
        await ensure_root(connection, "cubes", cubes.directory, in_place=True)
    return cubes


@pytest_asyncio.fixture
async def cubes(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Cubes]:
    async with an_archive(postgres, tmp_path, image_px=200, thumbnail_px=64, video_px=100) as archive:
        yield await a_root(archive)


@needs_av
@pytest.mark.parametrize("shape", [SHAPE[axis:] for axis in range(4)])
@pytest.mark.parametrize("packed", [False, True])
async def test_cubes_of_two_to_five_axes_have_pictures_of_their_data(
    cubes: Cubes, shape: tuple[int, ...], *, packed: bool
) -> None:
    version = await cubes.take_in(a_cube(shape, packed=packed))
    assert (await cubes.make(version)).outcome == "done"
    form, image = shown(await cubes.content(version, "image"))
    assert (form, image.size) == ("JPEG", (50, 40))
    form, small = shown(await cubes.content(version, "thumbnail_png"))
    assert (form, small.size) == ("PNG", (64, 51))
    movie = await cubes.product(version, "video")
    assert movie is not None
    if len(shape) == 5:
        codec, frames, times = played(await cubes.content(version, "video"))
        assert (codec, len(frames), frames[0].shape) == ("vp9", 6, (40, 50))
        assert times == pytest.approx([number / 10 for number in range(6)], abs=0.01)
    else:
        assert movie.reason == NO_TIME


async def test_large_pictures_are_reduced_and_thumbnails_have_their_width(cubes: Cubes) -> None:
    version = await cubes.take_in(a_cube((300, 900)))
    await cubes.make(version)
    assert shown(await cubes.content(version, "image"))[1].size == (180, 60)
    assert shown(await cubes.content(version, "thumbnail_png"))[1].size == (64, 21)


@pytest.mark.parametrize("content", [a_table(), a_cube((500,))])
async def test_without_an_image_the_reason_is_on_record(cubes: Cubes, content: bytes) -> None:
    version = await cubes.take_in(content)
    assert await cubes.make(version) == products.MediaOutcome(StepOutcome.SKIPPED, NO_IMAGE)
    for kind in ("image", "thumbnail_png", "video"):
        found = await cubes.product(version, kind)
        assert found is not None
        assert found.reason == NO_IMAGE
    assert await cubes.standing(version) == {
        "image": (True, NO_IMAGE, "data"),
        "video": (True, NO_IMAGE, "data"),
    }


@pytest.mark.parametrize(("ending", "form"), [(".png", "PNG"), (".jpg", "JPEG")])
@pytest.mark.parametrize("stored", [NAME, "nb_3950.fits.fz", "nb_3950.fits.gz"])
async def test_a_picture_beside_the_file_goes_before_its_data(
    cubes: Cubes, ending: str, form: str, stored: str
) -> None:
    content = a_cube((40, 50), packed=stored.endswith(".fz"))
    cubes.put(f"nb_3950{ending}", a_picture(form))
    version = await cubes.take_in(gzip.compress(content) if stored.endswith(".gz") else content, stored)
    await cubes.make(version)
    form, image = shown(await cubes.content(version, "image"))
    assert (form, image.size) == ("JPEG", (200, 100))
    red, green, blue = image.convert("RGB").getpixel((100, 50))  # type: ignore[misc]
    assert red > 240 > 20 > max(green, blue)
    assert shown(await cubes.content(version, "thumbnail_png"))[1].size == (64, 32)
    assert (await cubes.standing(version))["image"] == (True, "same source", "sidecar")


@needs_av
@pytest.mark.parametrize("ending", [".mov", ".mp4"])
async def test_a_movie_beside_the_file_goes_before_its_data(cubes: Cubes, ending: str) -> None:
    version = await cubes.take_in(a_cube(SHAPE))
    put_movie(cubes.directory / "night" / f"nb_3950{ending}")
    await cubes.make(version)
    codec, frames, times = played(await cubes.content(version, "video"))
    assert (codec, len(frames), frames[0].shape) == ("vp9", 8, (56, 100))
    assert times == pytest.approx([number / 25 for number in range(8)], abs=0.01)
    levels = [float(frame.mean()) for frame in frames]
    assert levels == sorted(levels)
    assert levels[-1] - levels[0] > 100


@needs_av
async def test_what_is_named_goes_before_all_else(cubes: Cubes) -> None:
    cubes.put("nb_3950.png", a_picture("PNG"))
    put(cubes.directory / "other" / "chosen.jpg", a_picture("JPEG", (30, 90), "blue"))
    put_movie(cubes.directory / "other" / "chosen.mp4", frames=3)
    version = await cubes.take_in(a_cube(SHAPE))
    await cubes.make(version, image_source="other/chosen.jpg", video_source="other/chosen.mp4")
    assert shown(await cubes.content(version, "image"))[1].size == (30, 90)
    assert len(played(await cubes.content(version, "video"))[1]) == 3
    # The archive itself makes it of the same again; the next order that does not name it, no more.
    found = await cubes.product(version, "image")
    assert found is not None
    (directory_of(cubes.archive.context) / str(found.key)).unlink()
    assert (await settle_products(cubes.archive.context))["renewed"] == 1
    await cubes.archive.drain()
    assert shown(await cubes.content(version, "image"))[1].size == (30, 90)
    assert (await cubes.standing(version))["image"] == (False, "other source", "sidecar")
    await cubes.make(version)
    assert shown(await cubes.content(version, "image"))[1].size == (200, 100)


@pytest.mark.parametrize("path", ["../a.png", "/etc/a.png", "a/../../b.png", "a\0.png"])
async def test_nothing_outside_the_root_can_be_named(cubes: Cubes, path: str) -> None:
    version = await cubes.take_in(a_cube((40, 50)))
    with pytest.raises(BadMediaOption, match="image_source"):
        await cubes.make(version, image_source=path)
    with pytest.raises(BadMediaOption, match="make_video is true or false"):
        await cubes.make(version, make_video="no")


async def test_a_link_out_of_the_root_is_not_followed(cubes: Cubes, tmp_path: Path) -> None:
    version = await cubes.take_in(a_cube((40, 50)))
    outside = put(tmp_path / "secret.png", a_picture("PNG"))
    (cubes.directory / "night" / "nb_3950.png").symlink_to(outside)
    outcome = await cubes.make(version, make_video=False)
    assert outcome.outcome == "failed"
    assert outcome.why == "night/nb_3950.png leads out of its root; put the file itself there."
    assert await cubes.digests(version) == {"image": None, "thumbnail_png": None, "video": None}


async def test_what_is_named_and_not_there_is_a_failure_and_told_before(cubes: Cubes) -> None:
    version = await cubes.take_in(a_cube((40, 50)))
    outcome = await cubes.make(version, image_source="night/none.png", make_video=False)
    assert outcome.outcome == "failed"
    assert outcome.why == f"There is no night/none.png in the root of {NAME}."
    told = await cubes.standing(version, image_source="night/none.png")
    assert told == {"image": (False, outcome.why, None), "video": (False, "not made yet", "data")}
    # What is wrong with one of them is no reason to leave the other.
    assert "There is no night/none.png" in (await cubes.make(version, image_source="night/none.png")).why
    assert (await cubes.standing(version))["video"] == (True, NO_TIME, "data")


@needs_av
async def test_products_are_renewed_when_their_source_changes_and_only_then(cubes: Cubes) -> None:
    version = await cubes.take_in(a_cube(SHAPE))
    await cubes.make(version)
    of_data = await cubes.digests(version)
    assert await cubes.standing(version) == {
        "image": (True, "same source", "data"),
        "video": (True, "same source", "data"),
    }
    assert (await cubes.make(version)).why == "same source"

    path = cubes.put("nb_3950.jpg", a_picture("JPEG"))
    assert (await cubes.standing(version))["image"] == (False, "other source", "sidecar")
    assert (await cubes.make(version)).outcome == "done"
    appeared = await cubes.digests(version)
    assert appeared["image"] != of_data["image"]
    assert appeared["video"] == of_data["video"]

    cubes.put("nb_3950.jpg", a_picture("JPEG", colour="blue"), later=10**9)
    assert (await cubes.standing(version))["image"] == (False, "other source", "sidecar")
    await cubes.make(version)
    changed = await cubes.digests(version)
    assert changed["image"] != appeared["image"]
    assert changed["thumbnail_png"] != appeared["thumbnail_png"]

    path.unlink()
    assert (await cubes.standing(version))["image"] == (False, "other source", "data")
    await cubes.make(version)
    assert await cubes.digests(version) == of_data


@needs_av
async def test_an_edit_of_the_header_renews_nothing(cubes: Cubes) -> None:
    version = await cubes.take_in(a_cube(SHAPE))
    await cubes.make(version)
    before = await cubes.digests(version)
    await cubes.archive.set(NAME, OBSERVER="somebody")
    edited = (await cubes.archive.version(NAME)).id
    assert edited != version
    assert await cubes.digests(edited) == before
    assert (await cubes.make(edited)).why == "same source"


async def test_settings_steps_and_force_renew_what_the_source_does_not(cubes: Cubes) -> None:
    version = await cubes.take_in(a_cube((40, 50)))
    await cubes.make(version)
    assert (await cubes.standing(version, force=True))["image"] == (False, "forced", "data")
    wider = cubes.archive.context.settings.archive.model_copy(update={"thumbnail_px": 80})
    object.__setattr__(cubes.archive.context.settings, "archive", wider)
    assert (await cubes.standing(version))["image"] == (False, "other settings", "data")
    await cubes.make(version)
    assert shown(await cubes.content(version, "thumbnail_png"))[1].size == (80, 64)
    async with cubes.archive.context.database.begin() as connection:
        await connection.execute(text("UPDATE product SET step = 0 WHERE kind = 'image'"))
    assert (await cubes.standing(version))["image"][1] == "made by an earlier step"
    assert (await settle_products(cubes.archive.context))["renewed"] == 1
    await cubes.archive.drain()
    assert (await cubes.standing(version))["image"] == (True, "same source", "data")


@needs_av
@pytest.mark.parametrize(
    ("ending", "content", "reason"),
    [
        (".png", a_picture("PNG")[:400], "cannot be read as a picture"),
        (".jpg", b"<html>no picture</html>", "cannot be read as a picture"),
        (".mp4", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "cannot be read as a movie"),
        (".mov", bytes(5000), "cannot be read as a movie"),
    ],
)
async def test_what_cannot_be_read_leaves_the_former_product_and_says_why(
    cubes: Cubes, ending: str, content: bytes, reason: str
) -> None:
    version = await cubes.take_in(a_cube(SHAPE))
    await cubes.make(version)
    before = await cubes.digests(version)
    path = cubes.put(f"nb_3950{ending}", content)
    outcome = await cubes.make(version)
    assert outcome.outcome == "failed"
    assert f"night/nb_3950{ending} {reason}" in outcome.why
    assert await cubes.digests(version) == before
    kind = "image" if ending in (".png", ".jpg") else "video"
    assert (await cubes.standing(version))[kind] == (False, "other source", "sidecar")
    # Of orders that are forgotten the products tell.
    async with cubes.archive.context.database.begin() as connection:
        told = await products.media_outcome(connection, version, [10**9])
    assert told == outcome
    path.unlink()
    assert (await cubes.standing(version))[kind][1].startswith("failed before: night/nb_3950")
    assert (await cubes.make(version)).outcome == "done"
    assert await cubes.digests(version) == before


async def test_a_picture_that_would_unfold_to_too_many_pixels_is_not_decoded(cubes: Cubes) -> None:
    version = await cubes.take_in(a_cube((40, 50)))
    cubes.put("nb_3950.png", a_picture("PNG", (40_000, 40_000), 0, "1"))
    outcome = await cubes.make(version, make_video=False)
    assert outcome.outcome == "failed"
    assert "has 40000 x 40000 pixels" in outcome.why
    found = await cubes.product(version, "image")
    assert found is not None
    assert "make it smaller" in (found.reason or "")


async def test_colours_depth_and_transparency_become_a_plain_picture(cubes: Cubes) -> None:
    version = await cubes.take_in(a_cube((40, 50)))
    for number, (mode, colour, wanted) in enumerate(
        [("I;16", 257 * 100, 100), ("RGBA", (255, 255, 255, 0), 0), ("L", 90, 90), ("P", 0, 0), ("1", 1, 255)]
    ):
        cubes.put("nb_3950.png", a_picture("PNG", (80, 80), colour, mode), later=number)
        assert (await cubes.make(version, make_video=False)).outcome == "done"
        image = shown(await cubes.content(version, "image"))[1].convert("L")
        assert image.getpixel((40, 40)) == pytest.approx(wanted, abs=3), mode


async def test_new_data_show_the_old_picture_until_theirs_is_made(cubes: Cubes) -> None:
    first = await cubes.take_in(a_cube((40, 50)))
    await cubes.make(first, make_video=False)
    before = await cubes.digests(first)
    path = cubes.directory / "night" / NAME
    put(path, a_cube((60, 50)), mtime_ns=OLD_NS + 10**9)
    await cubes.archive.ingest(path, in_place=True)
    second = (await cubes.archive.version(NAME)).id
    assert second != first
    async with cubes.archive.context.database.begin() as connection:
        orders = await products.submit_cube_media(
            connection, second, {"make_video": False}, actor="test", former=first
        )
    assert await cubes.digests(second) == before
    assert (await cubes.standing(second))["image"] == (False, "other source", "data")
    await cubes.archive.finish(orders)
    assert shown(await cubes.content(second, "image"))[1].size == (50, 60)


async def test_what_is_not_wanted_is_not_made(cubes: Cubes) -> None:
    version = await cubes.take_in(a_cube(SHAPE))
    assert (await cubes.make(version, make_images=False, make_video=False)).why == "not wanted"
    assert await cubes.digests(version) == {"image": None, "thumbnail_png": None, "video": None}
    await cubes.make(version, make_video=False)
    assert (await cubes.digests(version))["video"] is None
    told = await cubes.standing(version, make_video=False)
    assert told["video"] == (True, "not wanted", None)


async def test_orders_of_a_version_merge_as_long_as_they_wait(cubes: Cubes) -> None:
    version = await cubes.take_in(a_cube((40, 50)))
    put(cubes.directory / "chosen.png", a_picture("PNG", (20, 20)))
    async with cubes.archive.context.database.begin() as connection:
        first = await products.submit_cube_media(
            connection, version, {"image_source": "chosen.png", "force": True}, actor="test"
        )
        assert await products.submit_cube_media(connection, version, {"force": False}, actor="test") == first
    await cubes.archive.finish(first)
    assert shown(await cubes.content(version, "image"))[1].size == (20, 20)


@needs_av
async def test_without_an_encoder_there_is_a_reason_and_no_movie(
    cubes: Cubes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The child cannot load it, whatever its parent believes.
    put(tmp_path / "blocked" / "av.py", b"raise ImportError('not installed')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "blocked"))
    version = await cubes.take_in(a_cube(SHAPE))
    own = Sandbox()
    object.__setattr__(cubes.archive.context, "sandbox", own)
    try:
        outcome = await cubes.make(version, make_images=False)
    finally:
        own.close()
    assert (outcome.outcome, outcome.why) == ("skipped", NO_ENCODER)
    found = await cubes.product(version, "video")
    assert found is not None
    assert found.reason == NO_ENCODER
    # Here it is installed, so the next one makes the movie.
    assert (await cubes.standing(version))["video"] == (False, f"failed before: {NO_ENCODER}", "data")
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert (await cubes.standing(version))["video"] == (True, NO_ENCODER, "data")
    assert (await cubes.make(version, make_images=False)).why == "same source"


@needs_av
async def test_a_movie_without_its_encoder_stays(cubes: Cubes, monkeypatch: pytest.MonkeyPatch) -> None:
    version = await cubes.take_in(a_cube(SHAPE))
    await cubes.make(version)
    before = await cubes.digests(version)
    put_movie(cubes.directory / "night" / "nb_3950.mov")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert (await cubes.make(version)).why == f"same source; {NO_ENCODER}"
    assert await cubes.digests(version) == before


@needs_av
async def test_a_movie_that_takes_too_long_says_which_setting_allows_it(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    async with an_archive(postgres, tmp_path, video_s=1e-6) as archive:
        cubes = await a_root(archive)
        version = await cubes.take_in(a_cube(SHAPE))
        outcome = await cubes.make(version, make_images=False)
    assert outcome.why == "A movie takes more than 1e-06 s; raise archive.video_s to allow that."


@needs_av
async def test_nothing_is_left_of_what_was_being_made(
    cubes: Cubes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await cubes.take_in(a_cube(SHAPE))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    own = Sandbox()
    object.__setattr__(cubes.archive.context, "sandbox", own)
    try:
        assert (await cubes.make(version)).outcome == "done"
    finally:
        own.close()
    assert list((tmp_path / "temporary").iterdir()) == []
