"""What is kept how long: rows and objects go together, and nothing is shown that is due."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from armillary.archive.images.retention import forget_expired
from tests.api.photon_ranch.conftest import Site
from tests.support.ranch import BASE, fits_file, header_text, picture


async def let_pass(site: Site, table: str, gap: timedelta) -> None:
    """Let what is on record have come that much earlier."""
    async with site.archive.context.database.begin() as connection:
        await connection.execute(
            text(f"UPDATE {table} SET expires = expires - CAST(:gap AS interval)"), {"gap": gap}
        )


async def test_focus_images_go_after_a_day_with_their_files(site: Site) -> None:
    focus = BASE.replace("12", "13")
    for base, kind in ((BASE, "EX"), (focus, "EF")):
        await site.sent(f"{base}-{kind}00.txt", header_text())
        await site.sent(f"{base}-{kind}10.jpg", picture())
    # One that is worth less than another one goes, too.
    for level in ("01", "00"):
        await site.sent(f"{focus}-EF{level}.fits", fits_file())
    url = (await site.client.get(f"/image/{focus}")).json()["jpg_url"]
    await let_pass(site, "image", timedelta(hours=25))
    # Nobody has swept yet, and still it is not there.
    assert (await site.client.get(f"/image/{focus}")).status_code == 404
    assert (await forget_expired(site.archive.context))["images"] == 1
    assert (await site.client.get(url)).status_code == 404
    assert (await site.client.get(f"/image/{BASE}")).status_code == 200
    store = site.archive.context.settings.data / "images"
    assert sorted(path.name for path in store.rglob("*.*")) == [
        f"{BASE}-EX00.txt",
        f"{BASE}-EX10.jpg",
        f"{BASE}-EX11.jpg",
    ]


async def test_information_images_and_the_log_go_after_two_days(site: Site) -> None:
    await site.sent(f"{BASE}-EX10.jpg", picture(), s3_directory="info-images", info_channel=3)
    for table in ("info_image", "arrival"):
        await let_pass(site, table, timedelta(hours=49))
    assert (await site.client.get("/infoimage/saf/3")).status_code == 204
    assert (await site.client.get("/recentuploads?site=saf")).json() == []
    swept = await forget_expired(site.archive.context)
    assert (swept["info images"], swept["arrivals"]) == (1, 1)
    assert not list((site.archive.context.settings.data / "images").rglob("*.jpg"))
