"""The columns of tables of frames: their types, units and words of the Virtual Observatory."""

from __future__ import annotations

from dataclasses import dataclass

from armillary.archive.fields import HOT, Kind
from armillary.archive.query.service import FILE_COLUMNS


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column: a value of a frame or its file, of a kind of fields, or a number of bytes."""

    name: str
    kind: Kind | None
    unit: str = ""
    ucd: str = ""
    pointing: bool = False
    """Whether it is a coordinate."""


_OF_FILES = {
    "path": TableColumn("path", "text", ucd="meta.id;meta.file"),
    "filename": TableColumn("filename", "text", ucd="meta.id;meta.file"),
    "file_size": TableColumn("file_size", None, "byte", "phys.size;meta.file"),
    "data_size": TableColumn("data_size", None, "byte", "phys.size;meta.file"),
    "file_md5": TableColumn("file_md5", "text", ucd="meta.checksum;meta.file"),
    "data_md5": TableColumn("data_md5", "text", ucd="meta.checksum;meta.file"),
    "lastmod": TableColumn("lastmod", "instant", ucd="time.processing"),
    "entrytime": TableColumn("entrytime", "instant", ucd="time.creation"),
}
COLUMNS = (
    TableColumn("name", "text", ucd="meta.id;meta.main"),
    *(_OF_FILES[name] for name in FILE_COLUMNS),
    *(
        TableColumn(one.name, one.kind, one.unit, one.ucd, pointing=one.name in ("ra_deg", "dec_deg"))
        for one in HOT
    ),
    TableColumn("visible", "flag", ucd="meta.code"),
)
"""What JSON has of every frame, in the same order."""
