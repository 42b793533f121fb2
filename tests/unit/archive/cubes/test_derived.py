"""What is derived of cubes, which HDUs it comes from, and what becomes of strange files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from armillary.archive.cubes.derived.derivation import DerivedKind, derive, uses
from armillary.demo.solar import AXES, EXTENSIONS
from armillary.fits.header import read_values
from tests.support.solar import Opened, a_solar, epoch_ms, opened

SCANS = (1, 2, 3, 7, 8, 12)
KINDS = list(DerivedKind)


def test_of_the_image_nothing_is_read(tmp_path: Path) -> None:
    one = a_solar(tmp_path, scans=SCANS, stokes=4)
    hdus = {kind: derived.hdus for kind, derived in one.derived().items()}
    assert hdus == uses(one.layout, one.values)
    names = {kind: [one.layout.hdus[index].name for index in indices] for kind, indices in hdus.items()}
    variable = [f"VAR-EXT-{name}" for name in ("ATMOS_R0", "DATE-BEG", "DATE-END", "SCANNUM")]
    assert names[DerivedKind.R0] == ["", *variable]
    assert (
        names[DerivedKind.SPECTRAL_LINE]
        == names[DerivedKind.SPECTRAL_LINE_SVG]
        == ["", "VAR-EXT-DATAMEDN", "WCS-TAB"]
    )
    assert names[DerivedKind.WCS] == ["", "WCS-TAB"]
    assert one.asked
    assert min(offset for offset, _ in one.asked) > one.layout.hdus[0].end
    assert all(not derived.warnings for derived in one.derived().values())


@pytest.mark.parametrize(
    ("axes", "what"),
    [
        (AXES[:2], {"scans": (7,), "wavelengths": 1}),
        (AXES[:3], {"scans": (7,)}),
        (AXES[:4], {"scans": (7,), "stokes": 4}),
        ((*AXES[:3], "TIME"), {"scans": (7, 8)}),
        (AXES, {"scans": (7, 8), "stokes": 4}),
    ],
)
def test_cubes_with_fewer_axes_have_everything_too(axes: Any, what: Any, tmp_path: Path) -> None:
    one = a_solar(tmp_path, axes=axes, **what)
    found = one.derived()
    assert {kind for kind, derived in found.items() if derived.warnings} == (
        {DerivedKind.SPECTRAL_LINE} if "WAVE" not in axes else set()
    )
    seeing = one.json(DerivedKind.R0)["data"]
    assert seeing["scannum"] == list(what["scans"])
    assert seeing["date_beg"][0] == epoch_ms("2026-06-21T08:10:00")
    assert len(seeing["date_beg"]) == len(seeing["date_end"]) == len(what["scans"])
    assert seeing["date_end"][0] > seeing["date_beg"][0] + 26000
    assert len(one.json(DerivedKind.WCS)["data"]["polygon"]) == 4
    if "WAVE" in axes:
        line = one.json(DerivedKind.SPECTRAL_LINE)["data"]
        assert line["wavelengths"] == pytest.approx([630.193, 630.2, 630.207])
        assert line["amplitude_values"][1] < line["amplitude_values"][0] / 2


MISSING: dict[str, set[DerivedKind]] = {
    "WCS-TAB": {DerivedKind.SPECTRAL_LINE, DerivedKind.SPECTRAL_LINE_SVG},
    "VAR-EXT-ATMOS_R0": {DerivedKind.R0},
    "VAR-EXT-DATAMEDN": {DerivedKind.SPECTRAL_LINE, DerivedKind.SPECTRAL_LINE_SVG},
}


@pytest.mark.parametrize("name", [*EXTENSIONS, "TIME-ATMOS_R0", "DATEREF"])
def test_an_extension_that_is_missing_takes_away_only_what_needs_it(name: str, tmp_path: Path) -> None:
    one, whole = a_solar(tmp_path / "a", without=frozenset({name})), a_solar(tmp_path / "b")
    found = one.derived()
    assert set(found) == set(KINDS) - MISSING.get(name, set())
    if (seeing := found.get(DerivedKind.R0)) is None:
        return
    value, before = json.loads(seeing.content or b"null"), whole.json(DerivedKind.R0)
    match name:
        case "TIME-ATMOS_R0" | "DATEREF":
            assert seeing.content is None
        case "VAR-EXT-DATE-BEG" | "VAR-EXT-DATE-END":
            assert value["data"] == before["data"] | {"date_beg": [], "date_end": []}
        case "VAR-EXT-SCANNUM":
            assert value["data"] == before["data"] | {"scannum": []}
        case _:
            assert value == before
            return
    assert [name in warning for warning in seeing.warnings] == [True]


def mangled(one: Opened, dice: np.random.Generator) -> bytes:
    """Return a file with some cards of extensions, or of the primary header, and bytes of cells changed."""
    content = bytearray(one.content)
    keywords = ("TFORM", "TDIM", "TTYPE", "NAXIS", "CUNIT", "CTYPE", "DATE", "CRVAL", "TIMESYS", "TUNIT")
    values = (
        "0",
        "1",
        "-1",
        "7" * 25,
        "''",
        "'(0)'",
        "'(2,2)'",
        "'D'",
        "'99A'",
        "'3J'",
        "T",
        "1E999",
        "'A+B'",
    )
    cards = [
        at
        for hdu in one.layout.hdus
        for at in range(hdu.header_offset, hdu.data_offset, 80)
        if content[at : at + 8].decode().startswith(keywords)
        # What the places of HDUs follow from stays.
        and not (content[at : at + 5] == b"NAXIS" and hdu.index == 0)
    ]
    for at in dice.choice(cards, 3):
        content[at + 10 : at + 80] = str(dice.choice(values)).ljust(70).encode()
    cells = list(one.layout.hdus[1:])
    for hdu in dice.choice(np.array(cells, object), 2):
        at = hdu.data_offset + int(dice.integers(0, 200))
        content[at : at + 8] = dice.bytes(8)
    return bytes(content)


def test_strange_files_give_warnings_and_no_failure(tmp_path: Path) -> None:
    one, dice = a_solar(tmp_path, scans=SCANS, stokes=4), np.random.default_rng(5)
    told = 0
    for _ in range(150):
        content = mangled(one, dice)
        other = opened(one.content)
        headers = tuple(content[hdu.header_offset : hdu.data_offset] for hdu in one.layout.hdus)
        other.values = type(one.values)(tuple(map(read_values, headers)), raw=headers)
        for derived in derive(lambda at, size, c=content: c[at : at + size], other.layout, other.values):
            told += bool(derived.warnings)
            if derived.content is not None and derived.media_type == "application/json":
                json.loads(derived.content)
    assert told > 50
