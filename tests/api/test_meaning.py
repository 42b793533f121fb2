"""What accepted items do: every word lands in its cards and reads back as published."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pytest
from astropy.io import fits

from armillary.access.models import Scope
from armillary.archive.models import QA_CARDS, SITE_CARDS
from tests.api.conftest import Maker
from tests.support.running import Running

PUBLISHED = {"undefined": "Undefined", "pass": "Pass", "usable": "Usable", "fail": "Fail", "check": "CHECK"}


def headers(server: Running, name: str) -> list[dict[str, Any]]:
    """Return the headers of a downloaded file, as astropy reads them."""
    with server.client(scope=Scope.READ) as client:
        content = client.get(f"/file/{name}").content
    with fits.open(io.BytesIO(content)) as hdus:
        return [dict(hdu.header) for hdu in hdus]


def frame(server: Running, name: str) -> dict[str, Any]:
    """Return what a search says of a file."""
    with server.client(scope=Scope.READ) as client:
        (found,) = client.get("/v1/frames", params={"name": name}).json()["frames"]
    return dict(found)


def test_every_word_of_quality_reads_back_as_published(server: Running, a_file: Maker) -> None:
    name = a_file()
    for word, (rawgemqa, rawpireq) in QA_CARDS.items():
        for spelling in (word, word.upper(), word.capitalize()):
            assert server.edit(name, {"qa_state": spelling})["state"] == "completed"
        cards = headers(server, name)[0]
        assert (cards["RAWGEMQA"], cards["RAWPIREQ"]) == (rawgemqa, rawpireq)
        assert frame(server, name)["qa_state"] == PUBLISHED[word]


def test_every_word_of_conditions_reads_back_as_published(server: Running, a_file: Maker) -> None:
    name = a_file(RAWIQ="Any")
    words: dict[str, list[str]] = {}
    for word, (keyword, _) in SITE_CARDS.items():
        words.setdefault(keyword, []).append(word)
    for step in range(4):
        chosen = [of_keyword[step] for of_keyword in words.values()]
        sent = chosen[0].upper() if step == 0 else [*words["RAWIQ"][:1], *chosen]
        assert server.edit(name, {"raw_site": sent})["state"] == "completed"
        assert server.edit(name, {"raw_site": chosen})["state"] == "completed"
        cards, found = headers(server, name)[0], frame(server, name)
        for word in chosen:
            keyword, value = SITE_CARDS[word]
            assert cards[keyword] == value
            number = 100 if value == "Any" else int(value.removesuffix("-percentile"))
            assert found[f"raw_{keyword[3:].lower()}"] == number


def test_a_release_is_normalised(server: Running, a_file: Maker) -> None:
    name = a_file()
    server.edit(name, {"release": "2027-3-4"})
    assert headers(server, name)[0]["RELEASE"] == "2027-03-04"
    assert frame(server, name)["release"] == "2027-03-04"
    server.edit(name, {"generic": {"release": "2028-1-2"}})
    assert frame(server, name)["release"] == "2028-01-02"


def test_values_keep_their_type(server: Running, a_file: Maker) -> None:
    name = a_file()
    sent: dict[str, Any] = {
        "TEXT": "5", "QUOTE": "it's", "EMPTY": "", "LONG": "x" * 1000, "YES": True, "NO": False,
        "INT": 5, "BIG": 2**63 - 1, "SMALL": -(2**63), "FLOAT": 1e5, "THIRD": 1 / 3, "TINY": 5e-324,
        "HUGE": 1.7976931348623157e308, "MINUS": -0.0, "NULL": None,
    }  # fmt: skip
    item = server.edit(name, {"generic": sent})
    assert item["state"] == "completed"
    assert {c["keyword"]: (c["old"], c["new"], c["created"]) for c in item["changes"]} == {
        keyword: (None, value, True) for keyword, value in sent.items()
    }
    found = headers(server, name)[0]
    for keyword, value in sent.items():
        if value is None:
            assert found[keyword] is None
        else:
            assert (found[keyword], type(found[keyword])) == (value, type(value)), keyword
    assert server.edit(name, {"generic": sent})["changed"] is False


def test_numbers_as_text_become_numbers_on_cards_that_hold_some(server: Running, a_file: Maker) -> None:
    """fixHead sends every value as text."""
    name = a_file(EXPTIME=12.5, COADDS=3, SHUT=True, OBJECT="M 31", AIRMASS=1.25)
    sent = [
        ["EXPTIME", "33"],
        ["COADDS", "4"],
        ["SHUT", "F"],
        ["OBJECT", "33"],
        ["AIRMASS", "'33'"],
        ["N", "5"],
    ]
    item = server.edit(name, {"generic": sent})
    assert (item["state"], item["error"]) == ("completed", None)
    wanted = {"EXPTIME": 33.0, "COADDS": 4, "SHUT": False, "OBJECT": "33", "AIRMASS": "33", "N": "5"}
    assert {change["keyword"]: change["new"] for change in item["changes"]} == wanted
    found = headers(server, name)[0]
    for keyword, value in wanted.items():
        assert (found[keyword], type(found[keyword])) == (value, type(value)), keyword
    # AIRMASS holds a text by now, and keeps to it.
    assert server.edit(name, {"generic": sent})["changed"] is False


def test_generic_takes_an_object_or_pairs_and_the_last_setting_wins(server: Running, a_file: Maker) -> None:
    name = a_file()
    values = {
        "generic": [["rawiq", "20-percentile"], ["AIRMASS", 1.5], ["RAWIQ", "70-percentile"]],
        "raw_site": ["iqany", "iq85"],
        "release": "2027-01-02",
        "qa_state": "fail",
    }
    changes = server.edit(name, values)["changes"]
    new = {(change["extension"], change["keyword"]): change["new"] for change in changes}
    assert len(changes) == 5
    assert new == {
        (0, "RAWGEMQA"): "BAD",
        (0, "RAWPIREQ"): "NO",
        (0, "RAWIQ"): "70-percentile",
        (0, "RELEASE"): "2027-01-02",
        (0, "AIRMASS"): 1.5,
    }


@pytest.mark.parametrize("values", [{}, {"raw_site": []}, {"generic": {}}, {"generic": []}])
def test_empty_wishes_are_accepted_and_change_nothing(
    server: Running, shared_file: str, values: dict[str, Any]
) -> None:
    item = server.edit(shared_file, values)
    assert (item["state"], item["changed"], item["changes"]) == ("completed", False, [])


def test_a_repeated_edit_changes_nothing(server: Running, a_file: Maker) -> None:
    name = a_file()
    server.edit(name, {"qa_state": "Usable"})
    before = server.sql("SELECT count(*) FROM version JOIN file ON file.id = file_id WHERE name = $1", name)
    with server.client(scope=Scope.READ) as client:
        tag = client.head(f"/file/{name}").headers["ETag"]
        item = server.edit(name, {"qa_state": "Usable"})
        assert client.head(f"/file/{name}").headers["ETag"] == tag
    assert (item["changed"], item["state"]) == (False, "completed")
    assert item["data_md5_before"] == item["data_md5_after"] is not None
    assert item["file_md5_before"] == item["file_md5_after"] is not None
    after = server.sql("SELECT count(*) FROM version JOIN file ON file.id = file_id WHERE name = $1", name)
    assert after == before


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({"qa_state": "Pass"}, "RAWGEMQA, RAWPIREQ"),
        ({"raw_site": ["iq20", "cc50"]}, "RAWIQ, RAWCC"),
        ({"release": "2027-01-01"}, "RELEASE"),
        ({"generic": {"OBJECT": "x", "OBJCET": "x"}}, "OBJCET"),
        ({"qa_state": "Pass", "generic": {"NEW": 1}}, "RAWGEMQA, RAWPIREQ, NEW"),
    ],
    ids=repr,
)
def test_reject_new_covers_every_card_of_an_item(
    server: Running, a_file: Maker, values: dict[str, Any], missing: str
) -> None:
    name = a_file(RAWGEMQA=None, RAWPIREQ=None, RELEASE=None)
    reply = server.post([{"filename": name, "values": values, "reject_new": True}])
    expected = f"Some of the keywords don't exist in the file: {missing}"
    assert reply.json() == [{"result": False, "error": expected, "id": name}]
    (item,) = server.status(reply)["items"]
    assert (item["state"], item["accepted"], item["error"]) == ("failed", False, expected)
    assert headers(server, name)[0]["OBJECT"] == "M 1"
    for loose in (False, None):
        reply = server.post([{"filename": name, "values": {"generic": {"N": 1}}, "reject_new": loose}])
        assert reply.json()[0]["result"] is True


@pytest.mark.parametrize("keyword", ["COMMENT", "HISTORY", "comment"])
def test_commentary_is_appended_but_not_under_reject_new(
    server: Running, a_file: Maker, keyword: str
) -> None:
    name = a_file()
    for _ in range(2):
        assert server.edit(name, {"generic": {keyword: "seen"}})["changed"] is True
    assert str(headers(server, name)[0][keyword.upper()]).split("\n") == ["seen", "seen"]
    answer = server.post(
        [{"filename": name, "values": {"generic": {keyword: "x"}}, "reject_new": True}]
    ).json()
    assert answer[0]["error"] == f"Some of the keywords don't exist in the file: {keyword.upper()}"


def test_reject_new_counts_what_unfinished_orders_create(server: Running, a_file: Maker) -> None:
    name = a_file()

    def strict(keyword: str, **options: Any) -> httpx.Response:
        item = {"filename": name, "values": {"generic": {keyword: 1}}, "reject_new": True, **options}
        return server.post([item])

    with server.held(name):
        assert strict("FIRST").json()[0]["result"] is False
        server.post([{"filename": name, "values": {"generic": {"FIRST": 0}}}])
        server.post([{"filename": name, "values": {"generic": {"SECOND": 0}}, "extension": 1}])
        first, second = strict("FIRST"), strict("SECOND", extension=["SCI", 1])
        assert first.json()[0]["result"] is second.json()[0]["result"] is True
        assert strict("SECOND").json()[0]["result"] is False
        both = server.post(
            [
                {"filename": name, "values": {"generic": {"THIRD": 0}}},
                {"filename": name, "values": {"generic": {"THIRD": 1}}, "reject_new": True},
                {"filename": name, "values": {"generic": {"FOURTH": 1}}, "reject_new": True},
            ]
        )
        assert [one["result"] for one in both.json()] == [True, True, False]
    for reply in (first, second, both):
        assert server.status(reply)["items"][0]["state"] == "completed"
    primary, science = headers(server, name)
    assert (primary["FIRST"], science["SECOND"], primary["THIRD"]) == (1, 1, 1)
    assert "FOURTH" not in primary


def test_an_extension_is_named_by_index_name_or_name_and_version(server: Running, a_file: Maker) -> None:
    name = a_file(extensions=2)
    for extension, keyword in ((2, "A"), (["SCI", 1], "B"), (["sci", 2], "C"), (0, "D"), (None, "E")):
        item = server.edit(name, {"generic": {keyword: 1}, "qa_state": "Fail"}, extension=extension)
        assert item["state"] == "completed", item
    primary, first, second = headers(server, name)
    assert [[k for k in "ABCDE" if k in hdu] for hdu in (primary, first, second)] == [
        ["D", "E"], ["B"], ["A", "C"],
    ]  # fmt: skip
    assert (primary["RAWGEMQA"], "RAWGEMQA" in first) == ("BAD", False)


@pytest.mark.parametrize("extension", [7, 2**70, "SCI", "NOPE", ["SCI", 9], ["SCI", 2**70]])
@pytest.mark.parametrize("strict", [True, False])
def test_a_missing_or_ambiguous_extension_fails_the_order(
    server: Running, a_file: Maker, extension: Any, strict: bool
) -> None:
    name = a_file(extensions=2)
    item = server.edit(name, {"qa_state": "Fail", "generic": {"A": 1}}, extension=extension)
    assert (item["state"], item["accepted"], item["changed"]) == ("failed", True, None)
    assert "extension" in item["error"]
    assert item["attempts"] == 1
    assert headers(server, name)[0]["RAWGEMQA"] == "USABLE"


def test_digests_guard_an_item(server: Running, a_file: Maker) -> None:
    name = a_file()
    known = server.edit(name, {})["data_md5_after"]
    wrong = server.edit(name, {"qa_state": "Fail"}, if_data_md5="0" * 32)
    assert (wrong["state"], wrong["changed"]) == ("failed", None)
    assert "if_data_md5" in wrong["error"]
    wrong = server.edit(name, {"qa_state": "Fail"}, if_data_md5=known, expect_data_md5="0" * 32)
    assert "expect_data_md5" in wrong["error"]
    assert headers(server, name)[0]["RAWGEMQA"] == "USABLE"
    right = server.edit(name, {"qa_state": "Fail"}, if_data_md5=known)
    assert (right["data_md5_before"], right["changed"]) == (known, True)
    same = server.edit(name, {"qa_state": "Fail"}, expect_data_md5=right["data_md5_after"])
    assert (same["state"], same["changed"]) == ("completed", False)
