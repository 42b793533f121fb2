"""What other nouns and the dialects may ask of cubes: files of ingestion roots in and out, and their orders."""

from armillary.archive.cubes.changes import CUBES, forget_changes
from armillary.archive.cubes.derived.derivation import DerivedKind
from armillary.archive.cubes.listing import (
    MAX_PAGE,
    CubeFilter,
    Disk,
    ShownCube,
    list_cubes,
    show_cube,
    show_cubes,
)
from armillary.archive.cubes.models import STEPS, Cube, Options
from armillary.archive.cubes.oids import oid_of
from armillary.archive.cubes.retirement import Retired, place_of_oid, retire
from armillary.archive.cubes.roots import name_of, register, root_ids
from armillary.archive.cubes.settling import unsettled
from armillary.archive.cubes.store import cube_by_id, cubes_called, cubes_of_files, derived_of
from armillary.archive.cubes.submission import (
    Ingestion,
    Submitted,
    again,
    follow_edits,
    ingestion,
    ingestions,
    submit,
)

__all__ = [
    "CUBES",
    "MAX_PAGE",
    "STEPS",
    "Cube",
    "CubeFilter",
    "DerivedKind",
    "Disk",
    "Ingestion",
    "Options",
    "Retired",
    "ShownCube",
    "Submitted",
    "again",
    "cube_by_id",
    "cubes_called",
    "cubes_of_files",
    "derived_of",
    "follow_edits",
    "forget_changes",
    "ingestion",
    "ingestions",
    "list_cubes",
    "name_of",
    "oid_of",
    "place_of_oid",
    "register",
    "retire",
    "root_ids",
    "show_cube",
    "show_cubes",
    "submit",
    "unsettled",
]
