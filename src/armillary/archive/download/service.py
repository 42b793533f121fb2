"""What other nouns and the dialects may ask of downloads: which version somebody may have, and its bytes."""

from armillary.archive.download.bundle import bundle, choose
from armillary.archive.download.file import (
    Download,
    check_unpacked,
    content_of_version,
    open_download,
    stream,
)
from armillary.archive.download.serving import Served, version_to_serve, why_visible

__all__ = [
    "Download",
    "Served",
    "bundle",
    "check_unpacked",
    "choose",
    "content_of_version",
    "open_download",
    "stream",
    "version_to_serve",
    "why_visible",
]
