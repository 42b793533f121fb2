"""Lists in the order that `orderby` asks for, which tells nobody what is hidden from them."""

from __future__ import annotations

import pytest

from armillary.access.models import Scope
from armillary.fits.containers import logical_name
from tests.api.selecting.conftest import NAMES, Lists

pytestmark = pytest.mark.asyncio(loop_scope="module")

N1, N2, N3, N4, S1, S2 = NAMES


@pytest.mark.parametrize("surface", ["jsonfilelist", "jsonfilenames", "jsonsummary", "jsonqastate"])
@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("orderby=data_label", [N4, N1, N2, N3, S1, S2]),
        ("orderby=data_label_asc", [N4, N1, N2, N3, S1, S2]),
        ("orderby=data_label_desc", [S2, S1, N3, N2, N1, N4]),
        ("orderby=ut_datetime_desc", [S2, S1, N4, N3, N2, N1]),
        ("orderby=exposure_time_desc", [N2, N1, N3, N4, S1, S2]),
        ("orderby=exposure_time&orderby=filename_desc", [S2, S1, N4, N3, N1, N2]),
        ("orderby=engineering_desc&orderby=telescope_desc", [N4, S1, S2, N1, N2, N3]),
        ("orderby=raw_wv", [N1, N2, N3, N4, S1, S2]),
        ("orderby=raw_bg_desc", [N1, N2, N3, N4, S1, S2]),
        ("orderby=camera_desc&orderby=mdready", [S1, S2, N1, N2, N3, N4]),
        ("orderby=name_desc&orderby=name_asc", NAMES[::-1]),
    ],
)
async def test_lists_are_sorted_by_the_keys_of_elements(
    lists: Lists, surface: str, order: str, found: list[str]
) -> None:
    reply = await lists.get(f"/{surface}/present?{order}")
    assert reply.status_code == 200, reply.text
    names = [logical_name(one.get("name") or one["filename"]) for one in reply.json()]
    assert names == found
    assert "armillary-unrecognised" not in reply.headers


@pytest.mark.parametrize("surface", ["jsonfilelist", "jsonfilenames", "jsonsummary", "jsonqastate"])
async def test_unknown_fields_of_an_order_are_left_out_and_told(lists: Lists, surface: str) -> None:
    asked = ["nonsense", "", "types", "data_label_up", "name_desc", "id;%20DROP", "%C3%A4"]
    reply = await lists.get(f"/{surface}?{'&'.join(f'orderby={one}' for one in asked)}")
    names = [logical_name(one.get("name") or one["filename"]) for one in reply.json()]
    assert names == NAMES[::-1]
    told = "orderby=nonsense, orderby=, orderby=types, orderby=data_label_up, orderby=id%3B%20DROP, orderby=%C3%A4"
    assert reply.headers["armillary-unrecognised"] == told


async def test_sorted_quality_states_join_to_one_list(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await lists.get("/jsonqastate?orderby=entrytime_desc&orderby=name")
    times = [one["entrytime"] for one in whole.json()]
    assert times == sorted(times, reverse=True)
    assert len(times) == len(NAMES)
    for size in (1, 2, 4):
        monkeypatch.setattr("armillary.api.gemini.lists.PAGE", size)
        assert (await lists.get("/jsonqastate?orderby=entrytime_desc&orderby=name")).text == whole.text
    assert (await lists.get("/jsonqastate/20100101?orderby=entrytime")).text == "[]"


@pytest.mark.parametrize("key", ["ra", "dec", "object"])
@pytest.mark.parametrize("surface", ["jsonfilelist", "jsonfilenames", "jsonsummary", "jsonqastate"])
async def test_no_order_tells_a_hidden_position(lists: Lists, surface: str, key: str) -> None:
    reader = await lists.token(f"reader of {surface} by {key}", Scope.READ)

    async def listed(order: str, secret: str) -> list[str]:
        reply = await lists.get(f"/{surface}/GMOS-N?orderby={order}&orderby=name", secret)
        return [logical_name(one.get("name") or one["filename"]) for one in reply.json()]

    for order in (key, f"{key}_desc"):
        assert (await listed(order, ""))[-1] == N3
    assert (await listed(key, reader))[-1] != N3 or (await listed(f"{key}_desc", reader))[-1] != N3
