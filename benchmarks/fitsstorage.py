"""The steps of Gemini FitsStorage, re-enacted with the same calls: it is no package to install.

Ingest of one file: look its name up, insert a file row; md5 of all bytes, insert a row of the file on disk; all
header values by astropy, insert a row of descriptors; the text of all headers, insert a row of full text. Four
rows, four commits, by the SQLAlchemy ORM on psycopg; the columns of its header table, most of them empty for
these files. A compressed file is decompressed to a staging directory first. Left out, in favour of the peer:
fitsverify, the tables of instruments, footprints, previews.

Edit of one file: decompressed to the staging directory, opened by astropy for update, all of it compressed again.
Both run when a process that sleeps for a second finds something in its queue.
"""

from __future__ import annotations

import bz2
import hashlib
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy as sa
from astropy.io import fits
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from armillary.base.database import Role
from armillary.base.postgres.server import EmbeddedServer

READ = 1_000_000
DATABASE = "bench_fitsstorage"
POLL_S = 1.0
"""Seconds that its processes sleep when their queue is empty; what comes meanwhile waits half of it on average."""


class Base(DeclarativeBase):
    """The tables of the peer."""


class File(Base):
    """A logical file."""

    __tablename__ = "file"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True, index=True)


class DiskFile(Base):
    """One state of a file on disk."""

    __tablename__ = "diskfile"
    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = mapped_column(sa.ForeignKey("file.id"), index=True)
    filename: Mapped[str] = mapped_column(index=True)
    path: Mapped[str]
    present: Mapped[bool] = mapped_column(index=True)
    canonical: Mapped[bool] = mapped_column(index=True)
    file_md5: Mapped[str]
    file_size: Mapped[int] = mapped_column(sa.BigInteger)
    data_md5: Mapped[str]
    data_size: Mapped[int] = mapped_column(sa.BigInteger)
    lastmod: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), index=True)
    entrytime: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), index=True)
    mdready: Mapped[bool | None]


class HeaderRow(Base):
    """What is searched for."""

    __tablename__ = "header"
    id: Mapped[int] = mapped_column(primary_key=True)
    diskfile_id: Mapped[int] = mapped_column(sa.ForeignKey("diskfile.id"), index=True)
    program_id: Mapped[str | None] = mapped_column(index=True)
    observation_id: Mapped[str | None] = mapped_column(index=True)
    data_label: Mapped[str | None] = mapped_column(index=True)
    telescope: Mapped[str | None] = mapped_column(index=True)
    instrument: Mapped[str | None] = mapped_column(index=True)
    ut_datetime: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True), index=True)
    observation_type: Mapped[str | None] = mapped_column(index=True)
    object: Mapped[str | None]
    ra: Mapped[float | None] = mapped_column(index=True)
    dec: Mapped[float | None] = mapped_column(index=True)
    azimuth: Mapped[float | None]
    elevation: Mapped[float | None]
    airmass: Mapped[float | None]
    filter_name: Mapped[str | None] = mapped_column(index=True)
    exposure_time: Mapped[float | None] = mapped_column(index=True)
    engineering: Mapped[bool | None] = mapped_column(index=True)
    science_verification: Mapped[bool | None] = mapped_column(index=True)
    calibration_program: Mapped[bool | None] = mapped_column(index=True)
    observation_class: Mapped[str | None] = mapped_column(index=True)
    local_time: Mapped[str | None]
    cass_rotator_pa: Mapped[float | None]
    disperser: Mapped[str | None] = mapped_column(index=True)
    camera: Mapped[str | None] = mapped_column(index=True)
    central_wavelength: Mapped[float | None] = mapped_column(index=True)
    wavelength_band: Mapped[str | None] = mapped_column(index=True)
    focal_plane_mask: Mapped[str | None] = mapped_column(index=True)
    pupil_mask: Mapped[str | None] = mapped_column(index=True)
    detector_binning: Mapped[str | None] = mapped_column(index=True)
    detector_gain_setting: Mapped[str | None]
    detector_roi_setting: Mapped[str | None]
    detector_readspeed_setting: Mapped[str | None]
    detector_welldepth_setting: Mapped[str | None]
    detector_readmode_setting: Mapped[str | None]
    coadds: Mapped[int | None]
    spectroscopy: Mapped[bool | None] = mapped_column(index=True)
    mode: Mapped[str | None] = mapped_column(index=True)
    adaptive_optics: Mapped[bool | None] = mapped_column(index=True)
    laser_guide_star: Mapped[bool | None]
    wavefront_sensor: Mapped[str | None]
    gcal_lamp: Mapped[str | None]
    raw_iq: Mapped[int | None]
    raw_cc: Mapped[int | None]
    raw_wv: Mapped[int | None]
    raw_bg: Mapped[int | None]
    requested_iq: Mapped[int | None]
    requested_cc: Mapped[int | None]
    requested_wv: Mapped[int | None]
    requested_bg: Mapped[int | None]
    qa_state: Mapped[str | None] = mapped_column(index=True)
    release: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    reduction: Mapped[str | None] = mapped_column(index=True)
    types: Mapped[str | None]
    phot_standard: Mapped[bool | None]
    proprietary_coordinates: Mapped[bool | None]
    pre_image: Mapped[bool | None]


