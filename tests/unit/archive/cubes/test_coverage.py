"""What part of the Sun a cube covers, compared with what astropy reads of the same files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from armillary.archive.cubes.derived.derivation import DerivedKind
from tests.support.solar import a_solar, changed, grid, table_of

SCANS = (1, 2, 3, 7, 8, 12)


def test_the_coverage_is_that_of_the_table(tmp_path: Path) -> None:
    one = a_solar(tmp_path, scans=SCANS)
    data = one.json(DerivedKind.WCS)["data"]
    with one.astropy() as file:
        table = file["WCS-TAB"].data[0][0]
    x, y = table[..., 0], table[..., 1]
    assert data["source"] == "WCS-TAB"
    assert data["box"] == [x.min(), y.min(), x.max(), y.max()]
    corners = [(0, 0), (0, 1), (1, 1), (1, 0)]
    assert data["polygon"] == [[x[0, 0, j, i], y[0, 0, j, i]] for j, i in corners]
    assert (data["wavelength_min"], data["wavelength_max"]) == (630.193, 630.207)
    assert (data["date_beg"], data["date_end"]) == ("2026-06-21T08:10:00Z", "2026-06-21T08:13:00Z")
    assert (data["frame"], data["unit"]) == ("helioprojective", "arcsec")


def test_without_the_table_the_centre_covers_a_point(tmp_path: Path) -> None:
    one = a_solar(tmp_path, without=frozenset({"WCS-TAB"}))
    data = one.json(DerivedKind.WCS)["data"]
    assert (data["source"], data["box"]) == ("WCS A", [-312.5, 140.25, -312.5, 140.25])
    assert data["polygon"] == [[-312.5, 140.25]]
    # WAVEMIN and WAVEMAX tell it then.
    assert (data["wavelength_min"], data["wavelength_max"]) == (630.193, 630.207)


@pytest.mark.parametrize("unit", ["arcsec", "deg"])
def test_without_both_the_pixels_tell(unit: str, tmp_path: Path) -> None:
    factor = {"arcsec": 1.0, "deg": 1 / 3600}[unit]
    cards = {"CUNIT1": unit, "CUNIT2": unit, "CDELT1": 0.06 * factor, "CDELT2": 0.06 * factor}
    cards |= {"CRVAL1": -312.5 * factor, "CRVAL2": 140.25 * factor, "PC1_2": 0.0}
    one = a_solar(tmp_path, wcs=frozenset({"linear"}), without=frozenset({"WCS-TAB"}), cards=cards)
    data = one.json(DerivedKind.WCS)["data"]
    assert data["source"] == "pixel WCS"
    # 16 by 12 pixels, between the middles of the outer ones.
    assert data["box"] == pytest.approx([-312.95, 139.92, -312.05, 140.58])
    assert data["polygon"][1] == pytest.approx([-312.05, 139.92])


def test_pixels_are_turned_by_the_matrix(tmp_path: Path) -> None:
    cards = {"CDELT1": 2.0, "CDELT2": 3.0, "PC1_1": 0.0, "PC1_2": -1.0, "PC2_1": 1.0, "PC2_2": 0.0}
    one = a_solar(tmp_path, wcs=frozenset({"linear"}), without=frozenset({"WCS-TAB"}), cards=cards)
    # 5.5 pixels of 2 to each side in x, which runs along the 12 rows; 7.5 of 3 in y.
    assert one.json(DerivedKind.WCS)["data"]["box"] == pytest.approx([-323.5, 117.75, -301.5, 162.75])


def test_positions_in_the_sky_are_not_taken_for_places_on_the_sun(tmp_path: Path) -> None:
    cards = {f"CTYPE{one}": kind for one, kind in (("1", "RA---TAN"), ("2", "DEC--TAN"), ("1A", "RA---TAN"))}
    wcs = frozenset({"linear", "alternate"})
    one = a_solar(tmp_path, wcs=wcs, cards=cards, without=frozenset({"WCS-TAB"}))
    derived = one.derived()[DerivedKind.WCS]
    assert derived.content is None
    assert derived.warnings == (
        "CTYPE1A and CTYPE2A are RA---TAN and HPLT-TAN, not helioprojective coordinates",
    )


def test_a_table_of_one_wavelength_may_lack_its_axis(tmp_path: Path) -> None:
    values = grid(2, 2, 2, 4)
    edit = table_of("HPLN+HPLT+WAVE+TIME", values, "(4,2,2,2)")
    one = changed(tmp_path, edit, scans=(7, 8), wavelengths=1)
    assert one.json(DerivedKind.SPECTRAL_LINE)["data"]["wavelengths"] == [2.0]
    assert one.derived()[DerivedKind.SPECTRAL_LINE].warnings == ()
    assert one.json(DerivedKind.WCS)["data"]["box"] == [0.0, 1.0, 28.0, 29.0]


@pytest.mark.parametrize(
    ("names", "dim", "reason"),
    [
        ("HPLN+HPLT+WAVE", "(4,2,2,3,2)", "has 4 coordinates, its column 'HPLN+HPLT+WAVE' names 3"),
        ("HPLN+HPLT+WAVE+TIME", "(4,24)", "has 1 axes for HPLN+HPLT+WAVE+TIME"),
        ("HPLN+HPLT+WAVE+TIME", "(4,2,2,3,1,1,2)", "has 6 axes"),
    ],
)
def test_a_table_of_other_axes_is_refused_and_the_centre_taken(
    names: str, dim: str, reason: str, tmp_path: Path
) -> None:
    lengths = [int(one) for one in dim.strip("()").split(",")]
    found = changed(tmp_path, table_of(names, grid(*reversed(lengths)), dim)).derived()
    assert reason in found[DerivedKind.SPECTRAL_LINE].warnings[0]
    assert reason in found[DerivedKind.WCS].warnings[0]
    assert json.loads(found[DerivedKind.WCS].content or b"")["data"]["source"] == "WCS A"


def test_undefined_corners_leave_the_centre(tmp_path: Path) -> None:
    values = grid(2, 3, 2, 2, 4)
    values[..., 0] = np.nan
    one = changed(tmp_path, table_of("HPLN+HPLT+WAVE+TIME", values, "(4,2,2,3,2)"))
    derived = one.derived()[DerivedKind.WCS]
    assert "does not define where the corners are" in derived.warnings[0]
    assert json.loads(derived.content or b"")["data"]["source"] == "WCS A"


def test_units_are_obeyed_and_unknown_ones_refused(tmp_path: Path) -> None:
    cards = {"CUNIT1": "deg", "CUNIT2": "deg", "CUNIT3": "Angstrom"}
    data = a_solar(tmp_path, cards=cards).json(DerivedKind.WCS)["data"]
    assert data["box"][1] == pytest.approx(139.931 * 3600)
    assert data["wavelength_min"] == pytest.approx(63.0193)
    found = a_solar(tmp_path, cards={"CUNIT1": "furlong", "CUNIT3": "furlong"}).derived()
    assert found[DerivedKind.SPECTRAL_LINE].content is None
    assert "CUNIT3 = 'furlong'" in found[DerivedKind.SPECTRAL_LINE].warnings[0]
    assert json.loads(found[DerivedKind.WCS].content or b"")["data"]["source"] == "WCS A"


def test_an_end_before_the_begin_is_unknown(tmp_path: Path) -> None:
    derived = a_solar(tmp_path, cards={"DATE-END": "2026-06-20"}).derived()[DerivedKind.WCS]
    data = json.loads(derived.content or b"")["data"]
    assert data["date_end"] == data["date_beg"] == "2026-06-21T08:10:00Z"
    assert "lies before" in derived.warnings[0]


def test_without_an_end_the_last_time_of_the_table_is_it(tmp_path: Path) -> None:
    data = a_solar(tmp_path, without=frozenset({"DATE-END"})).json(DerivedKind.WCS)["data"]
    assert datetime.fromisoformat(data["date_end"]) == datetime(2026, 6, 21, 8, 10, 54, 500000, tzinfo=UTC)
