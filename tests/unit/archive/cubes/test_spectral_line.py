"""The profile of the line, compared with what astropy reads of the same files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from astropy.io import fits

from armillary.archive.cubes.derived.derivation import DerivedKind
from tests.support.solar import a_solar, changed, grid, table_of

SCANS = (1, 2, 3, 7, 8, 12)


def test_the_profile_of_the_line_is_that_of_the_extensions(tmp_path: Path) -> None:
    one = a_solar(tmp_path, scans=SCANS, stokes=4, wavelengths=7)
    with one.astropy() as file:
        medians = file["VAR-EXT-DATAMEDN"].data[0][0]
        table = file["WCS-TAB"].data[0][0]
    found = one.json(DerivedKind.SPECTRAL_LINE)
    assert found["version"] == 3
    assert found["data"]["wavelengths"] == table[0, :, 0, 0, 2].tolist()
    assert found["data"]["amplitude_values"] == pytest.approx((medians[:, 0, :, 0, 0].mean(0) * 1e8).tolist())
    assert min(found["data"]["amplitude_values"]) == found["data"]["amplitude_values"][3]
    picture = ElementTree.fromstring(one.derived()[DerivedKind.SPECTRAL_LINE_SVG].content or b"")
    points = [
        tuple(map(float, point.split(","))) for line in picture for point in line.attrib["points"].split()
    ]
    # The deepest point of the line is the lowest one.
    assert [y for _, y in points].index(max(y for _, y in points)) == 3
    assert sorted(points) == points


def test_a_table_of_a_single_time_may_lack_its_axis(tmp_path: Path) -> None:
    values = grid(3, 2, 2, 4)
    for scans in ((7,), (7, 8)):
        edit = table_of("HPLN+HPLT+WAVE+TIME", values, "(4,2,2,3)")
        one = changed(tmp_path, edit, scans=scans)
        assert one.json(DerivedKind.SPECTRAL_LINE)["data"]["wavelengths"] == values[:, 0, 0, 2].tolist()


def test_a_table_without_wavelengths_tells_no_line_but_the_place(tmp_path: Path) -> None:
    edit = table_of("HPLN+HPLT+TIME", grid(2, 2, 2, 3), "(3,2,2,2)")
    found = changed(tmp_path, edit).derived()
    assert found[DerivedKind.SPECTRAL_LINE].content is None
    assert "has no coordinate WAVE" in found[DerivedKind.SPECTRAL_LINE].warnings[0]
    assert found[DerivedKind.SPECTRAL_LINE_SVG].content is None
    assert json.loads(found[DerivedKind.WCS].content or b"")["data"]["source"] == "WCS-TAB"


def test_undefined_medians_do_not_count(tmp_path: Path) -> None:
    def edit(file: Any) -> None:
        medians = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])[:, None, :, None, None] * 1e-8
        column = fits.Column("DATAMEDN", "6D", dim="(1,1,3,1,2)", array=medians[None])
        file[6] = fits.BinTableHDU.from_columns([column], name="VAR-EXT-DATAMEDN")

    found = changed(tmp_path, edit).derived()
    line = json.loads(found[DerivedKind.SPECTRAL_LINE].content or b"")["data"]
    assert line["amplitude_values"] == [pytest.approx(2.0), pytest.approx(5.0), None]
    assert "1 undefined values" in found[DerivedKind.SPECTRAL_LINE].warnings[0]
    assert b'points="' in (found[DerivedKind.SPECTRAL_LINE_SVG].content or b"")
