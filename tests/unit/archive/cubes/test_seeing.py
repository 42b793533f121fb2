"""The series of Fried's parameter, compared with what astropy reads of the same files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from armillary.archive.cubes.derived.derivation import DerivedKind
from tests.support.solar import a_solar, changed, epoch_ms, opened

SCANS = (1, 2, 3, 7, 8, 12)


def test_the_series_of_seeing_is_that_of_the_extension(tmp_path: Path) -> None:
    one = a_solar(tmp_path, scans=SCANS, stokes=4)
    found = one.json(DerivedKind.R0)
    with one.astropy() as file:
        row = file["VAR-EXT-ATMOS_R0"].data[0]
        start = epoch_ms(file[0].header["DATEREF"])
        times = [start + round(float(second) * 1000) for second in row["TIME-ATMOS_R0"]]
        begins, ends = (file[f"VAR-EXT-DATE-{name}"].data[0][0] for name in ("BEG", "END"))
        expected = {
            "r0_low": [list(pair) for pair in zip(times, row["ATMOS_R0"][:, 0].tolist(), strict=True)],
            "r0_low_high": [list(pair) for pair in zip(times, row["ATMOS_R0"][:, 1].tolist(), strict=True)],
            "date_beg": [min(map(epoch_ms, scan.reshape(-1).tolist())) for scan in begins],
            "date_end": [max(map(epoch_ms, scan.reshape(-1).tolist())) for scan in ends],
            "scannum": list(SCANS),
        }
    assert found == {"version": 4, "data": expected}
    assert len(times) == 36
    assert expected["date_beg"][1] == 1782029430000


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/St_Johns"])
def test_milliseconds_do_not_depend_on_the_zone_of_the_server(
    zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = a_solar(tmp_path)
    before = one.json(DerivedKind.R0)
    assert before["data"]["r0_low"][0][0] == epoch_ms("2026-06-21T08:10:00")
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert time.localtime(0).tm_gmtoff != 0
        assert one.json(DerivedKind.R0) == before
    finally:
        monkeypatch.undo()
        time.tzset()


def test_times_of_another_scale_become_utc(tmp_path: Path) -> None:
    data = a_solar(tmp_path, cards={"TIMESYS": "TAI"}).json(DerivedKind.R0)["data"]
    # TAI is 37 s ahead since 2017.
    assert data["r0_low"][0][0] == epoch_ms("2026-06-21T08:10:00") - 37000
    assert data["date_beg"][0] == epoch_ms("2026-06-21T08:10:00") - 37000


def test_a_scale_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    found = a_solar(tmp_path, cards={"TIMESYS": "LOCAL"}).derived()
    assert found[DerivedKind.R0].content is None
    assert "unknown time scale 'LOCAL'" in found[DerivedKind.R0].warnings[0]
    coverage = json.loads(found[DerivedKind.WCS].content or b"")["data"]
    assert (coverage["date_beg"], coverage["source"]) == (None, "WCS-TAB")


def test_fractions_of_milliseconds_are_rounded(tmp_path: Path) -> None:
    def edit(file: Any) -> None:
        values = np.array([[[0.1, 0.2], [0.3, 0.4]]], "f4")
        columns = [
            fits.Column("ATMOS_R0", "4E", dim="(2,2)", array=values),
            fits.Column("TIME-ATMOS_R0", "2D", array=np.array([[29400.0004, 29400.0016]])),
        ]
        file[5] = fits.BinTableHDU.from_columns(columns, name="VAR-EXT-ATMOS_R0")

    low = changed(tmp_path, edit).json(DerivedKind.R0)["data"]["r0_low"]
    assert [moment for moment, _ in low] == [1782029400000, 1782029400002]


def seeing_table(cell: Any, times: Any, form: str, dim: str | None) -> Any:
    """Return a function that puts another table of seeing into a file."""

    def edit(file: Any) -> None:
        columns = [
            fits.Column("ATMOS_R0", form, dim=dim, array=np.asarray(cell, "f8")[None]),
            fits.Column("TIME-ATMOS_R0", f"{len(times)}D", array=np.asarray(times, "f8")[None]),
        ]
        file[5] = fits.BinTableHDU.from_columns(columns, name="VAR-EXT-ATMOS_R0")

    return edit


def test_undefined_values_are_null_and_undefined_times_left_out(tmp_path: Path) -> None:
    edit = seeing_table([[0.1, np.nan], [np.inf, 0.4], [0.5, 0.6]], [1.0, 2.0, np.nan], "6D", "(2,3)")
    found = changed(tmp_path, edit).derived()[DerivedKind.R0]
    data = json.loads(found.content or b"")["data"]
    assert [value for _, value in data["r0_low"]] == [0.1, None]
    assert [value for _, value in data["r0_low_high"]] == [None, 0.4]
    assert len(found.warnings) == 4


def test_the_other_order_of_axes_is_understood_by_the_number_of_times(tmp_path: Path) -> None:
    edit = seeing_table([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [1.0, 2.0, 3.0], "6D", "(3,2)")
    data = changed(tmp_path, edit).json(DerivedKind.R0)["data"]
    assert [value for _, value in data["r0_low_high"]] == [4.0, 5.0, 6.0]


def test_one_series_alone_is_that_of_the_low_layers(tmp_path: Path) -> None:
    edit = seeing_table([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], "3D", None)
    found = changed(tmp_path, edit).derived()[DerivedKind.R0]
    data = json.loads(found.content or b"")["data"]
    assert [value for _, value in data["r0_low"]] == [1.0, 2.0, 3.0]
    assert data["r0_low_high"] == []
    assert "not two" in found.warnings[0]


def test_axes_of_the_length_1_do_not_count(tmp_path: Path) -> None:
    edit = seeing_table([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [1.0, 2.0, 3.0], "6D", "(1,1,2,1,3)")
    found = changed(tmp_path, edit).derived()[DerivedKind.R0]
    data = json.loads(found.content or b"")["data"]
    assert [value for _, value in data["r0_low_high"]] == [2.0, 4.0, 6.0]
    assert found.warnings == ()


@pytest.mark.parametrize(("times", "low", "both"), [([1.0], [5.0], [6.0]), ([1.0, 2.0], [5.0, 6.0], [])])
def test_two_values_are_a_pair_or_a_series(
    times: list[float], low: list[float], both: list[float], tmp_path: Path
) -> None:
    data = changed(tmp_path, seeing_table([5.0, 6.0], times, "2D", None)).json(DerivedKind.R0)["data"]
    assert [value for _, value in data["r0_low"]] == low
    assert [value for _, value in data["r0_low_high"]] == both


def test_values_without_axes_are_not_guessed(tmp_path: Path) -> None:
    found = changed(tmp_path, seeing_table(range(6), [1.0, 2.0, 3.0], "6D", None)).derived()[DerivedKind.R0]
    assert found.content is None
    assert "TDIM1 must be (2,3)" in found.warnings[0]


@pytest.mark.parametrize(("values", "times"), [(2, 3), (3, 2)])
def test_the_shorter_of_values_and_times_counts(values: int, times: int, tmp_path: Path) -> None:
    cell = np.arange(2.0 * values).reshape(values, 2)
    edit = seeing_table(cell, np.arange(times), f"{2 * values}D", f"(2,{values})")
    found = changed(tmp_path, edit).derived()[DerivedKind.R0]
    assert len(json.loads(found.content or b"")["data"]["r0_low"]) == 2
    assert "the shorter list counts" in found.warnings[0]


def test_instants_that_cannot_be_read_are_told_once_and_left_out(tmp_path: Path) -> None:
    one = a_solar(tmp_path, scans=(1, 2))
    texts = one.layout.hdus[2].data_offset
    content = bytearray(one.content)
    # The first wavelength of the first scan, and all of the second one.
    content[texts : texts + 23] = b"soon".ljust(23, b"\0")
    for number in range(3, 6):
        content[texts + 23 * number :][:23] = b""
        content[texts + 23 * number : texts + 23 * number + 23] = b" " * 23
    found = opened(bytes(content)).derived()[DerivedKind.R0]
    begins = json.loads(found.content or b"")["data"]["date_beg"]
    assert begins == [epoch_ms("2026-06-21T08:10:10"), None]
    assert [("1 of 3" in one, "3 of 3" in one) for one in found.warnings] == [(True, False), (False, True)]
