"""What other nouns and the dialects may ask of downloads: which version somebody may have, and its bytes."""

from armillary.archive.catalog.media import MEDIA_TYPES
from armillary.archive.download.bundle import bundle, choose
from armillary.archive.download.file import (
    BZIP2_TYPE,
    GZIP_TYPE,
    Download,
    check_unpacked,
    content_of_version,
    open_download,
    stored_chunks,
    stream,
)
from armillary.archive.download.granted import note_if_granted
from armillary.archive.download.parcel import Parcel, parcel_of
from armillary.archive.download.serving import (
    Served,
    serve_version,
    signed_version,
    version_to_serve,
    why_visible,
)
from armillary.archive.download.tables import comma, votable
from armillary.archive.download.walk import walk
from armillary.archive.download.zipped import Zip
from armillary.archive.download.zips import Member, ZipLayout, made_member

__all__ = [
    "BZIP2_TYPE",
    "GZIP_TYPE",
    "MEDIA_TYPES",
    "Download",
    "Member",
    "Parcel",
    "Served",
    "Zip",
    "ZipLayout",
    "bundle",
    "check_unpacked",
    "choose",
    "comma",
    "content_of_version",
    "made_member",
    "note_if_granted",
    "open_download",
    "parcel_of",
    "serve_version",
    "signed_version",
    "stored_chunks",
    "stream",
    "version_to_serve",
    "votable",
    "walk",
    "why_visible",
]
