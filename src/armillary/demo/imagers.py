"""Frames like those of robotic telescopes with one camera: Las Cumbres and Photon Ranch."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from armillary.demo import scene
from armillary.demo.pointing import Place, Pointing, Target, pointing, sexagesimal
from armillary.demo.writing import CardTuple, plain_bytes, primary, tile_compressed_bytes, write

_GAIN = 1.4


@dataclass(frozen=True, slots=True)
class Imager:
    """A telescope with its one camera."""

    site: str
    telescope: str
    camera: str
    place: Place
    shape: tuple[int, int]
    pixel_arcsec: float


SUTHERLAND = Imager("cpt", "1m0-10", "fa14", Place(20.81004, -32.38062, 1804.0), (1024, 1024), 0.389)
RANCH = Imager("mrc", "0m35-ra1", "kf01", Place(-119.68112, 34.45943, 317.8), (900, 1200), 0.74)


@dataclass(frozen=True, slots=True)
class Shot:
    """One planned frame; ``reduced`` ones are calibrated to electrons per pixel above the sky."""

    kind: str
    target: Target
    started_at: datetime
    exposure_s: float
    filter: str
    number: int
    program: str = "calibrate"
    release: str = ""
    reduced: bool = False
    user: str = "observer"
    offset_px: tuple[float, float] = field(default=(0.0, 0.0))


def make_las_cumbres(path: Path, shot: Shot, *, seed: int) -> Path:
    """Write one frame of the Sutherland telescope; the container is told by the end of the name."""
    where = pointing(shot.target, SUTHERLAND.place, shot.started_at)
    cards = _las_cumbres_cards(shot, where, path.name) + _world_cards(shot, SUTHERLAND)
    return _write(path, cards, _pixels(shot, SUTHERLAND, seed), shot.started_at)


def make_photon_ranch(path: Path, shot: Shot, *, seed: int) -> Path:
    """Write one frame of the ranch; the container is told by the end of the name."""
    where = pointing(shot.target, RANCH.place, shot.started_at)
    cards = _photon_ranch_cards(shot, where) + _world_cards(shot, RANCH)
    return _write(path, cards, _pixels(shot, RANCH, seed), shot.started_at)


def _write(path: Path, cards: list[CardTuple], data: npt.NDArray[np.generic], when: datetime) -> Path:
    stamp = when.isoformat()[:19]
    if path.suffix == ".fz":
        return write(path, tile_compressed_bytes(cards, data, checksum_date=stamp))
    return write(path, plain_bytes([primary(cards, data)], checksum_date=stamp))


def _pixels(shot: Shot, imager: Imager, seed: int) -> npt.NDArray[np.generic]:
    rng = np.random.default_rng([seed, shot.number, round(shot.target.ra_deg)])
    match shot.kind:
        case "BIAS":
            image = np.zeros(imager.shape, np.float32)
        case "SKYFLAT":
            image = scene.flat_field(imager.shape, 18000.0, field=seed + len(shot.filter))
        case _:
            seeing = scene.Seeing(2.2 * shot.exposure_s, 3.2, shot.exposure_s / 45)
            star_field = seed + round(shot.target.ra_deg * 1000)
            offset, galaxy = shot.offset_px, shot.target.galaxy
            image = scene.star_field(imager.shape, seeing, field=star_field, offset_px=offset, galaxy=galaxy)
    counts = scene.exposed(image, rng, gain=_GAIN, cosmic_rays=int(shot.exposure_s / 12))
    if shot.reduced:
        return ((counts.astype(np.float32) - np.float32(scene.BIAS_LEVEL)) * np.float32(_GAIN)).astype(
            np.int32
        )
    return counts


def _world_cards(shot: Shot, imager: Imager) -> list[CardTuple]:
    step = imager.pixel_arcsec / 3600
    height, width = imager.shape
    return [
        ("CTYPE1", "RA---TAN", "Type of WCS projection"),
        ("CTYPE2", "DEC--TAN", "Type of WCS projection"),
        ("CRPIX1", width / 2 + 0.5, "[pixel] Reference point (axis 1)"),
        ("CRPIX2", height / 2 + 0.5, "[pixel] Reference point (axis 2)"),
        ("CRVAL1", round(shot.target.ra_deg, 7), "[deg] RA at the reference pixel"),
        ("CRVAL2", round(shot.target.dec_deg, 7), "[deg] Dec at the reference pixel"),
        ("CUNIT1", "deg", "Units of RA"),
        ("CUNIT2", "deg", "Units of Dec"),
        ("CD1_1", -step, "WCS CD transformation matrix"),
        ("CD1_2", 0.0, "WCS CD transformation matrix"),
        ("CD2_1", 0.0, "WCS CD transformation matrix"),
        ("CD2_2", step, "WCS CD transformation matrix"),
        ("HISTORY", "Drawn, not observed: stars, sky and noise are synthetic.", ""),
    ]


def _las_cumbres_cards(shot: Shot, where: Pointing, name: str) -> list[CardTuple]:
    ended_at = shot.started_at + timedelta(seconds=shot.exposure_s + 1)
    place, sky = SUTHERLAND.place, shot.kind == "EXPOSE"
    return [
        ("ORIGIN", "LCOGT", "Organization responsible for the data"),
        ("SITEID", SUTHERLAND.site, "ID code of the Observatory site"),
        ("SITE", "LCOGT node at SAAO (demonstration)", "Site of the Observatory"),
        ("ENCID", "doma", "ID code of the Enclosure"),
        ("TELID", "1m0a", "ID code of the Telescope"),
        ("TELESCOP", SUTHERLAND.telescope, "The Name of the Telescope"),
        ("LATITUDE", place.latitude_deg, "[deg North] Telescope Latitude"),
        ("LONGITUD", place.longitude_deg, "[deg East] Telescope Longitude"),
        ("HEIGHT", place.height_m, "[m] Altitude of Telescope above sea level"),
        ("OBSTYPE", shot.kind, "Observation type"),
        ("FRAMENUM", shot.number, "Running frame number"),
        ("MOLTYPE", shot.kind, "Molecule type"),
        ("ORIGNAME", name.split(".")[0] + ".fits", "Fname written by ICS"),
        ("TIMESYS", "UTC", "Time system used"),
        ("DATE", shot.started_at.date().isoformat(), "[UTC] Date this FITS file was written"),
        (
            "DATE-OBS",
            shot.started_at.isoformat()[:19] + ".000",
            "[UTC] Start of the observation",
        ),
        ("DAY-OBS", name.split("-")[2], "[UTC] Date at start of local observing night"),
        ("UTSTART", shot.started_at.strftime("%H:%M:%S.000"), "[UTC] The start time of the observation"),
        ("UTSTOP", ended_at.strftime("%H:%M:%S.000"), "[UTC] The finish time of the observation"),
        ("EXPTIME", shot.exposure_s, "[s] Exposure length"),
        ("FILTER", shot.filter, "Filter used"),
        ("INSTRUME", SUTHERLAND.camera, "Instrument used"),
        ("CONFMODE", "central_2k_2x2", "Camera mode configuration"),
        ("GAIN", _GAIN, "[electrons/count] Pixel gain"),
        ("RDNOISE", 7.0, "[electrons/pixel] Read noise"),
        ("CCDSUM", "2 2", "CCD on-chip summing/binning"),
        ("CCDATEMP", -99.9, "[deg C] CCD actual temperature"),
        ("BUNIT", "electron" if shot.reduced else "adu", "Unit of pixel values"),
        ("USERID", shot.user, "User ID"),
        ("PROPID", shot.program, "Proposal ID"),
        ("BLKUID", str(73900000 + shot.number), "Group unique ID"),
        ("REQNUM", "0000463749" if sky else "UNSPECIFIED", "Request DB request number"),
        (
            "RA",
            sexagesimal(shot.target.ra_deg / 15, digits=3),
            "[HH:MM:SS.sss] RA where telescope is pointing",
        ),
        (
            "DEC",
            sexagesimal(shot.target.dec_deg, sign=True),
            "[sDD:MM:SS.ss] Dec where telescope is pointing",
        ),
        ("RADESYS", "ICRS", "[[FK5,ICRS]] Fundamental coord. system"),
        ("OBJECT", shot.target.name if sky else "N/A", "Object name"),
        ("AZIMUTH", round(where.azimuth_deg, 6), "[deg] Azimuth axis position"),
        ("ALTITUDE", round(where.elevation_deg, 6), "[deg] Altitude axis position"),
        ("AIRMASS", round(where.airmass, 5), "Effective mean airmass"),
        ("L1PUBDAT", shot.release or shot.started_at.isoformat()[:19], "[UTC] Date the frame becomes public"),
    ]


def _photon_ranch_cards(shot: Shot, where: Pointing) -> list[CardTuple]:
    return [
        ("ORIGIN", "Photon Ranch", "Not from a telescope: a demonstration"),
        ("TELESCOP", RANCH.telescope, "Name of the telescope"),
        ("SITEID", RANCH.site, "Code of the site"),
        ("INSTRUME", RANCH.camera, "Name of the camera"),
        ("SITELAT", RANCH.place.latitude_deg, "[deg N] Latitude"),
        ("SITELONG", RANCH.place.longitude_deg, "[deg E] Longitude"),
        ("DATE-OBS", shot.started_at.isoformat()[:19], "Start of the exposure (UTC)"),
        ("DAY-OBS", "20260101", "Date at start of the observing night"),
        ("TIMESYS", "UTC", "Time scale"),
        ("EXPTIME", shot.exposure_s, "[s] Exposure time"),
        ("FILTER", shot.filter, "Filter"),
        ("OBJECT", shot.target.name, "Target"),
        ("IMAGETYP", shot.kind, "Kind of frame"),
        ("RAHRS", round(shot.target.ra_deg / 15, 8), "[hours] Right ascension of the pointing"),
        ("DEC", round(shot.target.dec_deg, 7), "[deg] Declination of the pointing"),
        ("ALTITUDE", round(where.elevation_deg, 5), "[deg] Altitude at start"),
        ("AZIMUTH", round(where.azimuth_deg, 5), "[deg] Azimuth at start"),
        ("AIRMASS", round(where.airmass, 4), "Airmass at start"),
        ("XBINNING", 2, "Binning along x"),
        ("YBINNING", 2, "Binning along y"),
        ("GAIN", _GAIN, "[electron/adu] Gain"),
        ("CCD-TEMP", -20.1, "[C] Temperature of the sensor"),
        ("BUNIT", "electron" if shot.reduced else "adu", "Unit of pixel values"),
        ("USERID", f"google-oauth2|{shot.user}", "Identity of the user"),
        ("USERNAME", shot.user, "Name of the user"),
        ("PROJECT", shot.program, "Project"),
        ("FRAMENUM", shot.number, "Running number"),
    ]
