"""By which oid a product of the Swedish 1-m Solar Telescope is known."""

from __future__ import annotations

import pytest

from armillary.archive.errors import OidUnknown
from armillary.archive.intake.service import oid_of
from armillary.fits.models import Value

KNOWN: dict[str, Value] = {
    "INSTRUME": "CHROMIS",
    "DATE-BEG": " 2026-01-01T10:00:00.5 ",
    "FILTER1": "3950",
    "FILENAME": "nb_3950_2026-01-01T10:00:00_scans=0-9,12_corrected_im.fits",
}


@pytest.mark.parametrize(
    ("name", "scans"),
    [
        ("nb_scans=0-9,12_corrected.fits", "0-9,12"),
        ("nb_scans=1_x_scans=3-4_y.fits", "3-4"),
        ("nb_scans=5.fits", "5"),
        ("nb_scans= 5 _x", " 5 "),
    ],
)
def test_the_scans_come_from_the_keyword_of_the_name(name: str, scans: str) -> None:
    assert oid_of({**KNOWN, "FILENAME": name}) == f"2026-01-01T10:00:00.5_3950_{scans}"


def test_the_number_of_a_scan_stands_in_where_the_name_tells_none() -> None:
    assert oid_of({**KNOWN, "FILENAME": "a.fits", "SCANNUM": 7}) == "2026-01-01T10:00:00.5_3950_7"


@pytest.mark.parametrize("keyword", ["INSTRUME", "DATE-BEG", "FILTER1", "FILENAME"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_keyword_that_is_needed_is_named(keyword: str, value: Value) -> None:
    with pytest.raises(OidUnknown, match=f"has no {keyword};"):
        oid_of({**KNOWN, keyword: value})


def test_scans_that_only_data_tell_are_not_guessed() -> None:
    plain = {**KNOWN, "FILENAME": "a.fits", "SCANNUM": 7}
    with pytest.raises(OidUnknown, match="VAR-EXT-SCANNUM"):
        oid_of(plain, ["var-ext-scannum "])
    with pytest.raises(OidUnknown, match="SCANNUM tells the scans"):
        oid_of({**KNOWN, "FILENAME": "a.fits"})
