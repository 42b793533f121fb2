"""What other nouns and the dialects may ask of images: their files in, questions, and what is kept how long."""

from armillary.archive.images.announcements import follow, number_of, position
from armillary.archive.images.arrival import check_object, receive
from armillary.archive.images.askers import Asker
from armillary.archive.images.headers import columns_of, read_mapping
from armillary.archive.images.models import ARRIVAL, IMAGEDATA, RETENTION, Directory
from armillary.archive.images.names import ImageName, info_base, parse_name, site_of
from armillary.archive.images.objects import filter_of, find_object
from armillary.archive.images.query import (
    MOST,
    ImageCriteria,
    arrivals,
    filtered,
    image_by_base,
    info,
    is_cursor,
    latest,
    latest_of_each,
)
from armillary.archive.images.retention import forget_expired
from armillary.archive.images.slots import Slot, read_slot, write_slot
from armillary.archive.images.store import put_header, reserve_slot
from armillary.archive.images.zips import (
    FitsSize,
    freeze,
    frozen,
    keys_between,
    members_of,
    zip_versions,
)

__all__ = [
    "ARRIVAL",
    "IMAGEDATA",
    "MOST",
    "RETENTION",
    "Asker",
    "Directory",
    "FitsSize",
    "ImageCriteria",
    "ImageName",
    "Slot",
    "arrivals",
    "check_object",
    "columns_of",
    "filter_of",
    "filtered",
    "find_object",
    "follow",
    "forget_expired",
    "freeze",
    "frozen",
    "image_by_base",
    "info",
    "info_base",
    "is_cursor",
    "keys_between",
    "latest",
    "latest_of_each",
    "members_of",
    "number_of",
    "parse_name",
    "position",
    "put_header",
    "read_mapping",
    "read_slot",
    "receive",
    "reserve_slot",
    "site_of",
    "write_slot",
    "zip_versions",
]
