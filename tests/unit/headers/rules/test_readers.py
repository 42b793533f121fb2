"""A header is the same sheet in whatever form it comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from armillary.commands.check import headers_below, read_sheets
from armillary.headers.rules.service import Sheet, Unreadable, check, sheets_of
from tests.support.consistent import fits_of, values_of

VALUES = values_of()


def text_of(values: dict[str, Any]) -> str:
    body = fits_of(values).decode("ascii")
    return "\n".join(body[at : at + 80].rstrip() for at in range(0, len(body), 80))


def in_all_forms(values: dict[str, Any]) -> dict[str, bytes]:
    plain = {key: value for key, value in values.items() if value is not None}
    cards = [{"key": key, "value": value, "comment": ""} for key, value in plain.items()]
    listed = [{"keyword": key, "value": value, "comment": ""} for key, value in plain.items()]
    played = {"__CONTENT__": "metadata", "__COMMON__": plain, "a_R22_S11.fits": {}}
    return {
        "a.fits": fits_of(plain),
        "a.header": text_of(plain).encode(),
        "b.header": ("Filename: x\n\n--- PHU ---\n" + text_of(plain)).encode(),
        "flat.json": json.dumps(plain).encode(),
        "played.json": json.dumps(played).encode(),
        "side-car.json": json.dumps({"cards": [{"hdu": "PRIMARY", **card} for card in cards]}).encode(),
        "headers.json": json.dumps({"hdus": [{"name": "", "cards": listed}]}).encode(),
        "hdus.yaml": yaml.safe_dump({"hdus": [{"name": "PRIMARY", "cards": cards}]}).encode(),
        "named.yaml": yaml.safe_dump({"PRIMARY": listed}).encode(),
        "flat.yaml": yaml.safe_dump(plain).encode(),
    }


@pytest.mark.parametrize("form", in_all_forms(VALUES))
def test_every_form_gives_the_same_values(form: str) -> None:
    (sheet,) = sheets_of(in_all_forms(VALUES)[form], form)
    assert {key: sheet.value(key) for key in VALUES} == VALUES
    assert [one.rule for one in check(sheet)] == []
    (spoilt,) = sheets_of(in_all_forms(VALUES | {"AMSTART": 0.5})[form], form)
    assert [one.rule for one in check(spoilt)] == ["airmass-range"]


def test_a_list_holds_several_headers_with_their_names() -> None:
    found = sheets_of(json.dumps([{"file": "a", "header": VALUES}, VALUES]).encode(), "body")
    assert [one.file for one in found] == ["a", "body[1]"]
    assert all(one.value("OBSID") == VALUES["OBSID"] for one in found)


def test_dates_of_yaml_and_literals_of_json_stay_what_they_are() -> None:
    (sheet,) = sheets_of(b"DATE-OBS: 2026-03-02T04:10:05\nRA: 10:20:30\nEXPTIME: 30.0\n", "a.yaml")
    assert (sheet.value("DATE-OBS"), sheet.value("RA")) == ("2026-03-02T04:10:05", "10:20:30")
    (other,) = sheets_of(b'{"AIRTEMP": NaN, "OBSID": "x"}', "a.json")
    assert [one.rule for one in check(other)] == ["placeholder-nan"]


def test_what_players_put_before_dates_makes_no_difference() -> None:
    (sheet,) = sheets_of(
        b'{"__COMMON__": {"HIERARCH SIMULATED DATE-OBS": "2024-04-02T23:30:16.826"}}', "a.json"
    )
    assert sheet.value("DATE-OBS") == "2024-04-02T23:30:16.826"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\1\2\3" * 99,
        b"{",
        b"[1, 2]",
        b"[]",
        b"just text",
        b"a: [",
        b"{}",
        b"[" * 100_000,
        b"!!python/x y",
    ],
)
def test_what_holds_no_header_is_refused(content: bytes) -> None:
    if content == b"[]":
        assert sheets_of(content, "a") == []
        return
    with pytest.raises(Unreadable):
        sheets_of(content, "a")


def test_the_bytes_of_cards_are_judged() -> None:
    bad = b"AIRMASS = NaN".ljust(80)
    (sheet,) = sheets_of(
        fits_of({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0}, bad, b"OBJECT  = 'M\xe9'".ljust(80)), "a.fits"
    )
    found = check(sheet)
    assert [(one.rule, one.keyword) for one in found] == [("fits-card", "AIRMASS"), ("fits-card", "OBJECT")]


def test_a_blank_date_is_no_fault() -> None:
    (sheet,) = sheets_of(fits_of({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "DATE-BEG": None}), "a.fits")
    assert check(sheet) == []


def test_a_cut_file_tells_its_first_header_and_what_is_wrong(tmp_path: Path) -> None:
    whole = fits_of({"SIMPLE": True, "BITPIX": 16, "NAXIS": 1, "NAXIS1": 5000, "AMSTART": 0.2})
    path = tmp_path / "cut.fits"
    path.write_bytes(whole + b"\0" * 100)
    (sheet,) = read_sheets(path, "cut.fits")
    assert [one.rule for one in check(sheet)] == ["airmass-range", "fits-readable"]


def test_of_directories_headers_are_taken_in_order(tmp_path: Path) -> None:
    for name in ("b.fits", "a.fits.bz2", "INDEX.md", "deep/c.json", "x.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [name for _, name in headers_below([tmp_path])] == ["a.fits.bz2", "b.fits", "deep/c.json"]
    (alone,) = read_sheets(tmp_path / "none.fits", "none.fits")
    assert isinstance(alone, Sheet)
    assert [one.rule for one in check(alone)] == ["fits-readable"]
