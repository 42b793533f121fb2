"""Images as this interface shows them: exactly these keys, in this order."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from armillary.api.photon_ranch.urls import Addresses
from armillary.base.database import AnyRow


def package(row: AnyRow, addresses: Addresses, *, detail: bool = False) -> dict[str, Any]:
    """Return an image with addresses of its pictures; ``detail`` adds its header and where its files are."""
    shown: dict[str, Any] = row.shown
    told = {
        "image_id": row.id,
        "base_filename": row.base_filename,
        "data_type": row.data_type,
        "site": row.site,
        "exposure_time": row.exposure_time,
        "filter_used": row.filter_used,
        "right_ascension": row.right_ascension,
        "declination": row.declination,
        "azimuth": row.azimuth,
        "altitude": row.altitude,
        "airmass": row.airmass,
        "fits_01_exists": _exists(row.fits_01_key),
        "fits_10_exists": _exists(row.fits_10_key),
        "jpg_medium_exists": _exists(row.jpg_medium_key),
        "jpg_small_exists": _exists(row.jpg_small_key),
        "s3_directory": row.directory,
        "username": row.username,
        "user_id": row.user_id,
        "fits_filename": shown.get("fits_filename", ""),
        "fits_path": shown.get("fits_path", ""),
        "SMARTSTK": shown.get("SMARTSTK", ""),
        "SSTKNUM": shown.get("SSTKNUM", ""),
        "capture_date": milliseconds(row.capture_date),
        "sort_date": milliseconds(row.sort_date),
        "jpg_url": _address(row.jpg_medium_key, addresses),
        "jpg_thumbnail_url": _address(row.jpg_small_key, addresses),
    }
    return told | (_details(row) if detail else {})


def _details(row: AnyRow) -> dict[str, Any]:
    roles = ("fits_01", "fits_10", "jpg_medium", "jpg_small")
    keys = {role: key for role in roles if (key := getattr(row, f"{role}_key"))}
    return {"ra_deg": row.ra_deg, "header": row.header, "keys": keys, "warnings": row.warnings}


def _exists(key: str | None) -> bool | None:
    return True if key else None


def _address(key: str | None, addresses: Addresses) -> str:
    return addresses.of_object(key) if key else ""


def milliseconds(instant: datetime | None) -> int | None:
    """Return an instant as whole milliseconds since 1970, rounded down."""
    if instant is None:
        return None
    whole = int(instant.replace(microsecond=0).timestamp())
    return 1000 * whole + instant.microsecond // 1000


def as_strings(header: dict[str, Any]) -> dict[str, str]:
    """Return a header with all values as texts: logicals as T and F, numbers as Python writes them."""
    return {keyword: _as_string(value) for keyword, value in header.items()}


def _as_string(value: Any) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    return "" if value is None else str(value)


def info_package(row: AnyRow, channel: str, addresses: Addresses) -> dict[str, Any]:
    """Return what is in a slot of information images."""
    objects: dict[str, str] = row.objects
    flags = dict.fromkeys(
        ("fits_01_exists", "fits_10_exists", "jpg_medium_exists", "jpg_small_exists"), False
    )
    told: dict[str, Any] = {
        "pk": f"{row.site}#{row.channel}",
        "site": row.site,
        "channel": channel,
        "base_filename": row.base_filename,
        "expiration_timestamp": int(row.expires.timestamp()),
        "data_type": row.data_type,
        "file_date": row.file_date,
        "s3_directory": "info-images",
    }
    for place, key in sorted(objects.items()):
        told[f"{place}_file_path"] = key
        flags[_flag_of(place)] = True
    if row.header is not None:
        told["header"] = row.header
    urls = {
        "jpg_url": "jpg_10",
        "jpg_small_url": "jpg_11",
        "fits_01_url": "fits_01",
        "fits_10_url": "fits_10",
    }
    links = {url: addresses.of_object(objects[place]) for url, place in urls.items() if place in objects}
    return told | flags | links


def _flag_of(place: str) -> str:
    extension, _, level = place.rpartition("_")
    if extension == "fits":
        return f"fits_{level}_exists"
    known = {"jpg_10": "jpg_medium_exists", "jpg_11": "jpg_small_exists"}
    return known.get(place, f"other_{extension}_{level}_exists")
