"""What is taken in, shown and listed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from armillary.settings.forms import MIB


class ArchiveSettings(BaseModel):
    """What is taken in, and how."""

    site: str = Field("", description="Site of files whose headers do not say.")
    quiet_s: float = Field(
        5.0, ge=0, description="Seconds a file must rest before a watched folder takes it in."
    )
    max_header: int = Field(64 * MIB, description="Bytes of headers accepted in one file.")
    max_upload: int = Field(16 << 30, description="Bytes of one uploaded file.")
    max_unpacked: int = Field(
        16 << 30, ge=1, description="Bytes that a .bz2 or .gz file may have when it is unpacked."
    )
    preview_px: int = Field(1024, ge=16, le=16_384, description="Long side of a preview, pixels.")
    preview_memory: int = Field(
        1 << 30, ge=64 * MIB, description="Bytes of memory that making one preview may take."
    )
    preview_s: float = Field(300.0, gt=0, description="Seconds that making one preview may take.")
    tiles: Literal["ingest", "demand", "off"] = Field(
        "ingest",
        description="When tiles of large images are made, by which viewers zoom: as files are taken in"
        " (`ingest`), when somebody looks at a file (`demand`), or never (`off`).",
    )
    tiles_px: int = Field(
        1024,
        ge=256,
        le=16_384,
        description="Side of a square image, pixels, up to whose area tiles are cut on request and none are made.",
    )
    tiles_whole: int = Field(
        256 * MIB,
        ge=0,
        description="Bytes of an image in a .gz file up to which its full size is kept among the tiles; of"
        " a larger one viewers see half the pixels a side.",
    )
    image_px: int = Field(
        4096, ge=16, le=16_384, description="Long side of the full-size picture of a cube, pixels."
    )
    thumbnail_px: int = Field(
        320, ge=16, le=4096, description="Width of the PNG thumbnail of a cube, pixels."
    )
    video_px: int = Field(1024, ge=16, le=4096, description="Long side of the movie of a cube, pixels.")
    video_s: float = Field(1800.0, gt=0, description="Seconds that making one movie may take.")
    visibility: Literal["hidden", "metadata", "open"] = Field(
        "metadata",
        description="What strangers are told of unreleased files of new roots: nothing (`hidden`), their"
        " `metadata`, or everything where no release date says otherwise (`open`).",
    )
    identity: Literal["by-path", "unique"] = Field(
        "by-path",
        description="What makes files of newly adopted trees the same files: directory and name (`by-path`), or"
        " the name alone (`unique`), as in the store.",
    )
    profiles: Path | None = Field(None, description="Directory of additional instrument profiles (TOML).")
    summit: bool = Field(False, description="Bare dates in selections are nights, as at a telescope.")
    lenient: bool = Field(
        False, description="Leave unknown selectors out and say so in a header, instead of refusing them."
    )
    open_limit: int = Field(
        500, ge=1, description="Rows of a list whose selection names no date, id or file name."
    )
    closed_limit: int = Field(2000, ge=1, description="Rows of any other list.")
    max_bundle: int = Field(2000, ge=1, description="Files of one tar download.")
