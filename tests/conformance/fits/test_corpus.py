"""Every FITS file at hand: the scan agrees with astropy, edits change nothing else, checkers are content."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path

import pytest
from astropy.io import fits

from armillary.errors import ArmillaryError
from armillary.fits.cards import body_of
from armillary.fits.checksum import ones_sum, stored_datasum, verify_checksum
from armillary.fits.edit import edit_header
from armillary.fits.header import Header, read_values
from armillary.fits.models import CardChange, Layout, Value
from armillary.fits.plan import apply_plan, plan_headers, relayout
from tests.support.headers import a_layout
from tests.support.realdata import astropy_fits, fits_bytes, header_bytes, header_texts, real_fits

REFUSED = {
    "lzw.fits.Z": "compress data; decompress it first",
    "idcompspec.fits": "begins with b'# Thu 16:', so it is not FITS",
}
"""Files of astropy's own tests that are no FITS files, and what is said of them; every other one is taken."""
NONSTANDARD = ("header_with_time.fits", "header_with_time_wcslib71.fits")
"""Files with SIMPLE = F, into which astropy does not look."""
ALL = [*astropy_fits(), *real_fits()]
FILES = [path for path in ALL if path.name not in REFUSED]
CHANGES = [
    CardChange("ARMTEST", "a 'value'"),
    CardChange("HISTORY", "edited " * 20),
    CardChange("ARMTEST2", 2.5),
]

pytestmark = pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")


def offsets_of(data: bytes) -> list[tuple[int, int, int]]:
    """Return astropy's header offset, data offset and padded data size of every HDU."""
    with fits.open(io.BytesIO(data), disable_image_compression=True, lazy_load_hdus=False) as hdus:
        infos = [hdu.fileinfo() for hdu in hdus]
    return [(info["hdrLoc"], info["datLoc"], info["datSpan"]) for info in infos]


def scanned(path: Path) -> tuple[bytes, Layout]:
    data = fits_bytes(path)
    return data, a_layout(data)


def comparable(card: fits.Card) -> object:
    """Return astropy's value of a card in our terms; an exception class if it has none."""
    try:
        value = card.value
    except (fits.VerifyError, ValueError) as error:
        return type(error)
    return None if isinstance(value, fits.card.Undefined) else value


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_fits_file_is_refused_with_the_reason(name: str) -> None:
    (path,) = [path for path in ALL if path.name == name]
    with pytest.raises(ArmillaryError) as refused:
        scanned(path)
    assert REFUSED[name] in refused.value.message


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name not in NONSTANDARD], ids=lambda path: path.name
)
def test_scan_finds_the_units_that_astropy_finds(path: Path) -> None:
    data, layout = scanned(path)
    ours = [(hdu.header_offset, hdu.data_offset, hdu.data_size) for hdu in layout.hdus]
    assert ours == offsets_of(data)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_cards_reassemble_the_header(path: Path) -> None:
    for raw in scanned(path)[1].headers:
        assert b"".join(card.raw for card in Header(raw).cards) == body_of(raw)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_values_are_those_of_astropy(path: Path) -> None:
    for raw in scanned(path)[1].headers:
        assert_values_agree(raw)


@pytest.mark.parametrize("path", header_texts(), ids=lambda path: path.name)
def test_values_of_real_headers_are_those_of_astropy(path: Path) -> None:
    assert_values_agree(header_bytes(path))


def assert_values_agree(raw: bytes) -> None:
    ours = read_values(raw)
    theirs: dict[str, object] = {}
    for card in fits.Header.fromstring(raw).cards:
        theirs.setdefault(card.keyword.upper(), comparable(card))
    assert len(ours) > 2
    # astropy renames record-valued cards: D2IM1 = 'EXTVER: 1' becomes D2IM1.EXTVER.
    renamed = {keyword.partition(".")[0] for keyword in theirs if "." in keyword}
    for keyword, value in ours.items():
        expected = theirs.get(keyword)
        if not isinstance(expected, type) and keyword not in renamed:
            assert agrees(value, expected), f"{keyword}: {value!r}, astropy {expected!r}"


def agrees(ours: Value, theirs: object) -> bool:
    return ours == theirs or (isinstance(theirs, str) and isinstance(ours, str) and ours == theirs.rstrip())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_edit_of_every_header_is_exact_and_reversible(path: Path) -> None:
    data, layout = scanned(path)
    headers = {}
    for hdu, raw in zip(layout.hdus, layout.headers, strict=True):
        edit = edit_header(raw, CHANGES, bytes_after=layout.size - hdu.data_offset)
        headers[hdu.index] = edit.header
        before, after = Header(raw), Header(edit.header)
        assert after.get("ARMTEST") == "a 'value'"
        assert after.get("ARMTEST2") == 2.5
        kept = [c.raw for c in before.cards if c.keyword not in {"CHECKSUM", "ZHECKSUM"} and c.raw.strip()]
        left = [c.raw for c in after.cards if c.raw.strip()]
        new = {raw for effect in edit.effects for raw in re.findall(b".{80}", effect.new_raw, re.DOTALL)}
        assert [raw for raw in left if raw in kept] == kept
        assert all(raw in kept or raw in new or raw[:8] == b"CHECKSUM" for raw in left if len(raw) == 80)
    plan = plan_headers(layout, headers)
    edited = apply_plan(data, plan)
    assert a_layout(edited) == relayout(layout, headers)
    assert apply_plan(edited, plan.inverse()) == data


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_right_checksum_stays_right(path: Path) -> None:
    data, layout = scanned(path)
    for hdu, raw in zip(layout.hdus, layout.headers, strict=True):
        datasum, real = stored_datasum(raw), ones_sum(data[hdu.data_offset : hdu.end])
        if "CHECKSUM" in Header(raw).keywords() and datasum is not None:
            edit = edit_header(raw, CHANGES, bytes_after=0, data_sum=lambda real=real: real)
            right = verify_checksum(raw, real)
            assert verify_checksum(edit.header, real) == (right or datasum == real)


@pytest.mark.peer
@pytest.mark.needs("fitsverify", "fitsverify")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_fitsverify_finds_no_new_fault(path: Path, tmp_path: Path) -> None:
    data, layout = scanned(path)
    headers = {
        hdu.index: edit_header(raw, CHANGES, bytes_after=layout.size - hdu.data_offset).header
        for hdu, raw in zip(layout.hdus, layout.headers, strict=True)
    }
    edited = apply_plan(data, plan_headers(layout, headers))
    assert faults(edited, tmp_path / "after.fits") <= faults(data, tmp_path / "before.fits")


def faults(data: bytes, path: Path) -> set[str]:
    """Return the errors and warnings that fitsverify reports, without positions."""
    path.write_bytes(data)
    command = ["fitsverify", str(path)]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    report = run.stdout.decode("latin-1")
    if "Abort Verification" in report:
        return {"cannot be verified"}
    assert "HDU#" in report
    found = re.findall(r"^\*\*\* (?:Error|Warning):\s*(.*)$", report, re.MULTILINE)
    return {re.sub(r"\d+", "N", line) for line in found}
