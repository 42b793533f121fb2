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
    stream,
)
from armillary.archive.download.serving import Served, version_to_serve

__all__ = [
    "BZIP2_TYPE",
    "GZIP_TYPE",
    "MEDIA_TYPES",
    "Download",
    "Served",
    "bundle",
    "check_unpacked",
    "choose",
    "content_of_version",
    "open_download",
    "stream",
    "version_to_serve",
]
