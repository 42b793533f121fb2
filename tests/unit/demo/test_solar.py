"""Synthetic cubes of the Sun are FITS files as an independent reader understands them."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from armillary.demo.solar import AXES, EXTENSIONS, SolarCube, write_cube

SMALL = SolarCube(stokes=4, scans=(1, 2, 3, 7, 8, 12), wavelengths=3, width=16, height=12)


def test_a_whole_cube_is_read_by_astropy_with_right_checksums(tmp_path: Path) -> None:
    path = write_cube(tmp_path, SMALL)
    assert path.name == "nb_6302_2026-06-21T08:10:00_scans=1-12_corrected_im.fits"
    with fits.open(path, checksum=True) as file:
        assert [hdu.name for hdu in file] == ["PRIMARY", *EXTENSIONS]
        assert file[0].data.shape == (6, 4, 3, 12, 16)
        header = file[0].header
        assert [header[f"CTYPE{axis}"] for axis in range(1, 6)] == [
            "HPLN-TAB",
            "HPLT-TAB",
            "WAVE-TAB",
            "STOKES",
            "UTC--TAB",
        ]
        assert (header["DATE-END"], header["POINT_ID"]) == ("2026-06-21T08:13:00", "2026-06-21T08:10:00")
        assert file["WCS-TAB"].data["HPLN+HPLT+WAVE+TIME"][0].shape == (6, 3, 2, 2, 4)
        assert list(file["VAR-EXT-SCANNUM"].data["SCANNUM"][0].flat) == [1, 2, 3, 7, 8, 12]
        assert file["VAR-EXT-DATE-BEG"].data["DATE-BEG"][0][1, 0, 2, 0, 0] == "2026-06-21T08:10:50.000"
        medians = file["VAR-EXT-DATAMEDN"].data["DATAMEDN"][0][..., 0, 0]
        assert medians == pytest.approx(np.median(file[0].data, axis=(3, 4)), rel=1e-3)


@pytest.mark.parametrize("axes", [AXES[:2], AXES[:3], AXES[:4], AXES, (*AXES[:3], "TIME")])
@pytest.mark.parametrize("bitpix", [-32, 16])
def test_cubes_have_the_axes_and_the_type_that_were_asked_for(axes, bitpix: int, tmp_path: Path) -> None:
    cube = SolarCube(
        axes=axes,
        bitpix=bitpix,
        scans=(4, 5) if "TIME" in axes else (4,),
        stokes=2 if "STOKES" in axes else 1,
        wavelengths=3 if "WAVE" in axes else 1,
        border=2,
    )
    with fits.open(write_cube(tmp_path, cube), checksum=True) as file:
        assert file[0].header["NAXIS"] == len(axes)
        assert file[0].header["BITPIX"] == bitpix
        assert file[0].data.shape == cube.shape[::-1]
        assert np.isnan(file[0].data[..., 0, 0]).all()
        assert 1e-9 < np.nanmean(file[0].data[..., :, :].reshape(-1, *file[0].data.shape[-2:])[0]) < 1e-7


@pytest.mark.parametrize("name", [*EXTENSIONS, "TIME-ATMOS_R0", "RELEASE", "FILTER1", "DW3"])
def test_whatever_is_named_can_be_left_out(name: str, tmp_path: Path) -> None:
    cube = SolarCube(without=frozenset({name}), cards={"OBJECT": "Plage", "NEW": 1.5})
    with fits.open(write_cube(tmp_path, cube, name="a.fits"), checksum=True) as file:
        columns = file["VAR-EXT-ATMOS_R0"].columns.names if name != "VAR-EXT-ATMOS_R0" else []
        assert name not in {hdu.name for hdu in file} | set(file[0].header) | set(columns)
        assert (file[0].header["OBJECT"], file[0].header["NEW"]) == ("Plage", 1.5)


def test_the_spot_is_where_it_was_asked_for_and_moves(tmp_path: Path) -> None:
    cube = SolarCube(feature=(0.25, 0.75), drift=(0.5, 0.0), width=64, height=64, wavelengths=1)
    with fits.open(write_cube(tmp_path, cube)) as file:
        dark = [np.unravel_index(plane.argmin(), plane.shape) for plane in file[0].data[:, 0, 0]]
    assert [(abs(y - 48) < 5, abs(x - at) < 5) for (y, x), at in zip(dark, (16, 48), strict=True)] == [
        (True, True),
        (True, True),
    ]


def test_equal_descriptions_give_equal_bytes(tmp_path: Path) -> None:
    one, same, other = (
        hashlib.sha256(write_cube(tmp_path / str(number), cube).read_bytes()).hexdigest()
        for number, cube in enumerate([SMALL, SMALL, SolarCube(seed=2)])
    )
    assert one == same != other


def test_the_memory_is_that_of_a_plane(tmp_path: Path) -> None:
    cube = SolarCube(stokes=4, scans=tuple(range(20)), width=200, height=100)
    tracemalloc.start()
    path = write_cube(tmp_path, cube)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < path.stat().st_size / 10


@pytest.mark.parametrize(
    "odd",
    [{"axes": AXES[:3]}, {"axes": ("HPLT", "HPLN")}, {"bitpix": 8}, {"axes": (*AXES[:2], "TIME", "WAVE")}],
)
def test_what_no_cube_can_be_is_refused(odd) -> None:
    with pytest.raises(ValueError, match=r"axis|axes|BITPIX"):
        SolarCube(**odd)
