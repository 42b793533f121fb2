"""What other nouns and the dialects may ask of the catalog: files, their versions, and the roots they lie in."""

from armillary.archive.catalog.claims import RootLine, Roots, RootState, claim, heed, roots_of
from armillary.archive.catalog.content import CHUNK, content_of
from armillary.archive.catalog.counts import fold_counts
from armillary.archive.catalog.file_store import (
    Whereabouts,
    contested,
    present_at,
    present_by_name,
    present_of_files,
)
from armillary.archive.catalog.lookup import (
    Unknown,
    ambiguous_versions,
    file_subjects,
    find_present,
    find_version,
    foremost_at,
    frame_of_file,
    ids_in,
    present_meant,
    subject_of,
    subjects_meant,
    version_number,
)
from armillary.archive.catalog.media import is_fits
from armillary.archive.catalog.priorities import science_priority
from armillary.archive.catalog.product_store import get_product, move_products
from armillary.archive.catalog.recording import record_versions
from armillary.archive.catalog.roots import (
    ensure_root,
    images_root,
    own_roots,
    root_by_id,
    set_visibility,
    store_of,
    store_root,
    visibility_of,
)
from armillary.archive.catalog.rows import NewVersion
from armillary.archive.catalog.standing import check_standing
from armillary.archive.catalog.store import (
    is_empty,
    list_roots,
    present_by_label,
    unclaimed_roots,
    versions_by_id,
    versions_of,
)
from armillary.base.place import IMAGES, OWN, STORE

__all__ = [
    "CHUNK",
    "IMAGES",
    "OWN",
    "STORE",
    "NewVersion",
    "RootLine",
    "RootState",
    "Roots",
    "Unknown",
    "Whereabouts",
    "ambiguous_versions",
    "check_standing",
    "claim",
    "content_of",
    "contested",
    "ensure_root",
    "file_subjects",
    "find_present",
    "find_version",
    "fold_counts",
    "foremost_at",
    "frame_of_file",
    "get_product",
    "heed",
    "ids_in",
    "images_root",
    "is_empty",
    "is_fits",
    "list_roots",
    "move_products",
    "own_roots",
    "present_at",
    "present_by_label",
    "present_by_name",
    "present_meant",
    "present_of_files",
    "record_versions",
    "root_by_id",
    "roots_of",
    "science_priority",
    "set_visibility",
    "store_of",
    "store_root",
    "subject_of",
    "subjects_meant",
    "unclaimed_roots",
    "version_number",
    "versions_by_id",
    "versions_of",
    "visibility_of",
]
