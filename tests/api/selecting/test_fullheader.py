"""Full headers as text: every card of every HDU, unless they tell a position that is not public."""

from __future__ import annotations

import pytest
from astropy.io import fits

from armillary.access.models import Scope
from tests.api.selecting.conftest import NAMES, Lists
from tests.support.frames import headers_of_file, headers_of_text

pytestmark = pytest.mark.asyncio(loop_scope="module")

N1, N2, N3, N4, S1, _ = NAMES


async def test_every_card_of_every_hdu_is_shown(
    lists: Lists, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reply = await lists.get(f"/fullheader/{N2}")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    lines = reply.text.splitlines()
    assert lines[:3] == [
        f"Filename: {N2}.bz2",
        "",
        "AstroData Tags: {'GEMINI', 'GMOS', 'LS', 'NORTH', 'RAW', 'SPECT', 'UNPREPARED'}",
    ]
    assert lines[5] == "--- PHU ---"
    assert lines[6] == "SIMPLE  =                    T / conforms to FITS standard".ljust(80)
    assert "--- HDU 1 ---" in lines
    with fits.open(lists.paths[N2]) as hdus:
        cards = [str(card) for hdu in hdus for card in [*hdu.header.cards, "END".ljust(80)]]
    assert [line for line in lines[6:] if len(line) == 80] == cards
    saved = tmp_path_factory.mktemp("headers") / "full.header"
    saved.write_text(reply.text)
    assert headers_of_text(saved) == headers_of_file(lists.paths[N2])


async def test_files_are_named_in_any_form_or_by_the_number_of_a_version(lists: Lists) -> None:
    expected = (await lists.get(f"/fullheader/{N1}")).text
    version = await lists.archive.version(N1)
    path = f"{version.location.path}/{N1}"
    for name in (f"{N1}.bz2", path, str(version.id), f"{N1}/"):
        assert (await lists.get(f"/fullheader/{name}")).text == expected


async def test_an_old_version_shows_its_own_cards(lists: Lists) -> None:
    before = await lists.archive.version(S1)
    await lists.archive.edit(S1, {"generic": [["OBJECT", "Later"]]})
    assert "'Later" in (await lists.get(f"/fullheader/{S1}")).text
    old = (await lists.get(f"/fullheader/{before.id}")).text
    assert "'M 1" in old
    assert "'Later" not in old


@pytest.mark.parametrize("name", ["nosuch.fits", "0", "999999", "9" * 30, "N20260101S0001", "%00", "٣"])
async def test_what_is_not_here_is_not_found(lists: Lists, name: str) -> None:
    reply = await lists.get(f"/fullheader/{name}")
    assert (reply.status_code, reply.headers["content-type"]) == (404, "text/plain; charset=utf-8")


async def test_headers_with_proprietary_positions_are_for_the_entitled(lists: Lists) -> None:
    version = await lists.archive.version(N3)
    for name in (N3, version.id):
        reply = await lists.get(f"/fullheader/{name}")
        assert reply.status_code == 403
        assert "Hidden" not in reply.text
    secret = await lists.token("header reader", Scope.READ)
    assert "'Hidden" in (await lists.get(f"/fullheader/{N3}", secret)).text
    # Pixels under embargo do not hide metadata.
    assert (await lists.get(f"/fullheader/{S1}")).status_code == 200
