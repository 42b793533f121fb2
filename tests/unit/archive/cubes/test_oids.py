"""By which oid a product of the Swedish 1-m Solar Telescope is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from armillary.archive.cubes.oids import oid_in, oid_of, sparse
from armillary.archive.errors import OidUnknown
from armillary.demo.solar import AXES
from armillary.fits.models import Value
from tests.support.solar import Opened, a_solar, changed

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


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([1, 2, 3, 7, 8, 12], "1-3,7-8,12"),
        ([0], "0"),
        ([0, 1], "0-1"),
        ([5, 4, 3], "5,4,3"),
        ([2, 4, 5, 6, 4], "2,4-6,4"),
        ([], ""),
    ],
)
def test_consecutive_numbers_are_a_run(numbers: list[int], text: str) -> None:
    assert sparse(numbers) == text


def oid(one: Opened) -> str:
    return oid_in(one.read, one.layout, one.values.headers)


def test_the_data_of_the_extension_tell_the_scans(tmp_path: Path) -> None:
    one = a_solar(tmp_path, scans=(1, 2, 3, 7, 8, 12), named_scans=False, stokes=4)
    assert oid(one) == "2026-06-21T08:10:00_6302_1-3,7-8,12"
    assert one.asked == [(one.layout.hdus[4].data_offset, 24)]
    with one.astropy() as file:
        assert file[4].name == "VAR-EXT-SCANNUM"


def test_only_the_first_number_along_other_axes_counts(tmp_path: Path) -> None:
    def edit(file) -> None:
        numbers = np.array([[[4, 90], [91, 92]], [[5, 93], [94, 95]], [[9, 96], [97, 98]]], "i4")
        column = fits.Column("SCANNUM", "12J", dim="(2,2,3)", array=numbers[None])
        file[4] = fits.BinTableHDU.from_columns([column], name="VAR-EXT-SCANNUM")

    assert oid(changed(tmp_path, edit, named_scans=False)) == "2026-06-21T08:10:00_6302_4-5,9"


@pytest.mark.parametrize("numbers", [[1.5, 2.0], [np.nan, 2.0]])
def test_scans_that_are_no_whole_numbers_are_refused(numbers: list[float], tmp_path: Path) -> None:
    def edit(file) -> None:
        column = fits.Column("SCANNUM", "2D", array=np.array([numbers]))
        file[4] = fits.BinTableHDU.from_columns([column], name="VAR-EXT-SCANNUM")

    with pytest.raises(OidUnknown, match="something else than whole numbers"):
        oid(changed(tmp_path, edit, named_scans=False))


def test_scans_that_are_texts_are_refused(tmp_path: Path) -> None:
    def edit(file) -> None:
        column = fits.Column("SCANNUM", "3A", array=np.array(["1-2"]))
        file[4] = fits.BinTableHDU.from_columns([column], name="VAR-EXT-SCANNUM")

    with pytest.raises(OidUnknown, match="something else than whole numbers"):
        oid(changed(tmp_path, edit, named_scans=False))


def test_a_broken_table_of_scans_is_told(tmp_path: Path) -> None:
    def edit(file) -> None:
        file[4].header["TDIM1"] = "(1,9)"

    with pytest.raises(OidUnknown, match=r"The scans are unknown: VAR-EXT-SCANNUM \(HDU 4\): TDIM1"):
        oid(changed(tmp_path, edit, named_scans=False))


@pytest.mark.parametrize("axes", [AXES[:2], AXES[:3], AXES[:4]])
def test_cubes_with_fewer_axes_have_oids(axes: tuple[str, ...], tmp_path: Path) -> None:
    what = {"axes": axes, "scans": (7,), "named_scans": False}
    one = a_solar(tmp_path, wavelengths=1 if len(axes) < 3 else 3, **what)
    assert oid(one) == "2026-06-21T08:10:00_6302_7"


def test_without_the_extension_the_keyword_tells_the_scan(tmp_path: Path) -> None:
    what = {"scans": (7,), "named_scans": False, "without": frozenset({"VAR-EXT-SCANNUM"})}
    assert oid(a_solar(tmp_path, **what)) == "2026-06-21T08:10:00_6302_7"


def test_an_empty_list_in_the_name_tells_nothing() -> None:
    assert oid_of({**KNOWN, "FILENAME": "a_scans=_b.fits", "SCANNUM": 7}) == "2026-01-01T10:00:00.5_3950_7"