class FullText(Base):
    """The text of all headers."""

    __tablename__ = "fulltextheader"
    id: Mapped[int] = mapped_column(primary_key=True)
    diskfile_id: Mapped[int] = mapped_column(sa.ForeignKey("diskfile.id"), index=True)
    fulltext: Mapped[str]


async def create(server: EmbeddedServer) -> sa.Engine:
    """Create the peer's database and tables on a server that is as durable as ours."""
    where = {"host": server.dsn.host, "user": str(Role.OWNER)}
    connection = await asyncpg.connect(database=server.dsn.database, **where)
    await connection.execute(f"CREATE DATABASE {DATABASE}")
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        if await connection.fetchval(f"SHOW {name}") != "on":
            raise AssertionError(f"{name} is off")
    await connection.close()
    url = sa.URL.create(
        "postgresql+psycopg", database=DATABASE, username=where["user"], query={"host": where["host"]}
    )
    engine = sa.create_engine(url)
    Base.metadata.create_all(engine)
    return engine


def md5_of(path: Path) -> str:
    """Return the md5 of a file, read in pieces."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as opened:
        while piece := opened.read(READ):
            digest.update(piece)
    return digest.hexdigest()


def edit(path: Path, cards: Mapping[str, str], staging: Path) -> None:
    """Change cards of the primary header, in the steps of the peer."""
    with fits.open(uncompressed(path, staging), mode="update", do_not_scale_image_data=True) as hdus:
        hdus[0].header.update(cards)
        if path.suffix == ".bz2":
            with bz2.open(path, "wb") as out:
                hdus.writeto(out)


def uncompressed(path: Path, staging: Path) -> Path:
    """Return a plain file with the content of a file: itself, or a copy in the staging directory."""
    if path.suffix != ".bz2":
        return path
    with bz2.open(path) as stored, (staging / path.stem).open("wb") as plain:
        shutil.copyfileobj(stored, plain, READ)
    return staging / path.stem


def ingest(session: Session, path: Path, staging: Path) -> None:
    """Take one file in, in the steps of the peer."""
    file = session.query(File).filter(File.name == path.name).one_or_none()
    if file is None:
        file = File(name=path.name)
        session.add(file)
        session.commit()
    plain = uncompressed(path, staging)
    state, md5 = path.stat(), md5_of(path)
    disk = DiskFile(
        file_id=file.id,
        filename=path.name,
        path="",
        present=True,
        canonical=True,
        file_md5=md5,
        file_size=state.st_size,
        data_md5=md5 if plain == path else md5_of(plain),
        data_size=plain.stat().st_size,
        lastmod=datetime.fromtimestamp(state.st_mtime, UTC),
        entrytime=datetime.now(UTC),
    )
    session.add(disk)
    session.commit()
    with fits.open(plain) as hdus:
        values = [dict(hdu.header) for hdu in hdus]
        session.add(_header_row(disk.id, values[0]))
        session.commit()
        text = "\n\n".join(repr(hdu.header) for hdu in hdus)
        session.add(FullText(diskfile_id=disk.id, fulltext=text))
        disk.mdready = True
        session.commit()


def _header_row(disk_id: int, values: dict[str, Any]) -> HeaderRow:
    return HeaderRow(
        diskfile_id=disk_id,
        program_id=values["PROPID"],
        observation_id=values["BLKUID"],
        data_label=values["ORIGNAME"],
        telescope=values["TELESCOP"],
        instrument=values["INSTRUME"],
        ut_datetime=datetime.fromisoformat(values["DATE-OBS"]).replace(tzinfo=UTC),
        observation_type=values["OBSTYPE"],
        object=values["OBJECT"],
        ra=values["CRVAL1"],
        dec=values["CRVAL2"],
        azimuth=values["AZIMUTH"],
        elevation=values["ALTITUDE"],
        airmass=values["AIRMASS"],
        filter_name=values["FILTER"],
        exposure_time=values["EXPTIME"],
    )
