"""The words of fixHead: files by number, name and id; settings in three forms; values completed and refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from armillary.commands.fixing import BadFix, Fix, read_fix, request_of
from armillary.commands.words import parse_setting
from armillary.edits.errors import ItemRefused
from armillary.errors import ArmillaryError

TODAY = date(2026, 1, 2)


def fix(text: str, **options: Any) -> Fix:
    return read_fix(text.split(), today=TODAY, typed=parse_setting, **options)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("20221215 1-3,8", [f"N20221215S000{n}.fits" for n in (1, 2, 3, 8)]),
        ("20221215 15", ["N20221215S0015.fits"]),
        ("7", ["N20260102S0007.fits"]),
        ("3,1-4", [f"N20260102S000{n}.fits" for n in (3, 1, 2, 4)]),
        ("S20221215S0002.fits", ["S20221215S0002.fits"]),
        ("N20221215S0002", ["N20221215S0002.fits"]),
        ("N20221215S0002.fits.bz2,S20221215S0003", ["N20221215S0002.fits", "S20221215S0003.fits"]),
        ("odd-name_e91.fits", ["odd-name_e91.fits"]),
    ],
)
def test_files_are_named_by_numbers_and_names(words: str, names: list[str]) -> None:
    assert list(fix(words).names) == names


def test_numbers_may_mean_the_south() -> None:
    assert fix("20221215 1", south=True).names == ("S20221215S0001.fits",)


@pytest.mark.parametrize(
    ("words", "selection"),
    [
        ("obsid GS-2023A-Q-136-121", "obsid=GS-2023A-Q-136-121"),
        ("GS-2023A-Q-136-121", "obsid=GS-2023A-Q-136-121"),
        ("GS-2023A-Q-136-121-001", "datalabel=GS-2023A-Q-136-121-001"),
        ("G-2026B-0123-Q-0001", "obsid=G-2026B-0123-Q-0001"),
        ("datalabel odd", "datalabel=odd"),
    ],
)
def test_ids_are_looked_up(words: str, selection: str) -> None:
    found = fix(f"{words} qa:pass")
    assert (found.names, found.selection) == ((), ("present", selection))


def test_settings_become_the_values_that_fixhead_sends() -> None:
    found = fix("1 qa:Pass cond:iqany,wv80,cc50 release:2023-01-01 ssa:Smith OBSERVER Jones GAIN=1.5")
    assert found.values == {
        "qa_state": "pass",
        "raw_site": ["iqany", "wv80", "cc50"],
        "release": "2023-01-01",
        "generic": [["SSA", "Smith"], ["OBSERVER", "Jones"], ["GAIN", 1.5]],
    }
    assert fix("1 cond:iq70").values == {"raw_site": "iq70"}
    assert fix("1 EXPTIME:5 N=5 UT:01:02:03").values["generic"] == [
        ["EXPTIME", "5"],
        ["N", 5],
        ["UT", "01:02:03"],
    ]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("EXPTIME:'33'", "'33'"),
        ('EXPTIME:"33"', "'33'"),
        ("EXPTIME='33'", "'33'"),
        ("SHUT:'T'", "'T'"),
        ("SHUT:T", "T"),
        ("OBJECT:'NGC'", "NGC"),
        ("OBJECT:''", ""),
        ("OBJECT:'NGC", "'NGC"),
    ],
)
def test_quotes_are_of_the_grammar_and_stay_only_around_what_would_not_be_text(
    setting: str, value: str
) -> None:
    assert fix(f"1 {setting}").values["generic"][0][1] == value


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("RAWIQ:70", "70-percentile"),
        ("RAWIQ:'70'", "70-percentile"),
        ("RAWWV:80-per", "80-percentile"),
        ("rawcc:any", "Any"),
        ("RAWBG:unk", "UNKNOWN"),
        ("RAWIQ=85", "85-percentile"),
        ("RAWGEMQA:bad", "BAD"),
        ("RAWPIREQ yes", "YES"),
    ],
)
def test_values_of_quality_are_completed(setting: str, value: str) -> None:
    assert fix(f"1 {setting}").values["generic"][0][1] == value


@pytest.mark.parametrize("setting", ["RAWIQ:75", "RAWCC:20", "RAWIQ:700", "RAWGEMQA:good", "RAWPIREQ:maybe"])
def test_impossible_values_are_refused_with_the_possible_ones(setting: str) -> None:
    with pytest.raises(ItemRefused, match="it can be"):
        fix(f"1 {setting}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "Say which files"),
        ("obsid", "needs an id"),
        ("20221215 9-3", "ends before it begins"),
        ("20221315 1 qa:pass", "is no number"),
        ("nonsense qa:pass", "'nonsense' is no number"),
        ("GN-2022A-Q-1 qa:pass", "is no number"),
        ("1 qa:", "qa has no value"),
        ("1 OBSERVER", "'OBSERVER' is no setting"),
        ("1 A,B", "'A,B' is no setting"),
    ],
)
def test_other_words_are_refused(words: str, message: str) -> None:
    with pytest.raises(ArmillaryError, match=message) as caught:
        fix(words)
    assert isinstance(caught.value, BadFix)


def test_the_request_has_the_keys_of_fixhead_in_their_order() -> None:
    request = request_of(["a.fits"], {"qa_state": "pass"}, reject_new=True)
    assert list(request) == ["request", "batch"]
    assert request == {
        "request": [{"filename": "a.fits", "values": {"qa_state": "pass"}, "reject_new": True}],
        "batch": False,
    }
    assert list(request["request"][0]) == ["filename", "values", "reject_new"]
    assert request_of(["a"], {}, reject_new=False, extension=1)["request"][0]["extension"] == 1
