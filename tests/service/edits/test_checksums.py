"""CHECKSUM after edits of every HDU in every container, added up by astropy."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import text

from armillary.fits.checksum import encode_checksum, ones_add, ones_sum
from tests.support.archive import Archive, put, sha256
from tests.support.headers import a_card, a_layout

CONTAINERS = (".fits", ".fits.fz", ".fits.bz2", ".fits.gz")
STATES = ("SILENT", "SUMLESS", "DECEIVED", "STALE", "LOST", "SOUND")
"""Of HDUs, and EXTNAMEs: CHECKSUM blank; right without DATASUM; right beside a wrong one; wrong beside a right
one; both wrong; both right."""
RIGHT_BEFORE = {"SUMLESS", "DECEIVED", "SOUND"}
RIGHT_AFTER = RIGHT_BEFORE | {"STALE"}
STRIP = """
UPDATE version SET layout = jsonb_set(layout, '{hdus}', (SELECT jsonb_agg(hdu - 6 ORDER BY place)
    FROM jsonb_array_elements(layout->'hdus') WITH ORDINALITY AS h (hdu, place)))
"""
BELIE = "UPDATE version SET layout = jsonb_set(layout, '{hdus,4,6}', '7')"
"""Let the catalog know something else of the fourth extension, the stale one."""


def content(container: str) -> bytes:
    """Return a file with an extension in each state."""
    pixels = np.arange(900, dtype="i2").reshape(30, 30)
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for number, name in enumerate(STATES):
        kind = fits.CompImageHDU if container == ".fits.fz" else fits.ImageHDU
        hdus.append(kind(pixels + number, name=name))
        hdus[-1].header["OBSERVER"] = "nobody"
    written = io.BytesIO()
    hdus.writeto(written, checksum=True)
    return with_sums(written.getvalue(), ["SOUND", *STATES])


def content_of_primary(container: str, state: str) -> bytes:
    """Return a file whose primary HDU is in a state; it has pixels unless they are compressed in an extension."""
    pixels = np.arange(900, dtype="i2").reshape(30, 30)
    tiled = container == ".fits.fz"
    kind = fits.CompImageHDU if tiled else fits.ImageHDU
    hdus = fits.HDUList([fits.PrimaryHDU(None if tiled else pixels), kind(pixels, name="SOUND")])
    hdus[0].header["OBSERVER"] = "nobody"
    written = io.BytesIO()
    hdus.writeto(written, checksum=True)
    return with_sums(written.getvalue(), [state, "SOUND"])


def with_sums(content: bytes, states: Sequence[str]) -> bytes:
    """Return a file with the sums of each HDU in a state."""
    data, layout = bytearray(content), a_layout(content)
    for hdu, header, state in zip(layout.hdus, layout.headers, states, strict=True):
        pixel_data = bytes(data[hdu.data_offset : hdu.end])
        data[hdu.header_offset : hdu.data_offset] = in_state(state, header, pixel_data)
    return bytes(data)


def in_state(name: str, header: bytes, data: bytes) -> bytes:
    """Return a header whose sums were right in one of the states."""
    at = header.index(b"DATASUM ")
    if name == "SUMLESS":
        header = header[:at] + a_card("COMMENT no sum of data") + header[at + 80 :]
    if name in ("DECEIVED", "LOST"):
        header = header[:at] + a_card("DATASUM = '12345   '           / wrong") + header[at + 80 :]
    at = header.index(b"CHECKSUM= '") + 11
    match name:
        case "SILENT":
            value = b" " * 16
        case "STALE" | "LOST":
            value = b"AbCdEfGh12345678"
        case _:
            header = header[:at] + b"0" * 16 + header[at + 16 :]
            value = encode_checksum(0xFFFFFFFF - ones_add(ones_sum(header), ones_sum(data)))
    return header[:at] + value + header[at + 16 :]


def packed(data: bytes, container: str) -> bytes:
    pack: Any = {".bz2": bz2.compress, ".gz": gzip.compress}.get(Path(f"a{container}").suffix, bytes)
    return bytes(pack(data))


def sums(path: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield the name of each HDU, its CHECKSUM, and whether its bytes add up to minus zero."""
    unpack: Any = {".bz2": bz2.decompress, ".gz": gzip.decompress}.get(path.suffix, bytes)
    data = unpack(path.read_bytes())
    with fits.open(io.BytesIO(data), disable_image_compression=True) as hdus:
        for hdu in hdus:
            place = hdu.fileinfo()
            unit = np.frombuffer(data[place["hdrLoc"] : place["datLoc"] + place["datSpan"]], np.ubyte)
            right = int(hdu._compute_checksum(unit)) == 0xFFFFFFFF  # noqa: SLF001  # of astropy
            yield hdu.name, hdu.header["CHECKSUM"].strip(), right


def right_ones(path: Path) -> set[str]:
    """Return the EXTNAMEs of the extensions whose sums are right."""
    _, *extensions = sums(path)
    assert [checksum for name, checksum, _ in extensions if name == "SILENT"] == [""]
    return {name for name, _, right in extensions if right}


@pytest.mark.parametrize("container", CONTAINERS)
async def test_a_checksum_claims_as_much_as_before_in_every_extension(
    archive: Archive, container: str
) -> None:
    data, outcomes = packed(content(container), container), []
    for place in ("one", "two"):
        path = put(archive.directory / place / f"{place}{container}", data)
        assert right_ones(path) == RIGHT_BEFORE
        name = path.name.removesuffix(".bz2").removesuffix(".gz")
        assert (await archive.ingest(path)).ingested == 1
        await archive.drain()
        if place == "two":
            # As rows of archives are that were filled before the catalog kept sums of data.
            async with archive.context.database.begin() as connection:
                await connection.execute(text(STRIP))
        for extension in STATES:
            await archive.edit(name, {"generic": {"OBSERVER": "one", "NEW": 1}}, extension=extension)
        assert right_ones(path) == RIGHT_AFTER
        assert await archive.verify(name) == {name: ""}
        outcomes.append(sha256(path))
    assert outcomes[0] == outcomes[1], "the same edit of the same bytes gives the same bytes"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("container", CONTAINERS)
async def test_a_checksum_claims_as_much_as_before_in_the_primary_hdu(
    archive: Archive, container: str, state: str
) -> None:
    data = content_of_primary(container, state)
    path = put(archive.directory / "in" / f"a{container}", packed(data, container))
    (_, silent, right), extension = sums(path)
    assert (silent == "", right) == (state == "SILENT", state in RIGHT_BEFORE)
    await archive.ingest(path)
    await archive.drain()
    name = path.name.removesuffix(".bz2").removesuffix(".gz")
    await archive.edit(name, {"generic": {"OBSERVER": "one", "NEW": 1}})
    (_, silent, right), after = sums(path)
    assert (silent == "", right) == (state == "SILENT", state in RIGHT_AFTER)
    assert after == extension == ("SOUND", extension[1], True)
    assert await archive.verify(name) == {name: ""}


async def test_what_the_catalog_knows_of_the_data_is_not_read_again(archive: Archive) -> None:
    path = put(archive.directory / "in" / "a.fits.gz", packed(content(".fits.gz"), ".fits.gz"))
    await archive.ingest(path)
    await archive.drain()
    known = [hdu.data_sum is not None for hdu in (await archive.version("a.fits")).hdus]
    assert known == [True, *(name != "SUMLESS" for name in STATES)]
    async with archive.context.database.begin() as connection:
        await connection.execute(text(BELIE))
    await archive.edit("a.fits", {"generic": {"OBSERVER": "one"}}, extension="STALE")
    assert right_ones(path) == RIGHT_BEFORE
