"""What other nouns and the dialects may ask of cubes: files of ingestion roots in and out, and their orders."""

from armillary.archive.cubes.models import STEPS, Cube, Options
from armillary.archive.cubes.oids import oid_of
from armillary.archive.cubes.retirement import Retired, place_of_oid, retire
from armillary.archive.cubes.roots import name_of, register
from armillary.archive.cubes.settling import unsettled
from armillary.archive.cubes.store import (
    cube_by_id,
    cubes_called,
    derived_kinds,
    derived_of,
    span_of_observation,
    tags_of,
)
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
    "STEPS",
    "Cube",
    "Ingestion",
    "Options",
    "Retired",
    "Submitted",
    "again",
    "cube_by_id",
    "cubes_called",
    "derived_kinds",
    "derived_of",
    "follow_edits",
    "ingestion",
    "ingestions",
    "name_of",
    "oid_of",
    "place_of_oid",
    "register",
    "retire",
    "span_of_observation",
    "submit",
    "tags_of",
    "unsettled",
]
